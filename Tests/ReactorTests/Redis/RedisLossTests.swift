import TestSupport
import Testing

@testable import Reactor

/// The client while its Redis is killed, hangs, or refuses.
@Suite(.serialized) struct RedisLossTests {
    @Test func `when Redis is killed everything pending fails at once, and it comes back by itself`() async throws {
        let services = try PrivateServices([.redis])
        let endpoint = try #require(RedisEndpoint(url: services.redisURL))
        let script = RedisScript("return 'alive'")
        try await onReactor { reactor in
            // The fixture's kill may take seconds on a busy machine: no timeout may come before it.
            var limits = RedisLimits()
            limits.commandTimeout = .seconds(120)
            limits.clockInterval = .seconds(600)
            let client = try await reactor.connected(endpoint, scripts: [script], limits: limits)
            var changes: [Bool] = []
            client.connectionChanged = { changes.append($0) }
            let log = FlightLog()
            services.pause(.redis)
            for tag in 0..<50 {
                #expect(client.submit(owner: log, tag: UInt64(tag), isScripted: tag % 2 == 0) { $0.command("PING") })
            }
            client.flush()
            try await offReactor { try services.kill(.redis) }
            try await reactor.until("all failed") { log.entries.count == 50 }
            #expect(log.entries == (0..<50).map { .failed(tag: UInt64($0), .unavailable) })
            #expect(!client.submit(owner: log, tag: 50) { $0.command("PING") })
            #expect(client.lossCount == 1)
            try await offReactor { try services.start(.redis) }
            try await reactor.until("back") { client.isConnected }
            #expect(changes.first == false && changes.last == true)
            #expect(try await client.call(script, keys: []).text == "alive", "scripts are loaded again")
            client.close()
        }
    }

    @Test func `a command that takes too long costs the connection, and only its own flight timed out`() async throws {
        let services = try PrivateServices([.redis])
        let endpoint = try #require(RedisEndpoint(url: services.redisURL))
        try await onReactor { reactor in
            var limits = RedisLimits()
            limits.commandTimeout = .seconds(1)
            let client = try await reactor.connected(endpoint, limits: limits)
            let log = FlightLog()
            _ = client.submit(owner: log, tag: 1) { $0.command("DEBUG", "SLEEP", "3") }
            _ = client.submit(owner: log, tag: 2) { $0.command("PING") }
            try await reactor.until("both failed") { log.entries.count == 2 }
            #expect(log.entries == [.failed(tag: 1, .timedOut), .failed(tag: 2, .unavailable)])
            try await reactor.until("back") { client.isConnected }
            #expect(try await client.command("PING").text == "PONG")
            client.close()
        }
    }

    @Test func `user and password are given, and a wrong one is told`() async throws {
        let services = try PrivateServices([.redis])
        var endpoint = try #require(RedisEndpoint(url: services.redisURL))
        try await onReactor { [endpoint] reactor in
            let admin = try await reactor.connected(endpoint)
            _ = try await admin.command(
                "ACL", "SETUSER", "gate", "on", ">secret", "~*", "&*", "+@all", "-client", "-role")
            _ = try await admin.command("CONFIG", "SET", "requirepass", "default")
            admin.close()
        }
        endpoint.user = "gate"
        endpoint.password = "secret"
        try await onReactor { [endpoint] reactor in
            // Neither CLIENT nor ROLE is allowed to this user: both are optional.
            let client = try await reactor.connected(endpoint)
            #expect(try await client.command("ACL", "WHOAMI").text == "gate")
            client.close()
            let byPassword = RedisEndpoint(endpoint.address, password: "default")
            let plain = try await reactor.connected(byPassword)
            #expect(try await plain.command("ACL", "WHOAMI").text == "default")
            plain.close()
            var wrong = endpoint
            wrong.password = "wrong"
            let refused = try ClientUnderTest(reactor: reactor, endpoint: wrong)
            refused.start()
            try await reactor.until("refused") { refused.lastFailure != nil }
            guard case .refused(let text) = refused.lastFailure else { throw NeverCameTrue(description: "a refusal") }
            #expect(text.hasPrefix("WRONGPASS"))
            #expect(!refused.isConnected)
            refused.close()
        }
    }

    @Test func `a server that turned replica is left until it is master again`() async throws {
        let services = try PrivateServices([.redis])
        let endpoint = try #require(RedisEndpoint(url: services.redisURL))
        let deadPort = try FreePort.next()
        try await onReactor { reactor in
            let client = try await reactor.connected(endpoint)
            _ = try await client.command("REPLICAOF", "127.0.0.1", .string("\(deadPort)"))
            await #expect(throws: RedisFailure.self) { try await client.command("SET", "a", "b") }
            try await reactor.until("left") { client.lastFailure == .refused("READONLY it is a replica") }
            #expect(!client.isConnected)
            try await offReactor {
                _ = try TestSupport.RedisClient(url: services.redisURL).command("REPLICAOF", "NO", "ONE")
            }
            try await reactor.until("back") { client.isConnected }
            #expect(try await client.command("SET", "a", "b").text == "OK")
            client.close()
        }
    }

    @Test func `a subscriber hears what is published, and subscribes again after a loss`() async throws {
        let services = try PrivateServices([.redis])
        let endpoint = try #require(RedisEndpoint(url: services.redisURL))
        try await onReactor { reactor in
            let ear = Ear()
            let subscriber = try RedisSubscriber(reactor: reactor, endpoint: endpoint, owner: ear)
            #expect(subscriber.subscribe("wake"))
            #expect(subscriber.subscribe("wake"), "twice is once")
            subscriber.start()
            try await reactor.until("subscribed") { ear.subscriptions == 1 }
            let client = try await reactor.connected(endpoint)
            #expect(try await client.command("PUBLISH", "wake", "one").number == 1)
            try await reactor.until("heard") { ear.heard == ["wake one"] }
            #expect(subscriber.subscribe("later"))
            try await reactor.until("subscribed later") { subscriber.isSubscribed }
            try await offReactor { try services.kill(.redis) }
            try await reactor.until("lost") { ear.losses == 1 }
            #expect(!subscriber.isSubscribed)
            try await offReactor { try services.start(.redis) }
            try await reactor.until("again") { subscriber.isSubscribed && client.isConnected }
            #expect(try await client.command("PUBLISH", "later", "two").number == 1)
            try await reactor.until("heard again") { ear.heard == ["wake one", "later two"] }
            subscriber.close()
            client.close()
        }
    }
}

private final class Ear: RedisSubscriberOwner {
    var subscriptions = 0
    var losses = 0
    var heard: [String] = []
    func subscribed() { subscriptions += 1 }
    func published(_ payload: RawSpan, channel: RawSpan) { heard.append("\(channel.string) \(payload.string)") }
    func subscriptionLost(_ failure: RedisFailure) { losses += 1 }
}
