// What can go wrong between us and PostgreSQL, as values. Plain data.
// Source: PostgreSQL's manual, appendix A, for the classes of SQLSTATE.

/// Why a statement has no result.
public enum PostgresFailure: Error, Equatable, Sendable {
    /// There is no connection, or it was lost before the answer: whether the statement was committed is then unknown.
    case unavailable
    /// More flights than the client's bound wait already; nothing was sent.
    case overloaded
    /// No answer within the statement timeout; the connection is dropped.
    case timedOut
    /// The server refused the statement; nothing of it was stored.
    case refused(sqlState: String, message: String)
}

extension PostgresFailure: CustomStringConvertible {
    /// Text of the server's own message where there is one.
    public var message: String {
        switch self {
        case .unavailable: "no connection to PostgreSQL"
        case .overloaded: "too many statements wait for PostgreSQL"
        case .timedOut: "PostgreSQL did not answer in time"
        case .refused(_, let message): message
        }
    }

    public var description: String {
        if case .refused(let state, let message) = self { return "\(message) (SQLSTATE \(state))" }
        return message
    }

    /// The values are to blame, not the server: of several rows perhaps only one. Data exceptions (22), constraint
    /// violations (23), program limits (54, such as an index row too large) and what jsonb and text cannot hold.
    public var isFaultOfData: Bool {
        guard case .refused(let state, _) = self else { return false }
        return ["22", "23", "54"].contains(state.prefix(2))
    }

    /// The transaction lost against a concurrent one (40: deadlock, serialization) and may simply be repeated.
    public var isTransactionLost: Bool {
        guard case .refused(let state, _) = self else { return false }
        return state.hasPrefix("40")
    }

    /// The server is shutting down or refuses connections (57P, 08): the same as losing it.
    var isLoss: Bool {
        guard case .refused(let state, _) = self else { return false }
        return state.hasPrefix("57P") || state.hasPrefix("08")
    }
}
