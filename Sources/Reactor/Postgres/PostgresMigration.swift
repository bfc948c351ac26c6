// A blocking connection that brings a schema up to date: for a command that does nothing else, never for a reactor.
// Safe to run by several at once: an advisory lock lets one at a time through. Forward only; each file is a
// transaction that also records it, so that a crash leaves no file half applied.

import CReactor

/// A numbered SQL file.
public struct PostgresMigration: Sendable {
    public var name: String
    public var sql: String

    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

public enum PostgresMigrator {
    /// Any fixed number: who migrates the same database asks for the same lock.
    private static let lock = "7218560931"

    /// Applies those of `migrations` (in order of their names) that the database has not recorded yet.
    /// - Returns: the names applied now.
    /// - Throws: `.unavailable` with no connection, `.refused` for a file that fails: those before it stay applied.
    public static func migrate(
        url: String, _ migrations: [PostgresMigration]
    ) throws(PostgresFailure) -> [String] {
        let session = PQconnectdb(url)
        defer { PQfinish(session) }
        guard let session, PQstatus(session) == CONNECTION_OK else {
            throw .refused(
                sqlState: "08001", message: session.map { String(cString: PQerrorMessage($0)) } ?? "no memory")
        }
        cr_pg_silence(session)
        try run(session, "SELECT pg_advisory_lock(\(lock))")
        try run(
            session,
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
            """)
        let known = try names(session)
        var applied: [String] = []
        for migration in migrations.sorted(by: { $0.name < $1.name }) where !known.contains(migration.name) {
            let record = "INSERT INTO schema_migrations (name) VALUES ('\(migration.name)')"
            try run(session, "BEGIN;\n\(migration.sql)\n;\(record);\nCOMMIT")
            applied.append(migration.name)
        }
        try run(session, "SELECT pg_advisory_unlock(\(lock))")
        return applied
    }

    private static func run(_ session: OpaquePointer, _ sql: String) throws(PostgresFailure) {
        let result = PQexec(session, sql)
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: return
        default:
            guard let result else { throw .unavailable }
            throw PostgresFailure(result)
        }
    }

    private static func names(_ session: OpaquePointer) throws(PostgresFailure) -> Set<String> {
        guard let result = PQexec(session, "SELECT name FROM schema_migrations") else { throw .unavailable }
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_TUPLES_OK else { throw PostgresFailure(result) }
        return Set((0..<PQntuples(result)).map { String(cString: PQgetvalue(result, $0, 0)) })
    }
}
