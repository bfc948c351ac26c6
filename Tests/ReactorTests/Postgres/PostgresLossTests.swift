import TestSupport
import Testing

@testable import Reactor

/// The client while its session is ended, its PostgreSQL killed, or a statement hangs.
@Suite(.serialized) struct PostgresLossTests {
    private static func sleepStatements() -> (PostgresStatements, StatementID) {
        var statements = PostgresStatements()
        let sleep = statements.add("sleep", "SELECT 1::int4 FROM pg_sleep($1::float8)")
        return (statements, sleep)
    }

    private static func submitSleeps(
        _ client: PostgresClient, _ log: StatementLog, _ sleep: StatementID, _ count: UInt64
    ) {
        var parameters = PostgresParameters()
        parameters.float8(60)
        for tag in 1...count {
            let isSubmitted = client.submit(owner: log, tag: tag, statement: sleep, parameters: parameters)
            #expect(isSubmitted)
        }
    }

    @Test func `when PostgreSQL is killed everything pending fails at once, and it comes back by itself`() async throws
    {
        let services = try PrivateServices([.postgres])
        let url = services.postgresURL
        try await onReactor { reactor in
            let (statements, sleep) = Self.sleepStatements()
            // The fixture's kill may take seconds on a busy machine: no timeout may come before it.
            var limits = PostgresLimits()
            limits.flightTimeout = .seconds(120)
            limits.pingInterval = .seconds(600)
            let client = try await reactor.connected(url, statements: statements, limits: limits)
            var changes: [Bool] = []
            client.connectionChanged = { changes.append($0) }
            let log = StatementLog()
            Self.submitSleeps(client, log, sleep, 3)
            try await offReactor { try services.kill(.postgres) }
            try await reactor.until("all failed") { log.entries.count == 3 }
            #expect(log.failures.allSatisfy { $0.kind == .unavailable })
            #expect(!log.failures.contains { $0.isDataFault })
            var parameters = PostgresParameters()
            parameters.float8(0)
            let isSubmitted = client.submit(owner: log, tag: 9, statement: sleep, parameters: parameters)
            #expect(!isSubmitted)
            await #expect(throws: PostgresFailure.unavailable) { try await client.query("SELECT 1") }
            try await offReactor { try services.start(.postgres) }
            try await reactor.until("back", deadline: .seconds(60)) { client.isConnected }
            #expect(changes.first == false && changes.last == true)
            let isPreparedAgain = client.submit(owner: log, tag: 10, statement: sleep, parameters: parameters)
            #expect(isPreparedAgain, "prepared again")
            try await reactor.until("ran") { log.entries.last == .rows(tag: 10, [1], affected: 1) }
            client.close()
        }
    }

    @Test func `a session that an administrator ends fails its flights, and is begun again`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            let (statements, sleep) = Self.sleepStatements()
            let client = try await reactor.connected(url, statements: statements)
            let admin = try await reactor.connected(url)
            let pid = try #require(try await client.query("SELECT pg_backend_pid()")[0].int(0))
            let log = StatementLog()
            Self.submitSleeps(client, log, sleep, 2)
            try await reactor.sleepingBackend(pid, admin)
            try await admin.query("SELECT pg_terminate_backend($1::int4)", [.integer(pid)])
            try await reactor.until("failed") { log.entries.count == 2 }
            #expect(
                log.entries == [
                    .failed(tag: 1, .unavailable, sqlState: "57P01"), .failed(tag: 2, .unavailable, sqlState: ""),
                ])
            try await reactor.until("back") { client.isConnected }
            // The same while idle: nobody asks, the loss is noticed all the same.
            let second = try #require(try await client.query("SELECT pg_backend_pid()")[0].int(0))
            try await admin.query("SELECT pg_terminate_backend($1::int4)", [.integer(second)])
            try await reactor.until("noticed") { client.lossCount == 2 }
            try await reactor.until("back again") { client.isConnected }
            client.close()
            admin.close()
        }
    }

    @Test func `a flight that takes too long is cancelled on the server, and only it timed out`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            let (statements, sleep) = Self.sleepStatements()
            var limits = PostgresLimits()
            limits.flightTimeout = .milliseconds(300)
            let client = try await reactor.connected(url, statements: statements, limits: limits)
            let admin = try await reactor.connected(url)
            let log = StatementLog()
            Self.submitSleeps(client, log, sleep, 2)
            try await reactor.until("failed") { log.entries.count == 2 }
            #expect(
                log.entries == [
                    .failed(tag: 1, .timedOut, sqlState: ""), .failed(tag: 2, .unavailable, sqlState: ""),
                ])
            let end = reactor.now + .seconds(10)
            var running = 1
            while running > 0, reactor.now < end {
                running =
                    try await admin.query(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%'
                          AND pid <> pg_backend_pid()
                        """)[0].int(0) ?? 1
            }
            #expect(running == 0, "the server goes on sleeping")
            try await reactor.until("back") { client.isConnected }
            client.close()
            admin.close()
        }
    }

    @Test func `statements that PostgreSQL refuses keep the client waiting until they fit`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            var statements = PostgresStatements()
            _ = statements.add("fine", "SELECT 1")
            let late = statements.add("late", "SELECT a FROM late")
            let client = PostgresClient(reactor: reactor, target: try PostgresTarget(url), statements: statements)
            client.start()
            try await reactor.until("refused") { client.lastFailure != nil }
            #expect(client.lastFailure?.sqlState == "42P01")
            #expect(client.lastFailure?.message.hasSuffix("(preparing late)") == true)
            #expect(!client.isConnected)
            try PostgresMigrationConnection(PostgresTarget(url)).execute(
                "CREATE TABLE late (a int4); INSERT INTO late VALUES (3)")
            try await reactor.until("ready") { client.isConnected }
            let log = StatementLog()
            let isSubmitted = client.submit(owner: log, tag: 1, statement: late, parameters: PostgresParameters())
            #expect(isSubmitted)
            try await reactor.until("told") { log.entries == [.rows(tag: 1, [3], affected: 1)] }
            client.close()
        }
    }

    @Test func `a session whose statements are gone is begun again`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            let (statements, sleep) = Self.sleepStatements()
            let client = try await reactor.connected(url, statements: statements)
            try await client.query("DEALLOCATE ALL")
            let log = StatementLog()
            var parameters = PostgresParameters()
            parameters.float8(0)
            _ = client.submit(owner: log, tag: 1, statement: sleep, parameters: parameters)
            try await reactor.until("told") { log.entries == [.failed(tag: 1, .refused, sqlState: "26000")] }
            try await reactor.until("back") { client.isConnected }
            _ = client.submit(owner: log, tag: 2, statement: sleep, parameters: parameters)
            try await reactor.until("ran") { log.entries.last == .rows(tag: 2, [1], affected: 1) }
            client.close()
        }
    }

    @Test func `a server that is not there is tried again, and says why`() async throws {
        let port = try FreePort.next()
        try await onReactor { reactor in
            let client = PostgresClient(
                reactor: reactor, target: try PostgresTarget("postgres://127.0.0.1:\(port)/x"))
            client.start()
            try await reactor.until("refused") { client.lastFailure?.message.contains("refused") == true }
            #expect(client.lossCount == 0)
            client.close()
        }
    }

    @Test func `a server that accepts and says nothing, or nonsense, harms nobody`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            let client = PostgresClient(
                reactor: reactor,
                target: try PostgresTarget("postgres://127.0.0.1:\(server.port)/x?sslmode=disable"))
            client.start()
            try await reactor.until("tried") { server.acceptCount == 1 }
            server.send("nonsense that is no message of the protocol at all\n")
            try await reactor.until("refused") { client.lastFailure != nil }
            #expect(client.lastFailure?.kind == .unavailable)
            client.close()
            server.close()
        }
    }
}

extension Reactor {
    /// Waits until a session is really sleeping in the server.
    fileprivate func sleepingBackend(_ pid: Int, _ admin: PostgresClient) async throws {
        let end = now + .seconds(10)
        while now < end {
            let rows = try await admin.query(
                "SELECT wait_event FROM pg_stat_activity WHERE pid = $1::int4", [.integer(pid)])
            if rows.first?[0] == "PgSleep" { return }
        }
        throw NeverCameTrue(description: "never came true: the session sleeps")
    }
}
