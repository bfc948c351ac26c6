// Brings the database's schema up to date: the `migrate` command. The SQL files are part of the binary; forward only.
// Called on the main thread of a process that does nothing else. Safe to run by several at once: an advisory lock lets
// one through at a time, and each file is a transaction that also records it.

import Logging
import Reactor

func migrate(_ configuration: GatewayConfiguration) throws {
    let logger = Logger(label: "gateway")
    let applied = try Migrations.apply(to: PostgresTarget(configuration.postgresURL))
    for name in applied { logger.notice("migrated", metadata: ["migration": "\(name)"]) }
    if applied.isEmpty {
        logger.notice("the schema is up to date", metadata: ["migrations": "\(Migrations.all.count)"])
    }
}

enum Migrations {
    /// Any fixed number: whoever migrates the same database waits for the same lock.
    private static let lock: Int64 = 7_218_560_931

    /// In order; a new file gets a line here.
    static let all = [
        (name: "0001_results", sql: String(decoding: PackageResources.m0001_results_sql, as: UTF8.self)),
        (name: "0002_api_keys", sql: String(decoding: PackageResources.m0002_api_keys_sql, as: UTF8.self)),
    ]

    /// Applies what the database has not recorded yet.
    /// - Returns: the names applied now.
    static func apply(to target: PostgresTarget) throws(PostgresFailure) -> [String] {
        let session = try PostgresMigrationConnection(target)
        try session.lock(lock)
        try session.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
            """)
        let known = Set(try session.query("SELECT name FROM schema_migrations").map { $0[0] })
        var applied: [String] = []
        for (name, sql) in all where !known.contains(name) {
            try session.transaction { (session: borrowing PostgresMigrationConnection) throws(PostgresFailure) in
                try session.execute(sql)
                try session.query("INSERT INTO schema_migrations (name) VALUES ($1)", [.text(name)])
            }
            applied.append(name)
        }
        try session.unlock(lock)
        return applied
    }
}
