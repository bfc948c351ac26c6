import TestSupport
import Testing

@testable import Reactor

/// The client against a real PostgreSQL that all tests share.
@Suite struct PostgresClientTests {
    private static func insert(_ id: Int32, _ text: String, into parameters: inout PostgresParameters) {
        parameters.clear()
        parameters.int4(id)
        parameters.text(text)
    }

    /// Makes a table and the statement that fills it.
    private static func itemStatements() -> (PostgresStatements, StatementID) {
        var statements = PostgresStatements()
        let insert = statements.add(
            "insert_item", "INSERT INTO item (id, name) VALUES ($1::int4, $2::text) RETURNING id")
        return (statements, insert)
    }

    private static func itemDatabase() throws -> String {
        let url = try Services.shared.createDatabase()
        let migration = try PostgresMigrationConnection(PostgresTarget(url))
        try migration.execute(
            "CREATE TABLE item (id int4 PRIMARY KEY, name text NOT NULL, CONSTRAINT short CHECK (length(name) < 10))")
        return url
    }

    @Test func `flights in a pipeline come back in order, each committed by itself`() async throws {
        let url = try Self.itemDatabase()
        try await onReactor { reactor in
            let (statements, insert) = Self.itemStatements()
            let client = try await reactor.connected(url, statements: statements)
            let log = StatementLog()
            var parameters = PostgresParameters()
            for id in Int32(0)..<100 {
                Self.insert(id, "n\(id)", into: &parameters)
                let isSubmitted = client.submit(owner: log, tag: UInt64(id), statement: insert, parameters: parameters)
                #expect(isSubmitted)
            }
            #expect(log.entries.isEmpty, "nothing is told from inside submit")
            try await reactor.until("all told") { log.entries.count == 100 }
            #expect(log.entries == (0..<100).map { .rows(tag: UInt64($0), [Int32($0)], affected: 1) })
            #expect(client.flightCount == 0)
            #expect(try await client.query("SELECT count(*) FROM item")[0].int(0) == 100)
            client.close()
        }
    }

    @Test func `a flight with bad data fails alone, and says what was wrong`() async throws {
        let url = try Self.itemDatabase()
        try await onReactor { reactor in
            let (statements, insert) = Self.itemStatements()
            let client = try await reactor.connected(url, statements: statements)
            let log = StatementLog()
            var parameters = PostgresParameters()
            for (tag, id, name) in [(1, 1, "good"), (2, 1, "twice"), (3, 3, "far too long a name"), (4, 4, "good")] {
                Self.insert(Int32(id), name, into: &parameters)
                _ = client.submit(owner: log, tag: UInt64(tag), statement: insert, parameters: parameters)
            }
            parameters.clear()
            parameters.int4(5)
            parameters.text([UInt8]([0xff, 0xfe]).span.bytes)
            _ = client.submit(owner: log, tag: 5, statement: insert, parameters: parameters)
            try await reactor.until("all told") { log.entries.count == 5 }
            #expect(
                log.entries == [
                    .rows(tag: 1, [1], affected: 1), .failed(tag: 2, .refused, sqlState: "23505"),
                    .failed(tag: 3, .refused, sqlState: "23514"), .rows(tag: 4, [4], affected: 1),
                    .failed(tag: 5, .refused, sqlState: "22021"),
                ])
            #expect(log.failures.allSatisfy { $0.isDataFault })
            #expect(log.failures[0].constraint == "item_pkey")
            #expect(log.failures[1].constraint == "short")
            #expect(log.failures[1].table == "item")
            #expect(client.isConnected)
            client.close()
        }
    }

    @Test func `a batch that one element spoils is undone as a whole`() async throws {
        let url = try Self.itemDatabase()
        try await onReactor { reactor in
            var statements = PostgresStatements()
            let batch = statements.add(
                "insert_batch",
                "INSERT INTO item (id, name) SELECT * FROM unnest($1::int4[], $2::text[]) RETURNING id")
            let client = try await reactor.connected(url, statements: statements)
            let log = StatementLog()
            var parameters = PostgresParameters()
            for (tag, last) in [(UInt64(1), "far too long a name"), (2, "fine")] {
                parameters.clear()
                parameters.beginArray(of: .int4)
                for id in Int32(0)..<64 { parameters.element(id) }
                parameters.endArray()
                parameters.beginArray(of: .text)
                for _ in 0..<63 { parameters.element("ok") }
                parameters.element(last)
                parameters.endArray()
                let isSubmitted = client.submit(owner: log, tag: tag, statement: batch, parameters: parameters)
                #expect(isSubmitted)
            }
            try await reactor.until("both told") { log.entries.count == 2 }
            #expect(log.entries[0] == .failed(tag: 1, .refused, sqlState: "23514"))
            #expect(log.entries[1] == .rows(tag: 2, Array(0..<64), affected: 64))
            client.close()
        }
    }

    @Test func `a commit that fails is a failure, though the statement had a result`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            let migration = try PostgresMigrationConnection(PostgresTarget(url))
            try migration.execute(
                """
                CREATE TABLE parent (id int4 PRIMARY KEY);
                CREATE TABLE child (parent int4 REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                """)
            var statements = PostgresStatements()
            let insert = statements.add("child", "INSERT INTO child VALUES ($1::int4) RETURNING parent")
            let client = try await reactor.connected(url, statements: statements)
            let log = StatementLog()
            var parameters = PostgresParameters()
            parameters.int4(7)
            _ = client.submit(owner: log, tag: 1, statement: insert, parameters: parameters)
            try await reactor.until("told") { log.entries.count == 1 }
            #expect(log.entries == [.failed(tag: 1, .refused, sqlState: "23503")])
            #expect(try await client.query("SELECT count(*) FROM child")[0].int(0) == 0)
            client.close()
        }
    }

    @Test func `over a bound a statement is refused at once`() async throws {
        let url = try Self.itemDatabase()
        try await onReactor { reactor in
            let (statements, insert) = Self.itemStatements()
            var limits = PostgresLimits()
            limits.flightsMax = 2
            let client = try await reactor.connected(url, statements: statements, limits: limits)
            let log = StatementLog()
            var parameters = PostgresParameters()
            for id in Int32(1)...3 {
                Self.insert(id, "x", into: &parameters)
                let isSubmitted = client.submit(owner: log, tag: 0, statement: insert, parameters: parameters)
                #expect(isSubmitted == (id <= 2))
            }
            await #expect(throws: PostgresFailure.overloaded) { try await client.query("SELECT 1") }
            try await reactor.until("two told") { log.entries.count == 2 }
            client.close()
            limits.pendingBytesMax = 1
            limits.flightsMax = 10
            let narrow = try await reactor.connected(url, statements: statements, limits: limits)
            Self.insert(5, "y", into: &parameters)
            let isFirstSubmitted = narrow.submit(owner: log, tag: 0, statement: insert, parameters: parameters)
            let isSecondSubmitted = narrow.submit(owner: log, tag: 0, statement: insert, parameters: parameters)
            #expect(isFirstSubmitted && !isSecondSubmitted)
            narrow.close()
            #expect(log.entries.last == .failed(tag: 0, .unavailable, sqlState: ""))
        }
    }

    @Test func `values of many megabytes go there and back`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            var statements = PostgresStatements()
            let echo = statements.add("echo", "SELECT length($1::text), $1::text")
            // A busy machine may take longer than the default to move them.
            var limits = PostgresLimits()
            limits.flightTimeout = .seconds(120)
            let client = try await reactor.connected(url, statements: statements, limits: limits)
            let text = String(repeating: "0123456789abcdef", count: 1_000_000)
            var received = 0
            let probe = RowsProbe { rows in
                received += rows.int32(0, 0) == 16_000_000 && rows.bytes(0, 1).string == text ? 1 : 0
            }
            var parameters = PostgresParameters()
            parameters.text(text)
            for _ in 0..<3 {
                let isSubmitted = client.submit(owner: probe, tag: 0, statement: echo, parameters: parameters)
                #expect(isSubmitted)
            }
            try await reactor.until("thrice", deadline: .seconds(120)) { received == 3 || probe.failure != nil }
            #expect(probe.failure == nil)
            client.close()
        }
    }

    @Test func `queries take values of every kind and give rows as text`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            let client = try await reactor.connected(url)
            let rows = try await client.query(
                "SELECT $1::text, $2::int8 + 1, $3::bool, $4::text, octet_length($5::bytea), $6::float8 UNION ALL SELECT '', 0, false, 'b', 0, 0",
                ["it's", 41, .bool(true), .null, .bytes([0, 1, 2]), .real(0.5)])
            #expect(rows.count == 2)
            #expect(rows[0].cells == ["it's", "42", "t", nil, "3", "0.5"])
            #expect(rows[0].int(1) == 42)
            #expect(rows[0].bool(2) == true)
            #expect(rows[1][0]?.isEmpty == true)
            await #expect(throws: PostgresFailure.zeroByte) { try await client.query("SELECT $1::text", ["a\0b"]) }
            do throws(PostgresFailure) {
                try await client.query("SELECT nonsense")
                Issue.record("nonsense was accepted")
            } catch {
                #expect(error.sqlState == "42703")
                #expect(error.kind == .refused)
                #expect(!error.isDataFault)
            }
            #expect(try await client.ping() > .zero)
            client.close()
        }
    }

    @Test func `an idle session is asked for a sign of life`() async throws {
        let url = try Services.shared.createDatabase()
        try await onReactor { reactor in
            var limits = PostgresLimits()
            limits.pingInterval = .milliseconds(2)
            let client = try await reactor.connected(url, limits: limits)
            try await reactor.until("asked") { client.lastRoundTrip != nil }
            #expect(try await client.query("SELECT 5")[0].int(0) == 5)
            client.close()
        }
    }

    @Test func `a target that libpq does not understand is refused when it is made`() {
        #expect(throws: PostgresFailure.self) { try PostgresTarget("postgres://h?nonsense=1") }
        #expect(throws: PostgresFailure.self) { try PostgresTarget("host") }
    }

    @Test func `only host names are resolved, and addresses and sockets are kept`() throws {
        let several = try PostgresTarget("postgres://a.example,10.0.0.1,b.example/db")
        #expect(several.namesToResolve == ["a.example", "b.example"])
        #expect(several.hostAddresses(resolved: ["1.2.3.4", "::1"]) == "1.2.3.4,10.0.0.1,::1")
        #expect(several.hostAddresses(resolved: ["1.2.3.4", nil]) == nil)
        #expect(try PostgresTarget("host=/run/postgresql").namesToResolve.isEmpty)
        #expect(try PostgresTarget("host=a.example hostaddr=10.0.0.1").namesToResolve.isEmpty)
        #expect(try PostgresTarget("postgres:///db").namesToResolve.isEmpty)
    }

    @Test func `a host name is resolved away from the reactor`() async throws {
        let port = Services.shared.postgresPort
        try await onReactor { reactor in
            let client = try await reactor.connected("postgres://taxlien@localhost:\(port)/taxlien")
            #expect(try await client.query("SHOW application_name")[0][0] == "taxlien-gateway")
            client.close()
        }
    }
}

@Suite struct PostgresMigrationConnectionTests {
    @Test func `a script of several statements is all done or not at all`() throws {
        let migration = try PostgresMigrationConnection(PostgresTarget(try Services.shared.createDatabase()))
        try migration.execute("CREATE TABLE one (a int); CREATE TABLE two (a int)")
        #expect(throws: PostgresFailure.self) { try migration.execute("CREATE TABLE three (a int); SELECT nonsense") }
        let tables = try migration.query("SELECT count(*) FROM pg_tables WHERE tablename IN ('one', 'two', 'three')")
        #expect(tables[0].int(0) == 2)
    }

    @Test func `a transaction that fails is undone and the session goes on`() throws {
        let migration = try PostgresMigrationConnection(PostgresTarget(try Services.shared.createDatabase()))
        do throws(PostgresFailure) {
            try migration.transaction { inside throws(PostgresFailure) in
                try inside.execute("CREATE TABLE one (a int)")
                try inside.query("SELECT $1::int", ["x"])
            }
            Issue.record("the transaction was accepted")
        } catch { #expect(error.sqlState == "22P02") }
        #expect(try migration.query("SELECT to_regclass('one')")[0][0] == nil)
        try migration.transaction { inside throws(PostgresFailure) in try inside.execute("CREATE TABLE one (a int)") }
        #expect(try migration.query("SELECT to_regclass('one')")[0][0] == "one")
    }

    @Test func `an advisory lock is held by one session at a time`() throws {
        let url = try Services.shared.createDatabase()
        let first = try PostgresMigrationConnection(PostgresTarget(url))
        let second = try PostgresMigrationConnection(PostgresTarget(url))
        try first.lock(42)
        #expect(try second.query("SELECT pg_try_advisory_lock(42)")[0].bool(0) == false)
        try first.unlock(42)
        #expect(try second.query("SELECT pg_try_advisory_lock(42)")[0].bool(0) == true)
    }

    @Test func `a server that is not there is told`() throws {
        let port = try FreePort.next()
        do throws(PostgresFailure) {
            _ = try PostgresMigrationConnection(PostgresTarget("postgres://127.0.0.1:\(port)/x"))
            Issue.record("connected to nothing")
        } catch {
            #expect(error.kind == .unavailable)
            #expect(error.message.contains("refused"))
        }
    }
}
