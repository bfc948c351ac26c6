// The statements that a client prepares at every connect. Plain data, made at start-up, shared by all reactors.
// Limit: `countMax` statements.

/// Names one prepared statement of a `PostgresStatements`.
public struct StatementID: Equatable, Hashable, Sendable {
    let index: Int
}

/// A list of statements with their names.
public struct PostgresStatements: Sendable {
    public static let countMax = 256

    struct Statement: Sendable {
        let name: String
        let sql: String
    }

    private(set) var list: [Statement] = []

    public init() {}

    /// Adds a statement; a name given twice, or one too many, is a bug and traps.
    public mutating func add(_ name: String, _ sql: String) -> StatementID {
        precondition(list.count < Self.countMax, "too many prepared statements")
        precondition(!name.isEmpty && !list.contains { $0.name == name }, "a statement's name is given once")
        list.append(Statement(name: name, sql: sql))
        return StatementID(index: list.count - 1)
    }
}
