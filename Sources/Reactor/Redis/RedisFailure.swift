// What can go wrong between us and Redis, as values. Plain data.

/// Why a command has no reply, or which error its reply is.
public enum RedisFailure: Error, Equatable, Sendable {
    /// There is no connection, or it was lost before the reply came: whether the command ran is then unknown.
    case unavailable
    /// More flights or bytes than the client's bounds wait already; nothing was sent.
    case overloaded
    /// No reply within the command timeout; the connection is dropped, since the order of replies is lost.
    case timedOut
    /// Redis answered with an error: its text, code first.
    case refused(String)
    /// What arrived is not RESP, or a reply larger than the limit.
    case protocolViolation(String)
    /// The configuration asks for something that this client cannot do.
    case unsupported(String)
}

extension RedisFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unavailable: "no connection to Redis"
        case .overloaded: "too many commands wait for Redis"
        case .timedOut: "Redis did not answer in time"
        case .refused(let text): "Redis refused: \(text)"
        case .protocolViolation(let text): "Redis sent something unexpected: \(text)"
        case .unsupported(let text): text
        }
    }
}
