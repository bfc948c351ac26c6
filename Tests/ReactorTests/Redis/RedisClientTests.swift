import TestSupport
import Testing

@testable import Reactor

/// The client against a real Redis that all tests share.
@Suite struct RedisClientTests {
    private static func endpoint() throws -> RedisEndpoint {
        try #require(RedisEndpoint(url: try Services.shared.takeRedisDatabase()))
    }

    @Test func `replies come to their flights in the order of the commands`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint)
            let log = FlightLog()
            for tag in 0..<100 {
                let isSubmitted = client.submit(owner: log, tag: UInt64(tag), replies: 2) { buffer in
                    buffer.command("SET", "k\(tag)", "v\(tag)")
                    buffer.command("GET", "k\(tag)")
                }
                #expect(isSubmitted)
            }
            #expect(log.entries.isEmpty, "nothing is told from inside submit")
            try await reactor.until("all replied") { log.entries.count == 200 }
            for tag in 0..<100 {
                let tagged = UInt64(tag)
                #expect(log.entries[2 * tag] == .reply(tag: tagged, index: 0, .status("OK")))
                #expect(log.entries[2 * tag + 1] == .reply(tag: tagged, index: 1, .string(Array("v\(tag)".utf8))))
            }
            #expect(client.flightCount == 0)
            client.close()
        }
    }

    @Test func `an error reply is the flight's and disturbs no other`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint)
            let values = try await client.pipeline([["SET", "s", "x"], ["INCR", "s"], ["GET", "s"]])
            #expect(values[0] == .status("OK"))
            #expect(values[1] == .error("ERR value is not an integer or out of range"))
            #expect(values[2].text == "x")
            await #expect(throws: RedisFailure.refused("ERR value is not an integer or out of range")) {
                try await client.command("INCR", "s")
            }
            #expect(try await client.ping() > .zero)
            client.close()
        }
    }

    @Test func `the database of the endpoint is selected and the connection is named`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint)
            let info = try await client.command(
                "CLIENT", "LIST", "ID", .integer(client.command("CLIENT", "ID").number!))
            let text = try #require(info.text)
            #expect(text.contains("name=taxlien-gateway"))
            #expect(text.contains(" db=\(endpoint.database) "))
            client.close()
        }
    }

    @Test func `a unix socket and a host name lead to the same server`() async throws {
        let path = Services.shared.redisSocketPath
        let port = UInt16(Services.shared.redisPort)
        try await onReactor { reactor in
            let local = try await reactor.connected(RedisEndpoint(.unix(path: path), database: 255))
            _ = try await local.command("SET", "across", "yes")
            let named = try await reactor.connected(RedisEndpoint(.tcp(host: "localhost", port: port), database: 255))
            #expect(try await named.command("GET", "across").text == "yes")
            local.close()
            named.close()
        }
    }

    @Test func `a value of many megabytes goes there and back`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            // A busy machine may take longer than the default to move them.
            var limits = RedisLimits()
            limits.commandTimeout = .seconds(120)
            let client = try await reactor.connected(endpoint, limits: limits)
            let large = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            _ = try await client.command("SET", "large", .bytes(large))
            #expect(try await client.command("GET", "large") == .string(large))
            client.close()
        }
    }

    @Test func `over the bound of flights a command is refused at once`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.flightsMax = 3
            let client = try await reactor.connected(endpoint, limits: limits)
            let log = FlightLog()
            for tag in 0..<3 {
                #expect(client.submit(owner: log, tag: UInt64(tag)) { $0.command("PING") })
            }
            #expect(!client.submit(owner: log, tag: 3) { $0.command("PING") })
            #expect(client.isFull)
            try await reactor.until("three replied") { log.entries.count == 3 }
            #expect(client.submit(owner: log, tag: 4) { $0.command("PING") })
            try await reactor.until("four replied") { log.entries.count == 4 }
            client.close()
        }
    }

    @Test func `tasks wait for room, and beyond the bound of their line are refused`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.flightsMax = 1
            limits.callersMax = 2
            let client = try await reactor.connected(endpoint, limits: limits)
            // Its reply takes two seconds, so that nobody gets room before all stand in line.
            #expect(client.submit(owner: FlightLog(), tag: 0) { $0.command("BLPOP", "nothing", "2") })
            let waiting = ["first", "second"].map { text in
                Task(executorPreference: reactor.executor) {
                    try await client.command("ECHO", .string(text)).text
                }
            }
            // Queued behind the two, so that they stand in line by now.
            let third = Task(executorPreference: reactor.executor) { try await client.command("PING").text }
            await #expect(throws: RedisFailure.overloaded) { try await third.value }
            #expect(try await waiting[0].value == "first")
            #expect(try await waiting[1].value == "second")
            client.close()
        }
    }

    @Test func `tasks that wait for room are told when the connection is gone`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.flightsMax = 1
            let client = try await reactor.connected(endpoint, limits: limits)
            #expect(client.submit(owner: FlightLog(), tag: 0) { $0.command("BLPOP", "nothing", "4") })
            let waiting = Task(executorPreference: reactor.executor) { try await client.command("PING").text }
            // Runs behind it.
            await Task(executorPreference: reactor.executor) { client.close() }.value
            await #expect(throws: RedisFailure.unavailable) { try await waiting.value }
        }
    }

    @Test func `over the bound of bytes a command is refused until replies come`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.pendingBytesMax = 1000
            let client = try await reactor.connected(endpoint, limits: limits)
            let log = FlightLog()
            let text = String(repeating: "x", count: 2000)
            #expect(client.submit(owner: log, tag: 0) { $0.command("ECHO", text) })
            #expect(!client.submit(owner: log, tag: 1) { $0.command("PING") })
            try await reactor.until("replied") { log.entries.count == 1 }
            #expect(client.submit(owner: log, tag: 2) { $0.command("PING") })
            client.close()
            #expect(log.entries.last == .failed(tag: 2, .unavailable))
        }
    }

    @Test func `a script that Redis forgot is loaded and the flight runs again, each reply told once`() async throws {
        let endpoint = try Self.endpoint()
        // Sources of its own: the script cache belongs to the whole server.
        let first = RedisScript("return {ARGV[1], 'first \(endpoint.database)'}")
        let second = RedisScript("return redis.call('SET', KEYS[1], 'second \(endpoint.database)')")
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint, scripts: [first, second])
            #expect(try await client.call(first, keys: [], arguments: ["a"]).elements?.first?.text == "a")
            _ = try await client.command("SCRIPT", "FLUSH")
            let log = FlightLog()
            for tag in 0..<2 {
                _ = client.submit(owner: log, tag: UInt64(tag), replies: 3, isScripted: true) { buffer in
                    buffer.command("SET", "plain", "\(tag)")
                    buffer.beginScript(second, keyCount: 1, argumentCount: 0)
                    buffer.argument("scripted" as StaticString)
                    buffer.command("GET", "scripted")
                }
            }
            try await reactor.until("both ran") { log.entries.count == 6 }
            let value = ValueUnderTest.string(Array("second \(endpoint.database)".utf8))
            for tag in [UInt64(0), 1] {
                let own = log.entries.filter { if case .reply(tag, _, _) = $0 { true } else { false } }
                #expect(
                    own == [
                        .reply(tag: tag, index: 0, .status("OK")), .reply(tag: tag, index: 1, .status("OK")),
                        .reply(tag: tag, index: 2, value),
                    ])
            }
            client.close()
        }
    }

    @Test func `a script that is not the client's is missing for good`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint, scripts: [RedisScript("return 1")])
            let stranger = RedisScript("return 'stranger \(endpoint.database)'")
            await #expect(throws: RedisFailure.refused("NOSCRIPT No matching script. Please use EVAL.")) {
                try await client.call(stranger, keys: [])
            }
            client.close()
        }
    }

    @Test func `the fleet's clock is Redis' clock`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint)
            let before = client.fleetMilliseconds(.read())
            let time = try #require(try await client.command("TIME").elements)
            let after = client.fleetMilliseconds(.read())
            let server = Int64(time[0].number!) * 1000 + Int64(time[1].number!) / 1000
            // Half a round trip is how wrong the clock may be; two milliseconds are the rounding's.
            let error = try #require(client.lastRoundTrip).nanoseconds / 2_000_000 + 2
            #expect(server >= before - error && server <= after + error)
            client.close()
        }
    }

    @Test func `the clock is set again and again, unseen by flights`() async throws {
        let endpoint = try Self.endpoint()
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.clockInterval = .milliseconds(2)
            let client = try await reactor.connected(endpoint, limits: limits)
            let first = client.lastRoundTrip
            try await reactor.until("another round trip") { client.lastRoundTrip != first }
            #expect(try await client.command("ECHO", "still in order").text == "still in order")
            client.close()
        }
    }

    @Test func `without a connection a command is refused at once`() async throws {
        let port = UInt16(try FreePort.next())
        try await onReactor { reactor in
            let client = try ClientUnderTest(
                reactor: reactor, endpoint: RedisEndpoint(.tcp(host: "127.0.0.1", port: port)))
            reactor.join(client)
            let log = FlightLog()
            #expect(!client.submit(owner: log, tag: 0) { $0.command("PING") })
            client.start()
            try await reactor.until("refused") { client.lastFailure == .unavailable }
            #expect(client.lastReason == "Connection refused")
            #expect(!client.submit(owner: log, tag: 0) { $0.command("PING") })
            await #expect(throws: RedisFailure.unavailable) { try await client.command("PING") }
            client.close()
            #expect(log.entries.isEmpty)
        }
    }
}
