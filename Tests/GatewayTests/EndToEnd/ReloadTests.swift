// SIGHUP: tokens, routes and tiers are read again under traffic; what is bad keeps what was, what cannot change is named.
// Source: operations.md section 1.

import Foundation
import TestSupport
import Testing

/// A gateway whose tokens, routes and tiers are files that the test writes.
private final class ReloadFixture: Sendable {
    let folder: TemporaryFolder
    let gateway: GatewayProcess
    let upstream: TestUpstream

    static let routes = """
        routes:
          - {match: "GET /v1/old", service: parser, path: "/old"}
          - {match: "POST /v1/old", service: parser, path: "/old"}
          - {match: "GET /v1/kept/{x}", service: parser, path: "/kept/{x}"}
        """

    init(_ environment: [String: String] = [:]) throws {
        let folder = try TemporaryFolder()
        try folder.write("first-worker-token", to: "workers")
        try folder.write("first-ops-token", to: "ops")
        try folder.write("first-site-token", to: "site")
        try folder.write("first-service-token", to: "service")
        try folder.write(Self.routes, to: "routes.yaml")
        try folder.write(PublicFixture.unlimited, to: "tiers.yaml")
        try folder.write("GATEWAY_IDLE_TIMEOUT_SECONDS=70\n", to: "env")
        upstream = try TestUpstream { PublicFixture.echo($0) }
        var variables = [
            "GATEWAY_REACTORS": "2", "GATEWAY_PARSER_SERVICE_URL": upstream.url, "GATEWAY_WORKER_RATE_PER_MINUTE": "0",
            "GATEWAY_WORKER_TOKENS": "", "GATEWAY_WORKER_TOKENS_FILE": folder.path("workers"),
            "GATEWAY_OPS_TOKENS": "", "GATEWAY_OPS_TOKENS_FILE": folder.path("ops"),
            "GATEWAY_SSR_SERVICE_TOKEN_FILE": folder.path("site"),
            "GATEWAY_SERVICE_TOKEN_FILE": folder.path("service"),
            "GATEWAY_ROUTES_FILE": folder.path("routes.yaml"), "GATEWAY_TIERS_FILE": folder.path("tiers.yaml"),
        ]
        variables.merge(environment) { _, given in given }
        self.folder = folder
        gateway = try GatewayProcess(
            postgresURL: Services.shared.postgresURL, environment: variables,
            arguments: ["serve", "--env-file", folder.path("env")])
        try eventually("every reactor is connected to Redis") {
            try MetricsPage(gateway).value("gateway_redis_connected") == 2
        }
    }

    deinit { upstream.stop() }

    /// SIGHUP, and waits until all has been read; the reactors go by it when they have answered once more.
    func reload() throws {
        let before = readCount
        gateway.signal(SIGHUP)
        try eventually("the gateway has read again", deadlineSeconds: 30) { readCount > before }
    }

    private var readCount: Int { gateway.log.components(separatedBy: "\"read again\"").count }

    /// Waits until every reactor does: 16 connections in a row may not all meet the same one.
    func eventuallyAll(_ what: String, _ condition: () throws -> Bool) throws {
        try eventually(what, deadlineSeconds: 30) { try (0..<16).allSatisfy { _ in try condition() } }
    }

    func heartbeat(_ token: String, over http: RawHTTP? = nil) throws -> Int {
        let headers = [("X-Worker-Token", token), ("X-Worker-ID", "w")]
        let body = Sample.heartbeat()
        let answer =
            try http?.exchange("POST", "/internal/heartbeat", headers: headers, body: body)
            ?? gateway.exchange("POST", "/internal/heartbeat", headers: headers, body: body)
        return answer.status
    }

    /// Lines of the log that tell of what is bad.
    var complaints: [String] {
        gateway.log.split(separator: "\n").map(String.init).filter { $0.contains("what was read again is bad") }
    }
}

@Suite struct ReloadTests {
    private static let broken = "routes:\n  - {match: \"GET /v1/x\", service: nobody, path: \"/x\"}\n"

    @Test func `a token that is rotated counts from the next request on, also on a connection that was there before`()
        throws
    {
        let fixture = try ReloadFixture()
        let kept = try RawHTTP(port: fixture.gateway.port, timeoutSeconds: 30)
        #expect(try fixture.heartbeat("first-worker-token", over: kept) == 200)
        try fixture.folder.write("first-worker-token\nsecond-worker-token", to: "workers")
        try fixture.reload()
        try fixture.eventuallyAll("both tokens are good") { try fixture.heartbeat("second-worker-token") == 200 }
        #expect(try fixture.heartbeat("first-worker-token", over: kept) == 200)
        try fixture.folder.write("second-worker-token", to: "workers")
        try fixture.folder.write("second-ops-token", to: "ops")
        try fixture.reload()
        try fixture.eventuallyAll("the old token is gone") { try fixture.heartbeat("first-worker-token") == 401 }
        #expect(try fixture.heartbeat("first-worker-token", over: kept) == 401)
        #expect(try fixture.heartbeat("second-worker-token", over: kept) == 200)
        func queue(_ token: String) throws -> Int {
            try fixture.gateway.exchange("GET", "/internal/queue", headers: [("X-Ops-Token", token)]).status
        }
        #expect(try queue("second-ops-token") == 200)
        #expect(try queue("first-ops-token") == 401)
        #expect(fixture.complaints.isEmpty)
    }

    @Test func `the site's token and the one that upstreams get are read again too`() throws {
        let fixture = try ReloadFixture()
        func ask(_ token: String) throws -> Int {
            try fixture.gateway.exchange("GET", "/v1/kept/1", headers: [("X-SSR-Token", token)]).status
        }
        #expect(try ask("first-site-token") == 200)
        #expect(fixture.upstream.requests.last?.header("X-Service-Token") == "first-service-token")
        try fixture.folder.write("second-site-token", to: "site")
        try fixture.folder.write("second-service-token", to: "service")
        try fixture.reload()
        try fixture.eventuallyAll("the old token is gone") { try ask("first-site-token") == 401 }
        #expect(try ask("second-site-token") == 200)
        #expect(fixture.upstream.requests.last?.header("X-Service-Token") == "second-service-token")
    }

    @Test func `a route that is added is served and counted by its name, one that is removed is a 404`() throws {
        let fixture = try ReloadFixture()
        func ask(_ path: String) throws -> Int { try fixture.gateway.exchange("GET", path).status }
        #expect(try ask("/v1/old") == 200)
        #expect(try ask("/v1/new/7") == 404)
        let upload = try RawHTTP(port: fixture.gateway.port, timeoutSeconds: 30)
        let request = RawHTTP.request("POST", "/v1/old", body: "{}")
        // Its head is read for certain once what came before it in the same bytes is answered.
        try upload.send(RawHTTP.request("GET", "/health") + request.dropLast())
        #expect(try upload.readResponse().status == 200)
        try fixture.folder.write(
            """
            routes:
              - {match: "GET /v1/new/{y}", service: parser, path: "/neu/{y}"}
              - {match: "GET /v1/kept/{x}", service: parser, path: "/kept/{x}"}
            """, to: "routes.yaml")
        try fixture.reload()
        try fixture.eventuallyAll("the new route is served") { try ask("/v1/new/7") == 200 }
        #expect(fixture.upstream.requests.last?.target == "/neu/7")
        #expect(try ask("/v1/old") == 404)
        #expect(try ask("/v1/kept/1") == 200)
        // The route went away in the middle of a request: the gateway says so and lives on.
        try upload.send(Array(request.suffix(1)))
        #expect(try upload.readResponse().status == 404)
        try upload.expectKept()
        let page = try MetricsPage(fixture.gateway)
        #expect(page.value("gateway_requests_total", ["route": "/v1/new/{y}", "status": "200"]) >= 16)
        #expect(page.value("gateway_requests_total", ["route": "/v1/kept/{x}", "status": "200"]) == 1)
        #expect(page.value("gateway_requests_total", ["route": "/v1/old", "method": "GET", "status": "200"]) == 1)
        #expect(page.value("gateway_request_duration_seconds_count", ["route": "/v1/new/{y}"]) >= 16)
    }

    @Test func `a tier's new rate holds from the next request on`() throws {
        let fixture = try ReloadFixture()
        func ask() throws -> HTTPResponse { try fixture.gateway.exchange("GET", "/v1/kept/1") }
        #expect(try ask().header("X-RateLimit-Limit") == nil)
        try fixture.folder.write(
            "tiers: {anonymous: {rate_per_minute: 77, burst: 1000}}", to: "tiers.yaml")
        try fixture.reload()
        try fixture.eventuallyAll("the new rate holds") { try ask().header("X-RateLimit-Limit") == "77" }
    }

    @Test func `a file that is bad keeps what was, with one line that names file, line and fault; the others are read`()
        throws
    {
        let fixture = try ReloadFixture()
        try fixture.folder.write(Self.broken, to: "routes.yaml")
        try fixture.folder.write("tiers: [", to: "tiers.yaml")
        try fixture.folder.write("second-worker-token", to: "workers")
        try fixture.reload()
        try fixture.eventuallyAll("the good file is read") { try fixture.heartbeat("second-worker-token") == 200 }
        #expect(try fixture.gateway.exchange("GET", "/v1/old").status == 200)
        #expect(fixture.complaints.count == 2)
        let routes = try #require(fixture.complaints.first { $0.contains("routes.yaml") })
        #expect(routes.contains("line 2"))
        #expect(routes.contains("nobody"))
        #expect(routes.contains("\"level\":\"error\""))
        #expect(fixture.complaints.contains { $0.contains("tiers.yaml") })

        try fixture.folder.write("third-worker-token\nnot a token", to: "workers")
        try fixture.folder.write(ReloadFixture.routes, to: "routes.yaml")
        try fixture.folder.write(PublicFixture.unlimited, to: "tiers.yaml")
        try fixture.reload()
        #expect(fixture.complaints.count == 3)
        #expect(try #require(fixture.complaints.last).contains(fixture.folder.path("workers")))
        #expect(!fixture.gateway.log.contains("third-worker-token"))
        #expect(try fixture.heartbeat("second-worker-token") == 200)
        #expect(try fixture.heartbeat("third-worker-token") == 401)
    }

    @Test func `settings that hold for the life of the process are named when they differ`() throws {
        let fixture = try ReloadFixture()
        try fixture.folder.write(
            "GATEWAY_IDLE_TIMEOUT_SECONDS=71\nGATEWAY_PIPELINE_MAX=7\nGATEWAY_PIPELINE_MAXX=7\n", to: "env")
        try fixture.reload()
        let line = try #require(
            fixture.gateway.log.split(separator: "\n").first { $0.contains("changed settings that need a restart") })
        #expect(line.contains("GATEWAY_IDLE_TIMEOUT_SECONDS, GATEWAY_PIPELINE_MAX\""))
        #expect(line.contains("\"level\":\"warning\""))
    }

    @Test func `no request is lost while everything is read again and again`() throws {
        let fixture = try ReloadFixture()
        let port = fixture.gateway.port
        let counter = Counter()
        let statuses = try concurrently(4) { client in
            let http = try RawHTTP(port: port, timeoutSeconds: 60)
            var statuses: Set<Int> = []
            for number in 0..<300 {
                if client == 0, number % 15 == 0 { fixture.gateway.signal(SIGHUP) }
                if client % 2 == 0 {
                    statuses.insert(try http.exchange("GET", "/v1/kept/\(number)").status)
                } else {
                    statuses.insert(try fixture.heartbeat("first-worker-token", over: http))
                }
                _ = counter.next()
            }
            return statuses
        }
        #expect(statuses.allSatisfy { $0 == [200] })
        #expect(counter.next() == 4 * 300 + 1)
        #expect(fixture.complaints.isEmpty)
    }
}
