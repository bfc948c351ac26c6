// Spans of a live gateway at a recording collector, read by OpenTelemetry's own definitions (Tests/Fixtures/otlp_judge.py).
// Source: operations.md section 2 (traces); the OTLP specification; W3C Trace Context.

import Foundation
import TestSupport
import Testing

@Suite struct TracerTests {
    /// A collector that keeps what it is sent, and a gateway that sends to it.
    private struct Traced {
        let collector: TestUpstream
        let callers: CallerFixture

        init(sample: String, status: Int = 200) async throws {
            let collector = try TestUpstream { _ in
                .respond(status, headers: ["Content-Type: application/json"], body: "{}")
            }
            self.collector = collector
            callers = try await CallerFixture(
                ["GATEWAY_OTLP_ENDPOINT": "\(collector.url)/otlp/", "GATEWAY_OTLP_SAMPLE": sample],
                tiers: CallerFixture.open)
        }

        var gateway: GatewayProcess { callers.fixture.gateway }

        func heartbeat(_ headers: [(String, String)] = []) throws {
            let response = try gateway.exchange(
                "POST", "/internal/heartbeat", headers: GatewayProcess.headers(worker: "w-1") + headers,
                body: Sample.heartbeat())
            #expect(response.status == 200)
        }

        /// Waits for so many spans.
        func spans(_ count: Int) throws -> [JudgedSpan] {
            try eventually("the collector has \(count) spans", deadlineSeconds: 30) { try read().count >= count }
            return try read()
        }

        func read() throws -> [JudgedSpan] { try JudgedSpan.read(collector.requests) }
    }

    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let unsampled = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    @Test(.enabled(if: JudgedSpan.canBeRead, "needs opentelemetry-proto: scripts/install --tests"))
    func `a request to an upstream leaves two spans of its parent's trace, and the upstream hears of the second`()
        async throws
    {
        let traced = try await Traced(sample: "0")
        let key = try traced.callers.makeKey("ann", tier: "premium")
        let response = try traced.callers.get(
            "/v1/properties/7", [("traceparent", Self.parent), ("X-API-Key", key), ("X-Request-ID", "req-7")])
        #expect(response.status == 200)
        let spans = try traced.spans(2)
        let server = try #require(spans.first { $0.kind == "SPAN_KIND_SERVER" })
        let client = try #require(spans.first { $0.kind == "SPAN_KIND_CLIENT" })
        #expect(spans.count == 2)
        #expect(spans.allSatisfy { $0.trace == "0af7651916cd43dd8448eb211c80319c" && $0.service == "taxlien-gateway" })
        #expect(server.parent == "b7ad6b7169203331")
        #expect(client.parent == server.id)
        #expect(server.name == "GET /v1/properties/{parcel_id}")
        #expect(
            server.attributes == [
                "http.request.method": "GET", "http.route": "/v1/properties/{parcel_id}",
                "http.response.status_code": "200", "gateway.request_id": "req-7", "enduser.id": "ann",
                "gateway.tier": "premium",
            ])
        #expect(client.attributes["peer.service"] == "parser")
        #expect(server.start <= client.start && client.start <= client.end && client.end <= server.end)
        #expect(abs(Double(server.end) / 1e9 - wallSeconds()) < 600)
        let sent = try #require(try traced.callers.fixture.lastRequest().header("traceparent"))
        #expect(sent == "00-0af7651916cd43dd8448eb211c80319c-\(client.id)-01")
        #expect(traced.collector.requests.allSatisfy { $0.method == "POST" && $0.target == "/otlp/v1/traces" })
    }

    @Test(.enabled(if: JudgedSpan.canBeRead, "needs opentelemetry-proto: scripts/install --tests"))
    func `what begins here is kept by its share, a parent's choice is followed either way, probes leave nothing`()
        async throws
    {
        let all = try await Traced(sample: "1")
        for _ in 0..<5 { try all.heartbeat() }
        try all.heartbeat([("traceparent", Self.unsampled)])
        #expect(try all.gateway.exchange("GET", "/health").status == 200)
        #expect(try all.gateway.exchange("POST", "/internal/heartbeat", body: "{}").status == 401)
        #expect(try all.callers.get("/v1/properties/3").status == 200)
        let sent = try #require(try all.callers.fixture.lastRequest().header("traceparent"))
        #expect(sent.hasSuffix("-01"))
        all.callers.fixture.parser.handle { _ in .respond(500) }
        #expect(try all.callers.get("/v1/properties/4").status == 502)
        // Draining sends what is left.
        #expect(try all.gateway.terminate() == .exited(0))
        let spans = try all.read()
        #expect(spans.count == 10, "\(spans.map(\.name))")
        #expect(Set(spans.map(\.id)).count == spans.count)
        let beats = spans.filter { $0.attributes["gateway.worker_id"] == "w-1" }
        #expect(beats.count == 5)
        #expect(
            Set(beats.map(\.trace)).count == 5
                && beats.allSatisfy { $0.parent == "" && $0.status == "STATUS_CODE_UNSET" })
        #expect(!spans.contains { $0.trace.hasPrefix("1af765") || $0.name.contains("health") })
        let failed = spans.filter { $0.status == "STATUS_CODE_ERROR" }
        #expect(Set(failed.map(\.kind)) == ["SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"])
        #expect(failed.first { $0.kind == "SPAN_KIND_SERVER" }?.attributes["http.response.status_code"] == "502")

        let none = try await Traced(sample: "0")
        for _ in 0..<5 { try none.heartbeat() }
        try none.heartbeat([("traceparent", Self.parent)])
        let kept = try none.spans(1)
        #expect(kept.map(\.trace) == ["0af7651916cd43dd8448eb211c80319c"])
        try eventually("the collector's answer is counted") {
            try MetricsPage(none.gateway).value("gateway_trace_spans_total", ["outcome": "sent"]) == 1
        }
    }

    @Test func `spans that the collector does not take are dropped and counted, and requests go on`() async throws {
        let traced = try await Traced(sample: "1", status: 503)
        for _ in 0..<20 { try traced.heartbeat() }
        try eventually("the spans are dropped", deadlineSeconds: 30) {
            try MetricsPage(traced.gateway).value("gateway_trace_spans_total", ["outcome": "dropped"]) == 20
        }
        try eventually("the log tells of it") { traced.gateway.log.contains("the collector does not take them") }
        traced.collector.handle { _ in .respond(200) }
        try traced.heartbeat()
        try eventually("spans are taken again", deadlineSeconds: 30) {
            try MetricsPage(traced.gateway).value("gateway_trace_spans_total", ["outcome": "sent"]) == 1
        }
        traced.collector.stop()
        try traced.heartbeat()
        #expect(try traced.gateway.terminate() == .exited(0))
    }

    @Test func `without an endpoint nothing is kept of a trace`() async throws {
        let callers = try await CallerFixture(["GATEWAY_OTLP_SAMPLE": "1"], tiers: CallerFixture.open)
        #expect(try callers.get("/v1/properties/7").status == 200)
        let sent = try #require(try callers.fixture.lastRequest().header("traceparent"))
        #expect(sent.hasSuffix("-00"), "a trace that nobody keeps is not marked as kept")
    }
}

/// A span as OpenTelemetry's definitions read it.
private struct JudgedSpan: Decodable {
    var service: String
    var name: String
    var kind: String
    var trace: String
    var id: String
    var parent: String
    var start: UInt64
    var end: UInt64
    var status: String
    var attributes: [String: String]

    private static let python = "\(Checkout.root)/.build-tools/otlp/bin/python3"

    static var canBeRead: Bool { FileManager.default.fileExists(atPath: "\(Checkout.root)/.build-tools/otlp/complete") }

    static func read(_ messages: [TestUpstream.Request]) throws -> [JudgedSpan] {
        let result = try ChildProcess.run(
            python, ["\(Checkout.root)/Tests/Fixtures/otlp_judge.py"],
            input: messages.map { $0.body + "\n" }.joined())
        guard result.isSuccess else { throw TestFailure("\(result.errors)\n\(messages.map(\.body))") }
        return try result.output.split(separator: "\n").map {
            try JSONDecoder().decode(JudgedSpan.self, from: Data($0.utf8))
        }
    }
}
