// Upstreams that fail: retries, the circuit, the clock. api.md section 3, "Upstream".

import Foundation
import TestSupport
import Testing

@Suite struct UpstreamFailureTests {
    @Test func `simulated 500s open the breaker and it recovers through half-open`() throws {
        let fixture = try PublicFixture([
            "GATEWAY_BREAKER_FAILURES": "5", "GATEWAY_BREAKER_OPEN_SECONDS": "1",
        ])
        fixture.parser.handle { _ in .respond(500) }
        for number in 0..<5 {
            try expectProblem(try fixture.get("/v1/properties/\(number)"), 502, "UPSTREAM_ERROR")
        }
        let before = fixture.parser.requestCount
        let refused = try fixture.get("/v1/properties/5")
        try expectProblem(refused, 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "circuit"))
        #expect(fixture.parser.requestCount == before, "an open circuit sends nothing")
        #expect(try state(fixture) == 2)
        // Half-open: of many at once one goes out, and fails.
        try eventually("a probe goes out") {
            _ = try fixture.get("/v1/properties/6")
            return fixture.parser.requestCount > before
        }
        #expect(fixture.parser.requestCount == before + 1, "the probe is one request, without a retry")
        #expect(try fixture.get("/v1/properties/7").status == 503, "a probe that fails opens the circuit again")
        // It recovers.
        let gate = TestGate()
        fixture.parser.handle { .hold(gate, PublicFixture.echo($0)) }
        let probe = try RawHTTP(port: fixture.gateway.port)
        try eventually("a probe is under way", deadlineSeconds: 20) {
            if try state(fixture) == 1 { return true }
            if probe.socket.hasInput { _ = try probe.readResponse() }
            try probe.send(RawHTTP.request("GET", "/v1/properties/8"))
            return try state(fixture) == 1
        }
        #expect(try fixture.get("/v1/properties/9").status == 503, "there is one probe at a time")
        gate.open()
        try eventually("the circuit is closed") { try state(fixture) == 0 }
        #expect(try fixture.get("/v1/properties/10").status == 200)
    }

    private func state(_ fixture: PublicFixture) throws -> Double {
        try MetricsPage(fixture.gateway).value("gateway_circuit_breaker_state", ["service": "parser"])
    }

    @Test func `a 5xx of an idempotent request is tried once more, of another not`() throws {
        let fixture = try PublicFixture()
        let counter = Counter()
        fixture.parser.handle { counter.next() % 2 == 1 ? .respond(503) : PublicFixture.echo($0) }
        #expect(try fixture.get("/v1/properties/1").status == 200)
        #expect(fixture.parser.requestCount == 2)
        let post = try fixture.gateway.exchange("POST", "/v1/predictions/batch", body: "{}")
        try expectProblem(post, 502, "UPSTREAM_ERROR")
        #expect(fixture.parser.requestCount == 3)
    }

    @Test func `a lasting 5xx is tried twice and is a 502`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in .respond(500, body: "secret stack trace") }
        let response = try fixture.get("/v1/properties/1")
        try expectProblem(response, 502, "UPSTREAM_ERROR")
        #expect(!response.bodyText.contains("secret"))
        #expect(fixture.parser.requestCount == 2)
    }

    @Test func `a reset of an idempotent request is tried once more`() throws {
        let fixture = try PublicFixture()
        let counter = Counter()
        fixture.parser.handle { counter.next() == 1 ? .reset : PublicFixture.echo($0) }
        #expect(try fixture.get("/v1/properties/1").status == 200)
    }

    @Test func `what cannot be connected to is a 502, whatever the method`() throws {
        let port = try FreePort.next()
        let fixture = try PublicFixture(["GATEWAY_PARSER_SERVICE_URL": "http://127.0.0.1:\(port)"])
        try expectProblem(try fixture.get("/v1/properties/1"), 502, "UPSTREAM_ERROR")
        let post = try fixture.gateway.exchange("POST", "/v1/properties/1/refresh")
        try expectProblem(post, 502, "UPSTREAM_ERROR")
        let page = try MetricsPage(fixture.gateway)
        let labels = ["service": "parser", "status": "connect_failed"]
        #expect(page.value("gateway_upstream_requests_total", labels) == 4, "each is tried twice")
    }

    @Test func `an upstream that hangs is a 504 after the timeout, and is not asked twice`() throws {
        let fixture = try PublicFixture(["GATEWAY_UPSTREAM_TIMEOUT_SECONDS": "0.3"])
        fixture.parser.handle { _ in .hang }
        try expectProblem(try fixture.get("/v1/properties/1"), 504, "UPSTREAM_TIMEOUT")
        #expect(fixture.parser.requestCount == 1)
    }

    @Test func `what is no HTTP is a 502`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in .raw("SSH-2.0-OpenSSH\r\n\r\n") }
        try expectProblem(try fixture.get("/v1/properties/1"), 502, "UPSTREAM_ERROR")
    }

    @Test func `an answer that breaks off is not passed off as whole`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handle { _ in .raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort") }
        try expectProblem(try fixture.get("/v1/properties/1"), 502, "UPSTREAM_ERROR")
        fixture.parser.handle { _ in .raw("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\nshort") }
        // Begun already: the connection is cut.
        #expect(throws: (any Error).self) { try fixture.get("/v1/properties/2") }
    }

    @Test func `retries end where they would be a fifth of the requests`() throws {
        let fixture = try PublicFixture(["GATEWAY_BREAKER_FAILURES": "10000"])
        fixture.parser.handle { _ in .respond(500) }
        let start = monotonicSeconds()
        let client = try RawHTTP(port: fixture.gateway.port)
        let requests = 200
        for number in 0..<requests {
            #expect(try client.exchange("GET", "/v1/properties/\(number)").status == 502)
        }
        let seconds = (monotonicSeconds() - start).rounded(.up) + 1
        let retries = fixture.parser.requestCount - requests
        #expect(retries >= 3)
        #expect(Double(retries) <= Double(requests) / 5 + 3 * seconds, "\(retries) retries in \(seconds) s")
    }
}
