// Rates of callers over real sockets and a real Redis, two gateways sharing it: api.md section 3, "Rates".

import Foundation
import TestSupport
import Testing

@Suite struct RateTests {
    /// Buckets that come back slowly, quotas out of the way.
    private static func tiers(perMinute: Int = 1, burst: Int) -> String {
        """
        tiers:
          anonymous: {rate_per_minute: \(perMinute), burst: \(burst), quotas: {details: {day: -1}, predictions: {month: -1}}}
          free: {rate_per_minute: \(perMinute), burst: \(burst), quotas: {details: {day: -1}}}
        """
    }

    @Test func `over the limit is 429, and every answer says where its caller stands`() async throws {
        let fixture = try await CallerFixture(tiers: Self.tiers(burst: 3))
        for left in [2, 1, 0] {
            let response = try fixture.get("/v1/properties/1")
            #expect(response.status == 200)
            #expect(response.header("X-RateLimit-Limit") == "1")
            #expect(response.header("X-RateLimit-Remaining") == "\(left)")
            let reset = Double(response.header("X-RateLimit-Reset") ?? "") ?? 0
            #expect(abs(reset - wallSeconds() - Double(60 * (3 - left))) < 5)
            #expect(response.header("RateLimit-Policy") == "\"tier\";q=3;w=180")
            let standing = try #require(response.header("RateLimit"))
            #expect(standing.hasPrefix("\"tier\";r=\(left);t="))
            let reset2 = Int(standing.split(separator: "=").last ?? "") ?? 0
            #expect(abs(reset2 - 60 * (3 - left)) < 5)
        }
        for _ in 0..<2 {
            let refused = try fixture.get("/v1/properties/1")
            try expectProblem(refused, 429, "RATE_LIMIT_EXCEEDED")
            #expect(refused.header("X-RateLimit-Remaining") == "0")
            let seconds = Int(refused.header("Retry-After") ?? "") ?? 0
            #expect((50...60).contains(seconds), "\(seconds)")
        }
        let page = try MetricsPage(fixture.fixture.gateway)
        #expect(page.value("gateway_rate_limit_hits_total", ["tier": "anonymous"]) == 2)
        #expect(page.value("gateway_requests_total", ["status": "429", "tier": "anonymous"]) == 2)
        // Others have buckets of their own.
        #expect(try fixture.get("/v1/properties/1", bearer: fixture.mint.token()).status == 200)
        #expect(page.value("gateway_rate_limit_hits_total", ["tier": "free"]) == 0)
    }

    @Test func `two gateways share a bucket, exactly`() async throws {
        let one = try await CallerFixture(tiers: Self.tiers(burst: 20))
        let other = try await CallerFixture(tiers: Self.tiers(burst: 20), like: one)
        let headers = [("Authorization", "Bearer \(try one.mint.token())")]
        let tally = try Tally.of(
            ports: [one.fixture.gateway.port, other.fixture.gateway.port], connections: 16, each: 10, headers: headers)
        #expect(tally[200] == 20, "\(tally)")
        #expect(tally[429] == 140, "\(tally)")
    }

    @Test func `a bucket fills again at its rate`() async throws {
        let fixture = try await CallerFixture(tiers: Self.tiers(perMinute: 120, burst: 1))
        let token = try fixture.mint.token()
        #expect(try fixture.get("/v1/properties/1", bearer: token).status == 200)
        try eventually("a token has come") { try fixture.get("/v1/properties/1", bearer: token).status == 200 }
        // Whoever never stops asking gets the rate, not nothing and not more.
        let start = wallSeconds()
        var passed = 0
        try eventually("six have passed", deadlineSeconds: 30) {
            if try fixture.get("/v1/properties/1", bearer: token).status == 200 { passed += 1 }
            return passed == 6
        }
        #expect(wallSeconds() - start >= 2.4)
    }

    @Test func `a flood is stopped before it reaches Redis`() async throws {
        let fixture = try await CallerFixture(["GATEWAY_REACTORS": "1"], tiers: Self.tiers(burst: 2))
        let redis = try RedisClient(url: fixture.fixture.redisURL)
        func calls() throws -> Int {
            guard case .bulk(let text) = try redis.command("INFO", "commandstats") else { return -1 }
            let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_evalsha:") } ?? ""
            let number = line.split(separator: ",").first?.split(separator: "=").last ?? ""
            return Int(number) ?? 0
        }
        let headers = [("Authorization", "Bearer \(try fixture.mint.token())")]
        let before = try calls()
        let tally = try Tally.of(
            ports: [fixture.fixture.gateway.port], connections: 4, each: 50, headers: headers)
        #expect(tally[429] == 198 && tally[200] == 2, "\(tally)")
        // Redis is shared with other tests: all but a few of 200 must be missing.
        #expect(try calls() - before < 150)
    }

    @Test func `without Redis each gateway limits by itself: at most gateways times burst pass`() async throws {
        let services = try PrivateServices([.redis])
        let one = try await CallerFixture(
            tiers: Self.tiers(burst: 10), redisURL: services.redisURL)
        let other = try await CallerFixture(tiers: Self.tiers(burst: 10), like: one)
        let ports = [one.fixture.gateway.port, other.fixture.gateway.port]
        let headers = [("Authorization", "Bearer \(try one.mint.token())")]
        try services.stop(.redis)
        for gateway in [one.fixture.gateway, other.fixture.gateway] {
            try eventually("Redis is gone") { try MetricsPage(gateway).value("gateway_redis_connected") == 0 }
        }
        let tally = try Tally.of(ports: ports, connections: 16, each: 8, headers: headers)
        #expect(tally[200] == 20, "\(tally)")
        #expect(tally[429] == 108, "\(tally)")
        let refused = try one.get("/v1/properties/1", headers)
        try expectProblem(refused, 429, "RATE_LIMIT_EXCEEDED")
        // A feature with a finite quota cannot be counted; the rate comes first.
        try expectProblem(try one.get("/v1/search/owner?q=x"), 503, "SERVICE_UNAVAILABLE")
        try expectProblem(try one.get("/v1/usage"), 503, "SERVICE_UNAVAILABLE")
        try services.start(.redis)
        for gateway in [one.fixture.gateway, other.fixture.gateway] {
            try eventually("Redis is back", deadlineSeconds: 30) {
                try MetricsPage(gateway).value("gateway_redis_connected") == 2
            }
        }
        #expect(try one.get("/v1/search/owner?q=x").status == 200)
    }

    @Test(arguments: [("deny", 503), ("allow", 200)])
    func `without Redis the setting decides`(policy: String, status: Int) async throws {
        let services = try PrivateServices([.redis])
        let fixture = try await CallerFixture(
            ["GATEWAY_RATE_LIMIT_ON_REDIS_LOSS": policy], tiers: Self.tiers(burst: 1), redisURL: services.redisURL)
        try services.stop(.redis)
        try eventually("Redis is gone") {
            try MetricsPage(fixture.fixture.gateway).value("gateway_redis_connected") == 0
        }
        for _ in 0..<4 { #expect(try fixture.get("/v1/properties/1").status == status) }
    }

    @Test func `behind a trusted proxy the client is who the proxy says`() async throws {
        let fixture = try await CallerFixture(
            ["GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"], tiers: Self.tiers(burst: 1))
        func status(_ ways: String...) throws -> Int {
            try fixture.get("/v1/properties/1", ways.map { ("X-Forwarded-For", $0) }).status
        }
        #expect(try status("203.0.113.1") == 200)
        #expect(try status("203.0.113.1") == 429)
        #expect(try status("203.0.113.2:4711, 10.1.2.3") == 200)
        #expect(try status("203.0.113.2", "10.1.2.3") == 429)
        // What the client wrote itself stands before its address, and is not read.
        #expect(try status("198.51.100.7, 203.0.113.2") == 429)
        #expect(try status("198.51.100.7", "203.0.113.2, 10.9.9.9") == 429)
        // One /64 is one client.
        #expect(try status("[2001:db8:1:2::1]:99") == 200)
        #expect(try status("2001:db8:1:2:ffff::9") == 429)
        #expect(try status("2001:db8:1:3::1") == 200)
    }

    @Test func `a proxy that is not trusted names nobody`() async throws {
        let fixture = try await CallerFixture(tiers: Self.tiers(burst: 1))
        #expect(try fixture.get("/v1/properties/1", [("X-Forwarded-For", "203.0.113.1")]).status == 200)
        #expect(try fixture.get("/v1/properties/1", [("X-Forwarded-For", "203.0.113.2")]).status == 429)
    }
}
