// The cache as clients see it, over real sockets and a real Redis: api.md section 3, "Cache".

import Foundation
import TestSupport
import Testing

@Suite struct CacheTests {
    private let opsHeaders = [("X-Ops-Token", GatewayProcess.opsToken)]

    @Test func `the second request hits the cache and says so`() throws {
        let fixture = try PublicFixture()
        let first = try fixture.get("/v1/properties/1")
        #expect(first.status == 200)
        #expect(first.header("X-Cache") == "MISS")
        let second = try fixture.get("/v1/properties/1")
        #expect(second.header("X-Cache") == "HIT")
        #expect(second.body == first.body)
        #expect(second.header("Content-Type") == "application/json")
        #expect(second.header("Cache-Control") == "private, max-age=3600")
        #expect(Int(second.header("Age") ?? "") != nil)
        #expect(second.header("ETag") != nil && second.header("ETag") == first.header("ETag"))
        #expect(fixture.parser.requestCount == 1)
        let page = try MetricsPage(fixture.gateway)
        let route = ["route": "/v1/properties/{parcel_id}"]
        #expect(page.value("gateway_cache_hits_total", route) == 1)
        #expect(page.value("gateway_cache_misses_total", route) == 1)
        #expect(page.value("gateway_upstream_requests_total", ["service": "parser", "status": "200"]) == 1)
        #expect(page.value("gateway_upstream_duration_seconds_count", ["service": "parser"]) == 1)
    }

    @Test func `two gateways share one cache`() throws {
        let parser = try TestUpstream { PublicFixture.echo($0) }
        let one = try PublicFixture(parser: parser)
        let other = try PublicFixture(parser: parser, redisURL: one.redisURL)
        #expect(try one.get("/v1/properties/1").header("X-Cache") == "MISS")
        #expect(try other.get("/v1/properties/1").header("X-Cache") == "HIT")
        #expect(parser.requestCount == 1)
    }

    @Test func `concurrent misses make one upstream request, across gateways too`() throws {
        let gate = TestGate()
        let parser = try TestUpstream { .hold(gate, PublicFixture.echo($0)) }
        let one = try PublicFixture(parser: parser)
        let other = try PublicFixture(parser: parser, redisURL: one.redisURL)
        let ports = [one.gateway.port, other.gateway.port]
        let clients = try (0..<32).map { index in
            let client = try RawHTTP(port: ports[index % 2], timeoutSeconds: 30)
            try client.send(RawHTTP.request("GET", "/v1/properties/1"))
            return client
        }
        try eventually("a request is at the upstream") { parser.requestCount == 1 }
        try throughout(seconds: 0.5, "no other joins it") { parser.requestCount == 1 }
        gate.open()
        let answers = try clients.map { try $0.readResponse() }
        #expect(answers.allSatisfy { $0.status == 200 && $0.body == answers[0].body })
        #expect(parser.requestCount == 1)
        #expect(answers.contains { $0.header("X-Cache") == "MISS" })
    }

    @Test func `an upstream slower than the lock's time is still asked once`() throws {
        let gate = TestGate()
        let parser = try TestUpstream { .hold(gate, PublicFixture.echo($0)) }
        let one = try PublicFixture(parser: parser)
        let other = try PublicFixture(parser: parser, redisURL: one.redisURL)
        let clients = try [one, other].map { fixture in
            let client = try RawHTTP(port: fixture.gateway.port, timeoutSeconds: 30)
            try client.send(RawHTTP.request("GET", "/v1/properties/1"))
            return client
        }
        // The lock ends after 5 s unless it is renewed.
        try throughout(seconds: 7, "no other asks") { parser.requestCount <= 1 }
        gate.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        #expect(parser.requestCount == 1)
    }

    @Test func `a gateway that dies while it asks holds nobody up`() throws {
        let gate = TestGate()
        let parser = try TestUpstream { .hold(gate, PublicFixture.echo($0)) }
        let one = try PublicFixture(parser: parser)
        let other = try PublicFixture(parser: parser, redisURL: one.redisURL)
        let lost = try RawHTTP(port: one.gateway.port)
        try lost.send(RawHTTP.request("GET", "/v1/properties/1"))
        try eventually("it is at the upstream") { parser.requestCount == 1 }
        let client = try RawHTTP(port: other.gateway.port, timeoutSeconds: 30)
        try client.send(RawHTTP.request("GET", "/v1/properties/1"))
        try one.gateway.kill9()
        gate.open()
        #expect(try client.readResponse().status == 200)
        #expect(parser.requestCount == 2)
    }

    @Test func `what is not kept leaves nothing behind in Redis`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle {
            $0.target.contains("private") ? .respond(200, headers: ["Cache-Control: private"]) : .respond(404)
        }
        for number in 0..<20 {
            _ = try fixture.get("/v1/properties/\(number)")
            _ = try fixture.get("/v1/properties/private\(number)")
        }
        let redis = try RedisClient(url: fixture.redisURL)
        try eventually("all locks have ended") {
            try redis.command("KEYS", "gateway:{cache}*") == .array([])
        }
    }

    @Test func `tiers, queries and accepted languages are told apart, spellings are not`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle(PublicFixture.counting(["Vary: Accept-Language, Origin"]))
        func version(_ target: String, _ language: String? = nil) throws -> String {
            let headers = language.map { [("Accept-Language", $0), ("Accept", "*/*")] } ?? []
            return try fixture.get(target, headers).bodyText
        }
        let plain = try version("/v1/properties?state=CO&county=Larimer")
        #expect(try version("/v1/properties?county=Larimer&state=CO") == plain)
        #expect(try version("/v1/properties?county=%4carimer&state=CO&&") == plain)
        #expect(try version("/v1/properties?state=CO") != plain)
        let english = try version("/v1/properties?state=CO&county=Larimer", "en")
        #expect(english != plain)
        #expect(try version("/v1/properties?state=CO&county=Larimer", "en") == english)
        #expect(try version("/v1/properties?state=CO&county=Larimer", "de") != english)
        #expect(try version("/v1/properties?state=CO&county=Larimer") == plain)
    }

    @Test(arguments: [
        "Cache-Control: no-store", "Cache-Control: max-age=60, private", "Cache-Control: no-cache", "Vary: *",
        "Vary: User-Agent", "Cache-Control: max-age=0", "Set-Cookie: a=b",
    ])
    func `what an upstream forbids to keep is not kept`(_ line: String) throws {
        let fixture = try PublicFixture()
        fixture.parser.handle(PublicFixture.counting([line]))
        for number in 1...3 {
            let response = try fixture.get("/v1/properties/1")
            #expect(response.bodyText == "version \(number)")
            #expect(response.header("X-Cache") == "MISS")
        }
    }

    @Test func `other answers than 200 are not kept`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in .respond(404) }
        #expect(try fixture.get("/v1/properties/1").status == 404)
        fixture.parser.handle { PublicFixture.echo($0) }
        #expect(try fixture.get("/v1/properties/1").status == 200)
    }

    @Test func `an upstream's max-age and Age shorten the time`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle(PublicFixture.counting(["Cache-Control: public, max-age=100", "Age: 40"]))
        _ = try fixture.get("/v1/properties/1")
        let second = try fixture.get("/v1/properties/1")
        #expect(second.header("X-Cache") == "HIT")
        #expect(second.header("Cache-Control") == "private, max-age=100")
        #expect((40...45).contains(Int(second.header("Age") ?? "") ?? 0))
    }

    @Test func `an ETag that is named again is a 304`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in
            .respond(200, headers: ["ETag: \"v1\"", "Content-Type: text/plain", "Vary: Accept"], body: "hello")
        }
        #expect(try fixture.get("/v1/properties/1").header("ETag") == "\"v1\"")
        for named in ["\"v1\"", "W/\"v1\"", "\"v0\", \"v1\"", "*"] {
            let response = try fixture.get("/v1/properties/1", [("If-None-Match", named)])
            #expect(response.status == 304, "\(named)")
            #expect(response.body.isEmpty)
            #expect(response.header("ETag") == "\"v1\"")
            #expect(response.header("Vary") == "accept")
        }
        #expect(try fixture.get("/v1/properties/1", [("If-None-Match", "\"v2\"")]).status == 200)
        // A first request that names it costs the upstream's whole answer, and the client none.
        #expect(try fixture.get("/v1/properties/2", [("If-None-Match", "\"v1\"")]).status == 304)
    }

    @Test func `a stale answer is served while it is refreshed, and while the upstream is down`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            """
            routes:
              - {match: "GET /v1/properties/{id}", service: parser, path: "/p/{id}", cache_seconds: 0.2, retries: 0}
            """, to: "routes.yaml")
        let fixture = try PublicFixture([
            "GATEWAY_ROUTES_FILE": folder.path("routes.yaml"), "GATEWAY_BREAKER_FAILURES": "1",
        ])
        fixture.parser.handle(PublicFixture.counting())
        #expect(try fixture.get("/v1/properties/1").bodyText == "version 1")
        let stale = try eventuallyValue("it is stale") {
            let response = try fixture.get("/v1/properties/1")
            return response.header("X-Cache") == "STALE" ? response : nil
        }
        #expect(stale.bodyText == "version 1")
        try eventually("it was refreshed behind") { fixture.parser.requestCount >= 2 }
        try eventually("the new one is served") { try fixture.get("/v1/properties/1").bodyText != "version 1" }
        // Down: the circuit opens, and what there is goes on to be served.
        fixture.parser.handle { _ in .respond(500) }
        try eventually("the circuit is open") {
            let response = try fixture.get("/v1/properties/1")
            #expect(response.status == 200)
            return try MetricsPage(fixture.gateway).value("gateway_circuit_breaker_state") == 2
        }
        let down = try fixture.get("/v1/properties/1")
        #expect(down.status == 200 && down.header("X-Cache") == "STALE")
        #expect(try fixture.get("/v1/properties/2").status == 503)
        #expect(try MetricsPage(fixture.gateway).value("gateway_cache_stale_total") >= 2)
    }

    @Test func `a refresh drops the entry of its parcel and no other`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle(PublicFixture.counting())
        let one = try fixture.get("/v1/properties/1").bodyText
        let query = try fixture.get("/v1/properties/1?full=1").bodyText
        let other = try fixture.get("/v1/properties/12").bodyText
        #expect(try fixture.gateway.exchange("POST", "/v1/properties/1/refresh").status == 200)
        for _ in 0..<8 { #expect(try fixture.get("/v1/properties/1").bodyText != one) }
        #expect(try fixture.get("/v1/properties/1?full=1").bodyText != query)
        #expect(try fixture.get("/v1/properties/12").bodyText == other)
    }

    @Test func `a refresh that fails drops nothing`() throws {
        let fixture = try PublicFixture()
        let one = try fixture.get("/v1/properties/1")
        fixture.parser.handle { _ in .respond(404) }
        #expect(try fixture.gateway.exchange("POST", "/v1/properties/1/refresh").status == 404)
        #expect(try fixture.get("/v1/properties/1").body == one.body)
    }

    @Test func `what was asked for before a drop is not kept after it`() throws {
        let fixture = try PublicFixture()
        let gate = TestGate()
        fixture.parser.handle { _ in .hold(gate, .respond(200, body: "old")) }
        let client = try RawHTTP(port: fixture.gateway.port)
        try client.send(RawHTTP.request("GET", "/v1/properties/1"))
        try eventually("it is at the upstream") { fixture.parser.requestCount == 1 }
        _ = try fixture.gateway.exchange("DELETE", "/internal/cache?prefix=/v1", headers: opsHeaders)
        fixture.parser.handle { _ in .respond(200, body: "new") }
        gate.open()
        #expect(try client.readResponse().bodyText == "old")
        // Reactors hear of a drop by a message.
        try eventually("the next answer is new") { try fixture.get("/v1/properties/1").bodyText == "new" }
    }

    @Test func `operators drop entries by a prefix of their path`() throws {
        let parser = try TestUpstream { PublicFixture.echo($0) }
        let fixture = try PublicFixture(parser: parser)
        let other = try PublicFixture(parser: parser, redisURL: fixture.redisURL)
        let client = try RawHTTP(port: fixture.gateway.port)
        for number in 0..<450 { _ = try client.exchange("GET", "/v1/properties/\(number)") }
        _ = try client.exchange("GET", "/v1/search/owner?q=1")
        _ = try other.get("/v1/properties/1")
        func drop(_ query: String) throws -> HTTPResponse {
            try fixture.gateway.exchange("DELETE", "/internal/cache\(query)", headers: opsHeaders)
        }
        #expect(try drop("?prefix=/v1/properties").bodyText == "{\"dropped\":450}")
        #expect(try drop("?prefix=%2Fv1%2Fproperties").bodyText == "{\"dropped\":0}")
        try eventually("the other gateway has heard") {
            try other.get("/v1/properties/1").header("X-Cache") == "MISS"
        }
        #expect(try fixture.get("/v1/search/owner?q=1").header("X-Cache") == "HIT")
        #expect(try drop("").jsonObject()["dropped"] as? Int == 2)
        try expectProblem(try drop("?prefix=v1"), 400, "INVALID_REQUEST", ProblemDetails(parameter: "prefix"))
        try expectProblem(
            try fixture.gateway.exchange("DELETE", "/internal/cache?prefix=/"), 401, "UNAUTHORIZED")
    }

    @Test func `an answer above 1 MiB passes by`() throws {
        let fixture = try PublicFixture()
        for answer in [TestUpstream.Answer.fill(1 << 20 + 1), .fillChunked(1 << 20 + 1)] {
            let before = fixture.parser.requestCount
            fixture.parser.handle { _ in answer }
            for _ in 0..<2 {
                let response = try fixture.get("/v1/properties/big")
                #expect(response.body.count == 1 << 20 + 1)
                #expect(response.header("X-Cache") == "MISS")
            }
            #expect(fixture.parser.requestCount == before + 2)
        }
        fixture.parser.handle { _ in .fillChunked(1 << 20) }
        _ = try fixture.get("/v1/properties/fits")
        #expect(try fixture.get("/v1/properties/fits").header("X-Cache") == "HIT")
    }

    @Test func `the cache keeps to its bytes, and those that end soonest make room`() throws {
        let fixture = try PublicFixture(["GATEWAY_CACHE_BYTES_MAX": "100000"])
        fixture.parser.handle { _ in .fill(30_000) }
        for number in 0..<8 { _ = try fixture.get("/v1/properties/\(number)") }
        let redis = try RedisClient(url: fixture.redisURL)
        let bytes = try redis.command("GET", "gateway:{cache}:1:b")
        guard case .bulk(let text) = bytes else { throw TestFailure("\(bytes)") }
        #expect((60_000...100_000).contains(Int(text) ?? 0))
        #expect(fixture.parser.requestCount == 8)
    }

    @Test func `with Redis away requests go on without the cache`() throws {
        let services = try PrivateServices([.redis])
        defer { services.close() }
        let fixture = try PublicFixture(redisURL: services.redisURL)
        fixture.parser.handle(PublicFixture.counting())
        #expect(try fixture.get("/v1/properties/1").bodyText == "version 1")
        try services.kill(.redis)
        try eventually("the loss is noticed") {
            try MetricsPage(fixture.gateway).value("gateway_redis_connected") == 0
        }
        try eventually("the near cache has forgotten") {
            try fixture.get("/v1/properties/1").header("X-Cache") == "MISS"
        }
        #expect(try fixture.get("/v1/properties/2").status == 200)
        try services.start(.redis)
        try eventually("the cache is back") { try fixture.get("/v1/properties/3").header("X-Cache") == "HIT" }
    }
}
