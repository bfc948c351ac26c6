// Quotas over real sockets and a real Redis, two gateways sharing it: api.md section 3, "Quotas".

import Foundation
import TestSupport
import Testing

@Suite struct QuotaTests {
    /// Rates out of the way.
    private static func tiers(_ quotas: String) -> String {
        """
        tiers:
          anonymous: {rate_per_minute: 0, quotas: {\(quotas)}}
          free: {rate_per_minute: 0, quotas: {\(quotas)}}
          premium: {rate_per_minute: 600, burst: 100}
        """
    }

    @Test func `a free user is blocked after N requests`() async throws {
        let fixture = try await CallerFixture(tiers: "tiers: {free: {rate_per_minute: 6000, burst: 1000}}")
        let token = try fixture.mint.token()
        for _ in 0..<20 { #expect(try fixture.get("/v1/properties/1", bearer: token).status == 200) }
        let refused = try fixture.get("/v1/properties/1", bearer: token)
        try expectProblem(refused, 403, "TIER_LIMIT_EXCEEDED", ProblemDetails(says: "20 of details a day"))
        #expect(refused.header("X-Upgrade-Required") == "true")
        #expect(refused.header("X-RateLimit-Remaining") != nil)
        let page = try MetricsPage(fixture.fixture.gateway)
        #expect(page.value("gateway_quota_hits_total", ["tier": "free"]) == 1)
        // Refusals do not count, other features and users do by themselves.
        let usage = try Used("details", fixture.get("/v1/usage", bearer: token))
        #expect(usage.used == 20 && usage.remaining == 0)
        #expect(try fixture.get("/v1/search/owner?q=x", bearer: token).status == 200)
        #expect(try fixture.get("/v1/properties/1", bearer: fixture.mint.token(["sub": "user-2"])).status == 200)
        // What a tier does not have at all.
        let none = try fixture.get("/v1/top-lists/yield", bearer: token)
        try expectProblem(none, 403, "TIER_LIMIT_EXCEEDED", ProblemDetails(says: "not part of the tier"))
        // A user is one, by whichever credential.
        let key = try fixture.makeKey("user-1")
        try expectProblem(try fixture.get("/v1/properties/1", apiKey: key), 403, "TIER_LIMIT_EXCEEDED")
    }

    @Test func `no concurrency over two gateways exceeds a quota by one`() async throws {
        let tiers = Self.tiers("details: {day: 37}")
        let one = try await CallerFixture(tiers: tiers)
        let other = try await CallerFixture(tiers: tiers, like: one)
        let headers = [("Authorization", "Bearer \(try one.mint.token())")]
        let tally = try Tally.of(
            ports: [one.fixture.gateway.port, other.fixture.gateway.port], connections: 16, each: 8, headers: headers)
        #expect(tally[200] == 37, "\(tally)")
        #expect(tally[403] == 91, "\(tally)")
        for fixture in [one, other] {
            #expect(try Used("details", fixture.get("/v1/usage", headers)).used == 37)
        }
    }

    @Test func `what was refused or failed is not charged, what the cache answered is`() async throws {
        let fixture = try await CallerFixture(tiers: Self.tiers("details: {day: 3}, predictions: {month: 2}"))
        let token = try fixture.mint.token()
        func used(_ feature: String) throws -> Int { try Used(feature, fixture.get("/v1/usage", bearer: token)).used }
        fixture.fixture.parser.handle { _ in .respond(500) }
        for number in 0..<4 { #expect(try fixture.get("/v1/properties/\(number)", bearer: token).status >= 502) }
        try eventually("all are given back") { try used("details") == 0 }
        fixture.fixture.parser.handle { _ in .respond(404) }
        try eventually("the circuit lets one through", deadlineSeconds: 60) {
            try fixture.get("/v1/properties/9", bearer: token).status == 404
        }
        try eventually("a 4xx is charged, and only that") { try used("details") == 1 }
        fixture.fixture.parser.handle { PublicFixture.echo($0) }
        #expect(try fixture.get("/v1/properties/1", bearer: token).header("X-Cache") == "MISS")
        #expect(try fixture.get("/v1/properties/1", bearer: token).header("X-Cache") == "HIT")
        #expect(try used("details") == 3)
        #expect(try fixture.get("/v1/properties/1", bearer: token).status == 403)
        #expect(try used("details") == 3)
    }

    @Test func `usage lists every feature with its limit, period and reset`() async throws {
        let fixture = try await CallerFixture()
        let response = try fixture.get("/v1/usage", bearer: fixture.mint.token(["tier": "starter"]))
        #expect(response.status == 200)
        #expect(response.header("Content-Type") == "application/json")
        let body = try response.jsonObject()
        #expect(body["user_id"] as? String == "user-1")
        #expect(body["tier"] as? String == "starter")
        let features = try #require(body["usage"] as? [String: Any])
        #expect(
            Set(features.keys) == [
                "search", "details", "predictions", "top_lists", "bulk_export", "on_demand_scrape",
            ])
        let search = try Used("search", response)
        #expect(search.limit == -1 && search.remaining == -1 && search.used == 0)
        let predictions = try Used("predictions", response)
        #expect(predictions.limit == 10 && predictions.remaining == 10 && predictions.period == "month")
        let reset = try #require(ISO8601DateFormatter().date(from: predictions.resetsAt))
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        #expect(
            calendar.dateComponents([.day, .hour, .minute, .second], from: reset)
                == DateComponents(day: 1, hour: 0, minute: 0, second: 0))
        #expect(reset.timeIntervalSinceNow > 0 && reset.timeIntervalSinceNow <= 31 * 86_400)
        #expect(try Used("details", response).period == "day")
        // Asking costs nothing.
        #expect(try Used("details", fixture.get("/v1/usage")).used == 0)
        try expectProblem(try fixture.get("/v1/usage", bearer: "x"), 401, "UNAUTHORIZED")
    }

    @Test func `what is unlimited is counted too, and goes on without Redis`() async throws {
        let services = try PrivateServices([.redis])
        let fixture = try await CallerFixture(tiers: Self.tiers("details: {day: 5}"), redisURL: services.redisURL)
        let token = try fixture.mint.token(["tier": "premium"])
        #expect(try fixture.get("/v1/properties/1", bearer: token).status == 200)
        #expect(try Used("details", fixture.get("/v1/usage", bearer: token)).used == 1)
        try services.stop(.redis)
        try eventually("Redis is gone") {
            try MetricsPage(fixture.fixture.gateway).value("gateway_redis_connected") == 0
        }
        #expect(try fixture.get("/v1/properties/1", bearer: token).status == 200)
        let finite = try fixture.get("/v1/properties/1")
        try expectProblem(finite, 503, "SERVICE_UNAVAILABLE")
    }

    @Test func `a request goes from its credential over the gateway and a service into the cache`() async throws {
        let fixture = try await CallerFixture()
        let token = try fixture.mint.token(["sub": "walker", "tier": "starter"])
        let first = try fixture.get("/v1/properties/77?x=1", bearer: token)
        #expect(first.status == 200)
        #expect(first.header("X-Cache") == "MISS")
        #expect(first.header("X-RateLimit-Limit") == "60")
        let sent = try fixture.fixture.lastRequest()
        #expect(sent.target == "/api/v1/properties/77?x=1")
        #expect(sent.header("X-User-ID") == "walker" && sent.header("X-User-Tier") == "starter")
        #expect(sent.header("X-Request-ID") == first.header("X-Request-ID"))
        let second = try fixture.get("/v1/properties/77?x=1", bearer: token)
        #expect(second.header("X-Cache") == "HIT")
        #expect(second.body == first.body)
        #expect(fixture.fixture.parser.requestCount == 1)
        #expect(try Used("details", fixture.get("/v1/usage", bearer: token)).used == 2)
        let page = try MetricsPage(fixture.fixture.gateway)
        let labels = ["route": "/v1/properties/{parcel_id}", "status": "200", "tier": "starter"]
        #expect(page.value("gateway_requests_total", labels) == 2)
    }

    @Test func `a bad tiers file stops the start, and check-config tells each line`() throws {
        let folder = try TemporaryFolder()
        try folder.write("tiers:\n  fre: {burst: 1}\n  free: {burst: 0}\n", to: "tiers.yaml")
        let path = folder.path("tiers.yaml")
        for command in ["check-config", "serve"] {
            let output = try GatewayProcess.run([command], environment: ["GATEWAY_TIERS_FILE": path])
            #expect(output.status == .exited(78))
            #expect(output.errors.contains("\(path) line 2: fre is none of anonymous, free"))
            #expect(output.errors.contains("\(path) line 3: free.burst: expected a whole number from 1"))
        }
    }
}
