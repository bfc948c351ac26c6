// A lock in PostgreSQL that somebody else holds.

import Foundation
import TestSupport

/// A session that holds what a statement locks, until it is told to let go.
final class DatabaseLock {
    private let folder: TemporaryFolder
    private let child: ChildProcess
    private let query: PostgresQuery

    /// - Parameter statement: takes the lock.
    init(_ url: String, _ statement: String) throws {
        query = PostgresQuery(url: url)
        folder = try TemporaryFolder()
        try folder.write(
            "SET application_name = 'lock'; BEGIN; \(statement); SELECT pg_sleep(60);", to: "lock.sql")
        child = try ChildProcess(
            "psql", ["--no-psqlrc", "--quiet", "--dbname=\(url)", "--file=\(folder.path("lock.sql"))"])
        try eventually("the lock is held") {
            try query.count(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'lock' AND wait_event = 'PgSleep'
                """) == 1
        }
    }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
    }

    /// Sessions that wait for it.
    func waiters() throws -> Int {
        try query.count(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    }

    func release() throws {
        try query.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'lock'
            """)
        try child.waitForExit(deadlineSeconds: 10)
    }
}
