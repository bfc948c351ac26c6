// The Redis client over TLS, against Debian's redis-server with a tls-port.

import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSRedisTests {
    private func endpoint(_ redis: TLSRedis, _ authority: String, host: String = "127.0.0.1") throws -> RedisEndpoint {
        var endpoint = RedisEndpoint(.tcp(host: host, port: UInt16(redis.port)), usesTLS: true)
        endpoint.tls = CurrentTLSContext(try TLSContext(authorities: .file(authority)))
        return endpoint
    }

    @Test func `commands, large values and messages pass over TLS`() async throws {
        let redis = try TLSRedis()
        let authority = try TestCertificates.shared.authority.certificate
        for host in ["127.0.0.1", "localhost"] {
            let endpoint = try endpoint(redis, authority, host: host)
            try await onReactor { reactor in
                let client = try await reactor.connected(endpoint)
                let value = [UInt8](repeating: 0x61, count: 3 << 20)
                #expect(try await client.command("SET", "k", .bytes(value)) == .status("OK"))
                #expect(try await client.command("GET", "k") == .string(value))
                let listener = Listening()
                let subscriber = try RedisSubscriber(reactor: reactor, endpoint: endpoint, owner: listener)
                subscriber.subscribe("c")
                subscriber.start()
                try await reactor.until("it listens") { subscriber.isSubscribed }
                #expect(try await client.command("PUBLISH", "c", "hello") == .integer(1))
                try await reactor.until("it hears") { listener.heard == ["hello"] }
                subscriber.close()
                client.close()
            }
        }
    }

    @Test func `a Redis that cannot be trusted is not spoken to, and the reason says why`() async throws {
        let redis = try TLSRedis()
        let endpoint = try endpoint(redis, TestCertificates.shared.stranger.certificate)
        try await onReactor { reactor in
            let client = try ClientUnderTest(reactor: reactor, endpoint: endpoint)
            client.start()
            try await reactor.until("it failed") { client.lastReason != nil }
            #expect(client.lastReason == "self-signed certificate in certificate chain")
            #expect(!client.isConnected)
            client.close()
        }
    }
}

private final class Listening: RedisSubscriberOwner {
    var heard: [String] = []
    func subscribed() {}
    func published(_ payload: RawSpan, channel: RawSpan) { heard.append(payload.string) }
    func subscriptionLost(_ failure: RedisFailure) {}
}
