// Why a request to an upstream came to nothing. Plain data, a typed error.

public enum HTTPClientFailure: Error, Equatable, Sendable {
    public enum Phase: String, Sendable {
        /// Resolving, waiting for a connection, connecting.
        case connect
        /// The upstream took the request, or part of it, and said nothing.
        case firstByte
        /// The answer stopped in the middle.
        case idle
        case total
    }

    /// The client cannot do that: TLS, or a request that is none.
    case unsupported(String)
    /// Too many requests wait for a connection to this service.
    case overloaded
    /// No address of the service could be connected to.
    case connectFailed(String)
    case timedOut(Phase)
    /// The connection was lost before any byte of an answer; the request may have been acted on.
    case resetBeforeResponse
    /// The connection was lost inside the answer.
    case resetDuringResponse
    /// The upstream does not speak HTTP/1.1 as it should.
    case protocolViolation(HTTPFailure)
    /// `collect` was given fewer bytes than the body has.
    case tooLarge(bytesMax: Int)
    /// The caller's task was cancelled, or the client closed.
    case cancelled

    /// Whether nothing of the request can have reached the upstream, so that repeating it is safe for any method.
    public var isUnsent: Bool {
        switch self {
        case .unsupported, .overloaded, .connectFailed, .timedOut(.connect): true
        case .timedOut, .resetBeforeResponse, .resetDuringResponse, .protocolViolation, .tooLarge, .cancelled: false
        }
    }
}

extension HTTPClientFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupported(let what): "not supported: \(what)"
        case .overloaded: "too many requests wait for a connection"
        case .connectFailed(let reason): "cannot connect: \(reason)"
        case .timedOut(.connect): "no connection in time"
        case .timedOut(.firstByte): "no answer in time"
        case .timedOut(.idle): "the answer stopped"
        case .timedOut(.total): "the answer took too long"
        case .resetBeforeResponse: "the connection was lost before an answer"
        case .resetDuringResponse: "the connection was lost inside the answer"
        case .protocolViolation(let failure): "a malformed answer: \(failure.text) at byte \(failure.atByte)"
        case .tooLarge(let bytesMax): "an answer of more than \(bytesMax) bytes"
        case .cancelled: "cancelled"
        }
    }
}
