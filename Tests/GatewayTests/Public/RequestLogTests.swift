// The lines that a live gateway writes about requests: their fields, and what must never be in them.
// Source: operations.md section 2.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct RequestLogTests {
    private static let serviceToken = "service-token-of-the-tests"

    /// A gateway that knows all kinds of callers.
    private func callers(_ environment: [String: String]) async throws -> CallerFixture {
        try await CallerFixture(
            environment.merging(["GATEWAY_SERVICE_TOKEN": Self.serviceToken]) { $1 }, tiers: CallerFixture.open)
    }

    private func lines(_ gateway: GatewayProcess) throws -> [[String: Any]] {
        // The last line may not be whole yet.
        try gateway.log.split(separator: "\n").filter { $0.hasSuffix("}") }.map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
    }

    /// The line about the request of an id.
    private func line(_ gateway: GatewayProcess, of id: String) throws -> [String: Any] {
        try eventuallyValue("the log tells of \(id)") {
            try lines(gateway).first { $0["request_id"] as? String == id && $0["message"] as? String == "request" }
        }
    }

    private static func id(_ id: String) -> [(String, String)] { [("X-Request-ID", id)] }

    @Test func `a line tells who asked, for which route, and what came of it`() async throws {
        let callers = try await callers(["GATEWAY_ACCESS_LOG": "all"])
        let gateway = callers.fixture.gateway
        let worker = GatewayProcess.headers(worker: "scraper-7")
        #expect(
            try gateway.exchange(
                "POST", "/internal/heartbeat?x=1", headers: worker + Self.id("beat"), body: Sample.heartbeat()
            ).status == 200)
        let beat = try line(gateway, of: "beat")
        #expect(beat["level"] as? String == "info")
        #expect(beat["method"] as? String == "POST")
        #expect(beat["route"] as? String == "/internal/heartbeat")
        #expect(beat["path"] as? String == "/internal/heartbeat")
        #expect(beat["status"] as? Int == 200)
        #expect(beat["worker_id"] as? String == "scraper-7")
        #expect((beat["ip"] as? String)?.hasPrefix("127.0.0.1") == true)
        #expect((beat["bytes"] as? Int).map { $0 > 0 } == true)
        #expect((beat["latency_ms"] as? Double).map { $0 >= 0 } == true)
        #expect(beat["timestamp"] != nil && beat["user"] == nil && beat["tier"] == nil)
        let key = try callers.makeKey("ann", tier: "premium")
        for (id, cache) in [("first", "MISS"), ("second", "HIT")] {
            #expect(try callers.get("/v1/properties/9", [("X-API-Key", key)] + Self.id(id)).status == 200)
            let line = try line(gateway, of: id)
            #expect(line["user"] as? String == "ann")
            #expect(line["tier"] as? String == "premium")
            #expect(line["cache"] as? String == cache)
            #expect(line["worker_id"] == nil)
        }
        #expect(try callers.get("/v1/properties/9", Self.id("nobody")).status == 200)
        #expect(try line(gateway, of: "nobody")["user"] as? String == "anonymous")
    }

    @Test func `whoever was refused is not named by what they said of themselves`() async throws {
        let callers = try await callers(["GATEWAY_ACCESS_LOG": "all"])
        let gateway = callers.fixture.gateway
        // The slot of an exchange is used again: nothing of the one before may be left in it.
        let http = try RawHTTP(port: gateway.port)
        let good = GatewayProcess.headers(worker: "good")
        #expect(
            try http.exchange(
                "POST", "/internal/heartbeat", headers: good + Self.id("good"), body: Sample.heartbeat()
            ).status == 200)
        let bad = [("X-Worker-Token", "wrong"), ("X-Worker-ID", "made-up")]
        #expect(
            try http.exchange("POST", "/internal/heartbeat", headers: bad + Self.id("bad"), body: "{}").status == 401)
        #expect(
            try http.exchange("GET", "/v1/properties/9", headers: [("X-API-Key", "x")] + Self.id("key")).status == 401)
        for id in ["bad", "key"] {
            let line = try line(gateway, of: id)
            #expect(line["status"] as? Int == 401)
            #expect(line["worker_id"] == nil && line["user"] == nil, "\(line)")
        }
        #expect(try line(gateway, of: "good")["worker_id"] as? String == "good")
    }

    @Test func `by default only failed and slow requests are written, at debug every one`() async throws {
        for level in ["info", "debug"] {
            let gate = TestGate()
            let callers = try await callers(["GATEWAY_LOG_LEVEL": level])
            let gateway = callers.fixture.gateway
            #expect(try callers.get("/v1/properties/1", Self.id("fine")).status == 200)
            callers.fixture.parser.handle { _ in .respond(500) }
            #expect(try callers.get("/v1/properties/2", Self.id("failed")).status == 502)
            callers.fixture.parser.handle { .hold(gate, PublicFixture.echo($0)) }
            let slow = try RawHTTP(port: gateway.port)
            try slow.send(RawHTTP.request("GET", "/v1/properties/3", headers: Self.id("slow")))
            try eventually("the upstream has it") {
                callers.fixture.parser.requests.last?.target.hasSuffix("/3") == true
            }
            let start = Instant.read()
            try eventually("the request is a slow one") { Instant.read() - start > .milliseconds(600) }
            gate.open()
            #expect(try slow.readResponse().status == 200)
            for id in ["failed", "slow"] { #expect(try line(gateway, of: id)["level"] as? String == "info", "\(id)") }
            let isThere = try lines(gateway).contains { $0["request_id"] as? String == "fine" }
            #expect(isThere == (level == "debug"))
        }
    }

    @Test func `no token, key, query or body ever gets into the log, whatever goes wrong`() async throws {
        let callers = try await callers(["GATEWAY_ACCESS_LOG": "all", "GATEWAY_LOG_LEVEL": "trace"])
        let gateway = callers.fixture.gateway
        let key = try callers.makeKey("bob", tier: "premium")
        let bearer = try callers.mint.token()
        let marker = "marker-of-the-body"
        try callers.database.run("ALTER TABLE parcel_results ADD CONSTRAINT not_refused CHECK (NOT data ? 'refused')")
        let worker = GatewayProcess.headers(worker: "w")
        func send(
            _ method: String, _ target: String, _ headers: [(String, String)], _ body: String? = nil,
            _ statuses: ClosedRange<Int>
        ) throws {
            let status = try gateway.exchange(method, target, headers: headers, body: body).status
            #expect(statuses.contains(status), "\(method) \(target): \(status)")
        }
        for headers in [
            [("X-API-Key", key)], [("Authorization", "Bearer \(bearer)")], [("X-SSR-Token", CallerFixture.siteToken)],
        ] {
            try send("POST", "/v1/predictions/batch?\(marker)=1", headers, "{\"\(marker)\":1}", 200...200)
        }
        for header in ["X-API-Key", "Authorization", "X-SSR-Token", "X-Worker-Token", "X-Ops-Token"] {
            try send("GET", "/v1/properties/1?q=\(marker)", [(header, "Bearer \(marker)")], nil, 200...401)
            try send("POST", "/internal/tasks", [(header, marker)], marker, 401...401)
        }
        let items = [
            Sample.result("1", data: "{\"a\":\"\(marker)\"}"), Sample.result("2", data: "{\"refused\":\"\(marker)\"}"),
            Sample.result("3", data: "{\"a\":\"\(marker)\\u0000\"}"),
        ]
        try send("POST", "/internal/results", worker, "[\(items.joined(separator: ","))]", 200...200)
        try send("POST", "/internal/results", worker, "[{\"\(marker)\":", 400...400)
        try send("POST", "/internal/heartbeat", worker, "{\"active_tasks\":\"\(marker)\"}", 422...422)
        try send("POST", "/internal/tasks/t/fail", worker, "{\"reason\":\"\(marker)\"}", 200...422)
        callers.fixture.parser.handle { _ in .respond(500, body: marker) }
        try send("GET", "/v1/properties/2?q=\(marker)", [("Cookie", marker)], nil, 502...502)
        callers.fixture.parser.handle { _ in .raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n\(marker)") }
        let cut = try RawHTTP(port: gateway.port)
        try cut.send(
            RawHTTP.request("POST", "/v1/predictions/batch?q=\(marker)", headers: Self.id("cut"), body: "{}"))
        try eventually("the log tells of the answer that was cut") {
            try lines(gateway).contains { $0["request_id"] as? String == "cut" && $0["level"] as? String == "warning" }
        }
        try RawHTTP(port: gateway.port).send("GET /x HTTP/1.1\r\n\(marker)\r\n\r\n")
        #expect(try gateway.terminate() == .exited(0))
        let log = gateway.log
        #expect(try lines(gateway).count { $0["message"] as? String == "request" } > 15)
        let secrets = [
            GatewayProcess.workerToken, GatewayProcess.opsToken, CallerFixture.siteToken, Self.serviceToken, key,
            bearer,
            marker, String(bearer.split(separator: ".")[2]),
        ]
        for secret in secrets {
            #expect(!log.contains(secret), "\(log.split(separator: "\n").filter { $0.contains(secret) })")
        }
    }
}
