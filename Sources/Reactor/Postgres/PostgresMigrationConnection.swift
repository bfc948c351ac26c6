// A blocking session for migrations: scripts of many statements, one after another, before anything serves.
// Owned by the thread that runs them, never a reactor's. Limits: libpq's `connect_timeout` (10 s unless the target says
// otherwise); statements take what they take, and a lock waits for its holder.

import CReactor

/// A session that is used by waiting for it; it ends with its deinit.
public struct PostgresMigrationConnection: ~Copyable {
    // Not nil, ended by deinit only.
    private let session: OpaquePointer

    public init(_ target: PostgresTarget) throws(PostgresFailure) {
        guard let session = target.connectSession() else { throw .unavailable }
        guard PQstatus(session) == CONNECTION_OK else {
            let words = String(cString: PQerrorMessage(session)).split(separator: "\n").joined(separator: " ")
            PQfinish(session)
            throw PostgresFailure(.unavailable, message: words)
        }
        cr_pg_silence(session)
        self.session = session
    }

    deinit { PQfinish(session) }

    /// Runs a script. Several statements are one transaction, unless the script begins and ends some itself.
    public func execute(_ script: String) throws(PostgresFailure) { _ = try rows(PQexec(session, script)) }

    /// Runs one statement and returns its rows as text.
    @discardableResult
    public func query(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresFailure) -> [PostgresRow] {
        guard !parameters.contains(where: \.hasZeroByte) else { throw .zeroByte }
        return try rows(
            PostgresValue.withPointers(parameters) { types, values, lengths, formats in
                PQexecParams(session, sql, Int32(parameters.count), types, values, lengths, formats, 0)
            })
    }

    /// Runs `body` between BEGIN and COMMIT; undone where it throws.
    public func transaction(
        _ body: (borrowing PostgresMigrationConnection) throws(PostgresFailure) -> Void
    ) throws(PostgresFailure) {
        try execute("BEGIN")
        do throws(PostgresFailure) {
            try body(self)
            try execute("COMMIT")
        } catch {
            // The first failure is the one to tell; a session that cannot roll back is ended by the server.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Waits for the advisory lock `key`, which this session holds until `unlock` or its end.
    public func lock(_ key: Int64) throws(PostgresFailure) {
        try query("SELECT pg_advisory_lock($1::bigint)", [.integer(Int(key))])
    }

    public func unlock(_ key: Int64) throws(PostgresFailure) {
        try query("SELECT pg_advisory_unlock($1::bigint)", [.integer(Int(key))])
    }

    private func rows(_ result: OpaquePointer?) throws(PostgresFailure) -> [PostgresRow] {
        guard let result else { throw .unavailable }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK: return PostgresRow.all(of: result)
        case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return []
        default: throw PostgresFailure(result: result)
        }
    }
}
