// What can go wrong between us and PostgreSQL, as values. Plain data.
// Source: PostgreSQL documentation, appendix A "PostgreSQL Error Codes".

import CReactor

/// Why a statement has no rows.
public struct PostgresFailure: Error, Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// There is no connection, or it was lost before the outcome was known: the statement may have run.
        case unavailable
        /// More flights or bytes than the client's bounds wait already; nothing was sent.
        case overloaded
        /// No outcome within the flight timeout: it was cancelled and the connection dropped; the outcome is unknown.
        case timedOut
        /// PostgreSQL refused the statement and undid its transaction.
        case refused
    }

    public var kind: Kind
    /// Five characters; empty where PostgreSQL said nothing.
    public var sqlState = ""
    public var message: String
    public var constraint: String?
    public var table: String?
    public var column: String?

    init(_ kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }

    static let unavailable = PostgresFailure(.unavailable, message: "no connection to PostgreSQL")
    static let overloaded = PostgresFailure(.overloaded, message: "too many statements wait for PostgreSQL")
    static let timedOut = PostgresFailure(.timedOut, message: "PostgreSQL did not answer in time")

    /// - Parameter result: an error result.
    init(result: OpaquePointer) {
        func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
        sqlState = field(CR_PG_SQLSTATE) ?? ""
        message = field(CR_PG_MESSAGE) ?? String(cString: PQresultErrorMessage(result))
        constraint = field(CR_PG_CONSTRAINT)
        table = field(CR_PG_TABLE)
        column = field(CR_PG_COLUMN)
        kind = Self.isConnectionLoss(sqlState) ? .unavailable : .refused
    }

    /// The two characters that name the class of error.
    public var sqlClass: Substring { sqlState.prefix(2) }

    /// Whether the values are to blame: the same statement with others may succeed, and with these never will.
    public var isDataFault: Bool {
        kind == .refused && ["21", "22", "23", "44", "54"].contains(sqlClass)
    }

    /// Whether the session no longer fits the database: its prepared statements are gone or planned for other tables.
    var isStaleSession: Bool { sqlState == "26000" || sqlState == "0A000" }

    /// An error that ends the session: a shutdown, an administrator, a crash (57P01 to 57P05), or the line itself.
    private static func isConnectionLoss(_ state: String) -> Bool {
        state.isEmpty || state.hasPrefix("57P") || state.hasPrefix("08")
    }
}

extension PostgresFailure: CustomStringConvertible {
    public var description: String { sqlState.isEmpty ? message : "\(sqlState) \(message)" }
}
