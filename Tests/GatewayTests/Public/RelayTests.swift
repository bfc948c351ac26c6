// What reaches an upstream, and what comes back: api.md section 3, "Upstream", over real sockets.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct RelayTests {
    @Test func `every built-in route leads to its upstream path`() throws {
        let fixture = try PublicFixture()
        for (method, target, upstream) in [
            ("GET", "/v1/properties/1615514", "/api/v1/properties/1615514"),
            ("GET", "/v1/properties?state=CO", "/api/v1/properties?state=CO"),
            ("POST", "/v1/properties/1615514/refresh", "/api/v1/scrape/parcel?parcel_id=1615514"),
            ("GET", "/v1/search/address?q=1+Main", "/api/v1/search/address?q=1+Main"),
            ("GET", "/v1/search/owner?q=Smith", "/api/v1/search/owner?q=Smith"),
            ("POST", "/v1/predictions/redemption", "/api/v1/predict/redemption"),
            ("POST", "/v1/predictions/batch", "/api/v1/predict/batch"),
            ("GET", "/v1/top-lists/best", "/api/v1/top-lists/best"),
        ] {
            let response = try fixture.gateway.exchange(method, target, body: method == "POST" ? "{}" : nil)
            #expect(response.status == 200, "\(target): \(response.bodyText)")
            #expect(try response.jsonObject()["target"] as? String == upstream)
            #expect(try response.jsonObject()["method"] as? String == method)
            #expect(response.header("Content-Type") == "application/json")
        }
    }

    @Test func `escapes and the query pass through byte for byte`() throws {
        let fixture = try PublicFixture()
        let target = "/v1/properties/a%2Fb%20c%c3%A9?x=%20&y=+a%2b&&z&x=2"
        #expect(try fixture.get(target).status == 200)
        #expect(try fixture.lastRequest().target == "/api" + target)
    }

    @Test(arguments: ["/v1/properties/..", "/v1/properties/%2e%2E", "/v1/top-lists/."])
    func `a parameter that would climb out of its path is refused`(_ target: String) throws {
        let fixture = try PublicFixture()
        try expectProblem(try fixture.get(target), 400, "INVALID_REQUEST")
        #expect(fixture.parser.requestCount == 0)
    }

    @Test func `a refresh names its parcel whatever else the query says`() throws {
        let fixture = try PublicFixture()
        let response = try fixture.gateway.exchange("POST", "/v1/properties/1/refresh?parcel_id=2&deep=1&parcel%5Fid=3")
        #expect(response.status == 200)
        #expect(try fixture.lastRequest().target == "/api/v1/scrape/parcel?parcel_id=1&deep=1")
    }

    @Test func `the upstream learns who asks, and no forged copy, credential or hop-by-hop line reaches it`() throws {
        let fixture = try PublicFixture(["GATEWAY_SERVICE_TOKEN": "service-secret"])
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let response = try fixture.gateway.exchange(
            "POST", "/v1/predictions/batch",
            headers: [
                ("X-Request-ID", "req-of-the-client"), ("X-User-ID", "admin"), ("X-User-Tier", "internal"),
                ("X_User_ID", "admin"), ("X-Service-Token", "forged"), ("Cookie", "a=b"), ("Connection", "X-Private"),
                ("X-Private", "1"), ("TE", "trailers"), ("Proxy-Authorization", "x"), ("X-Forwarded-For", "10.1.2.3"),
                ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"), ("Forwarded", "for=10.1.2.3"),
                ("traceparent", trace), ("tracestate", "a=1"), ("X-Passes", "yes"), ("Host", "api.example.com"),
            ], body: "[1]")
        #expect(response.status == 200)
        let request = try fixture.lastRequest()
        #expect(request.body == "[1]")
        let expected: [String: String?] = [
            "X-Request-ID": "req-of-the-client", "X-User-ID": "anonymous", "X-User-Tier": "anonymous",
            "X-Service-Token": "service-secret", "X_User_ID": nil, "Cookie": nil, "Connection": nil, "X-Private": nil,
            "TE": nil, "Proxy-Authorization": nil, "Forwarded": nil, "X-Forwarded-For": "10.1.2.3, 127.0.0.1",
            "X-Forwarded-Proto": "http", "X-Forwarded-Host": "api.example.com", "tracestate": "a=1", "X-Passes": "yes",
            "Host": "127.0.0.1:\(fixture.parser.port)",
        ]
        for (name, value) in expected { #expect(request.header(name) == value, "\(name)") }
        let sent = try #require(request.header("traceparent"))
        #expect(sent.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") && sent.hasSuffix("-01") && sent != trace)
    }

    @Test func `a request without a trace begins one`() throws {
        let fixture = try PublicFixture()
        _ = try fixture.get("/v1/properties/1", [("traceparent", "00-nonsense")])
        let sent = try #require(try fixture.lastRequest().header("traceparent"))
        #expect(sent.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-00/) != nil, "\(sent)")
    }

    @Test func `an answer keeps its lines but for those of the hop and the gateway's own`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in
            .respond(
                404,
                headers: [
                    "Content-Type: text/plain", "X-Mine: 1", "X-RateLimit-Limit: 9", "Access-Control-Allow-Origin: *",
                    "Keep-Alive: timeout=5", "X-Request-ID: upstream", "Connection: X-Hop, keep-alive", "X-Hop: 1",
                ], body: "no such parcel")
        }
        let response = try fixture.get("/v1/properties/9", [("X-Request-ID", "mine")])
        #expect(response.status == 404)
        #expect(response.bodyText == "no such parcel")
        #expect(response.values(of: "Content-Type") == ["text/plain"])
        #expect(response.header("X-Mine") == "1")
        #expect(response.values(of: "X-Request-ID") == ["mine"])
        #expect(response.values(of: "X-Content-Type-Options") == ["nosniff"])
        for name in ["X-RateLimit-Limit", "Access-Control-Allow-Origin", "Keep-Alive", "X-Hop"] {
            #expect(response.header(name) == nil, "\(name)")
        }
        #expect(response.values(of: "Date").count == 1)
        #expect(fixture.parser.requestCount == 1, "a 4xx is never tried again")
    }

    @Test func `a service that is not configured is a 503`() throws {
        let fixture = try PublicFixture(["GATEWAY_ML_SERVICE_URL": ""])
        try expectProblem(try fixture.get("/v1/top-lists/best"), 503, "SERVICE_UNAVAILABLE")
        #expect(try fixture.get("/v1/properties/1").status == 200)
    }

    @Test func `several URLs of a service share its requests`() throws {
        let other = try TestUpstream { PublicFixture.echo($0) }
        defer { other.stop() }
        let parser = try TestUpstream { PublicFixture.echo($0) }
        let fixture = try PublicFixture(["GATEWAY_PARSER_SERVICE_URL": "\(parser.url),\(other.url)"], parser: parser)
        for number in 0..<60 { #expect(try fixture.get("/v1/properties/\(number)").status == 200) }
        #expect(parser.requestCount > 0 && other.requestCount > 0)
        #expect(parser.requestCount + other.requestCount == 60)
    }

    @Test func `each URL of a service has a path of its own in front`() throws {
        let parser = try TestUpstream { PublicFixture.echo($0) }
        let fixture = try PublicFixture(
            ["GATEWAY_PARSER_SERVICE_URL": "\(parser.url)/a/,\(parser.url)/b"], parser: parser)
        for number in 0..<40 { #expect(try fixture.get("/v1/properties/\(number)").status == 200) }
        #expect(
            Set(parser.requests.map { $0.target.prefix(20) }) == ["/a/api/v1/properties", "/b/api/v1/properties"])
    }

    @Test func `a HEAD is answered like a GET without its body`() throws {
        let fixture = try PublicFixture()
        let head = try fixture.gateway.exchange("HEAD", "/v1/properties/1")
        let get = try fixture.get("/v1/properties/1")
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(head.header("Content-Length") == get.header("Content-Length"))
        #expect(head.header("ETag") == get.header("ETag"))
    }

    @Test func `a large answer flows at the client's pace and is not gathered in memory`() throws {
        let bytes = 60 << 20
        // Well below one answer. An allocator keeps what it once had, and over io_uring each reactor's 4 MiB of buffers are
        // touched for the first time here.
        let grownMax = 40 << 20
        let parser = try TestUpstream { request in
            request.target.contains("chunked") ? .fillChunked(bytes) : .fill(bytes)
        }
        let fixture = try PublicFixture(parser: parser)
        _ = try fixture.get("/v1/search/owner?q=warm")
        let before = try MetricsPage(fixture.gateway).value("process_resident_memory_bytes")
        for target in ["/v1/search/owner?q=length", "/v1/search/owner?q=chunked"] {
            let sentBefore = parser.filledBytes
            let client = try RawHTTP(port: fixture.gateway.port, timeoutSeconds: 60, receiveBufferBytes: 16 * 1024)
            try client.send(RawHTTP.request("GET", target))
            // The client reads nothing: what is under way stays in kernel buffers and a bounded rest.
            try eventually("the answer has begun") { client.socket.hasInput }
            try throughout(seconds: 1, "the upstream is not drained while the client reads nothing") {
                parser.filledBytes - sentBefore < bytes - (20 << 20)
            }
            let during = try MetricsPage(fixture.gateway).value("process_resident_memory_bytes")
            #expect(Sanitizer.isWatching || during - before < Double(grownMax), "grown by \(during - before)")
            let response = try client.readResponse()
            #expect(response.body.count == bytes)
            #expect(response.body.allSatisfy { $0 == UInt8(ascii: "x") })
        }
    }

    @Test func `a client that leaves ends its upstream request`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in .hang }
        let client = try RawHTTP(port: fixture.gateway.port)
        try client.send(RawHTTP.request("POST", "/v1/predictions/batch", body: "{}"))
        try eventually("the request has arrived") { fixture.parser.requestCount == 1 }
        client.socket.reset()
        try eventually("the upstream's connection ends") { fixture.parser.connectionCount == 0 }
    }

    @Test func `versions are listed, and the answers of an old one tell its end`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            """
            versions:
              - {version: v1, status: current}
              - {version: v0, status: deprecated, sunset: 2027-06-30}
            routes:
              - {match: "GET /v1/properties/{id}", service: parser, path: "/api/v1/properties/{id}"}
              - {match: "GET /v0/parcel/{id}", service: parser, path: "/api/v1/properties/{id}"}
            """, to: "routes.yaml")
        let fixture = try PublicFixture(["GATEWAY_ROUTES_FILE": folder.path("routes.yaml")])
        let versions = try #require(try fixture.get("/versions").jsonObject()["versions"] as? [[String: String]])
        #expect(
            versions == [
                ["version": "v1", "status": "current"],
                ["version": "v0", "status": "deprecated", "sunset": "2027-06-30T00:00:00Z"],
            ])
        #expect(try fixture.get("/v0/parcel/1").header("Sunset") == "Wed, 30 Jun 2027 00:00:00 GMT")
        #expect(try fixture.get("/v1/properties/1").header("Sunset") == nil)
        #expect(try fixture.get("/v1/search/owner").status == 404, "the file replaces the built-in table")
    }

    @Test func `the public surface is served by its own listeners only`() throws {
        let port = try FreePort.next()
        let other = try FreePort.next()
        let parser = try TestUpstream { PublicFixture.echo($0) }
        defer { parser.stop() }
        let gateway = try GatewayProcess(
            redisURL: Services.shared.takeRedisDatabase(), postgresURL: Services.shared.postgresURL,
            environment: [
                "GATEWAY_PARSER_SERVICE_URL": parser.url,
                "GATEWAY_LISTENERS": "worker=127.0.0.1:\(port),public=127.0.0.1:\(other)",
            ], port: port)
        #expect(try RawHTTP.exchange(port: port, "GET", "/v1/properties/1").status == 404)
        // It serves before Redis is connected, by which anonymous callers are counted.
        try eventually("the public listener serves") {
            try RawHTTP.exchange(port: other, "GET", "/v1/properties/1").status == 200
        }
        #expect(try RawHTTP.exchange(port: other, "GET", "/internal/work").status == 404)
        withExtendedLifetime(gateway) {}
    }
}
