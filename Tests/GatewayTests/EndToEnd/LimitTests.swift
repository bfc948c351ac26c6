// The limits of api.md section 6 as a client meets them: sizes, times, rates and connections, set low here.

import TestSupport
import Testing

@Suite struct LimitTests {
    private static let bodyBytesMax = 4000
    /// Of the gateway with little patience: a half second is long for a client on the same machine.
    private static let patience = "0.5"

    private static let limitedResult = Result {
        try Live([
            "GATEWAY_BODY_BYTES_MAX": "\(bodyBytesMax)", "GATEWAY_HEADER_TIMEOUT_SECONDS": patience,
            "GATEWAY_BODY_GRACE_SECONDS": patience, "GATEWAY_BODY_RATE_BYTES_MIN": "1000000000",
            "GATEWAY_IDLE_TIMEOUT_SECONDS": "1", "GATEWAY_WORKER_RATE_PER_MINUTE": "6",
            "GATEWAY_WORKER_RATE_BURST": "3",
        ])
    }
    private static var limited: Live { get throws { try limitedResult.get() } }

    private func padded(_ byteCount: Int) -> String {
        let body = Sample.heartbeat()
        return body + String(repeating: " ", count: byteCount - body.utf8.count)
    }

    // MARK: 413

    @Test func `a body of the limit passes, one byte more is a 413 and the connection goes on`() throws {
        let worker = try Self.limited.worker()
        #expect(try worker.send("POST", "/internal/heartbeat", body: padded(Self.bodyBytesMax)).status == 200)
        let response = try worker.send("POST", "/internal/heartbeat", body: padded(Self.bodyBytesMax + 1))
        try expectProblem(response, 413, "PAYLOAD_TOO_LARGE", ProblemDetails(says: "\(Self.bodyBytesMax)"))
        try worker.http.expectKept()
    }

    @Test(arguments: [
        [("Content-Length", "100000000")], [("Content-Length", "9223372036854775807")],
        [("Content-Length", "5000"), ("Expect", "100-continue")],
    ])
    func `an announced body over the limit is refused before it comes`(more: [(String, String)]) throws {
        let worker = try Self.limited.worker()
        let response = try worker.send("POST", "/internal/results", more: more)
        try expectProblem(response, 413, "PAYLOAD_TOO_LARGE")
        #expect(response.header("Connection") == "close")
        try worker.http.expectClosed()
    }

    @Test func `a chunked body is refused where it passes the limit`() throws {
        let worker = try Self.limited.worker()
        let head = RawHTTP.request(
            "POST", "/internal/heartbeat", headers: worker.headers + [("Transfer-Encoding", "chunked")])
        let chunk = "3e8\r\n\(String(repeating: " ", count: 1000))\r\n"
        try worker.http.send(head + Array(String(repeating: chunk, count: 5).utf8))
        let response = try worker.http.readResponse()
        try expectProblem(response, 413, "PAYLOAD_TOO_LARGE")
        #expect(response.header("Connection") == "close")
        try worker.http.expectClosed()
    }

    @Test func `a chunk that announces more than the limit is refused at once`() throws {
        let worker = try Self.limited.worker()
        let head = RawHTTP.request(
            "POST", "/internal/heartbeat", headers: worker.headers + [("Transfer-Encoding", "chunked")])
        try worker.http.send(head + Array("fffffff\r\n".utf8))
        try expectProblem(worker.http.readResponse(), 413, "PAYLOAD_TOO_LARGE")
        try worker.http.expectClosed()
    }

    // MARK: 100-continue

    @Test func `a client that expects it is told to go on`() throws {
        let worker = try Self.limited.worker()
        let body = Sample.heartbeat()
        let more = [("Expect", "100-continue"), ("Content-Length", "\(body.utf8.count)")]
        try worker.http.send(RawHTTP.request("POST", "/internal/heartbeat", headers: worker.headers + more))
        #expect(try worker.http.readResponse().status == 100)
        try worker.http.send(body)
        #expect(try worker.http.readResponse().status == 200)
    }

    // MARK: 408

    private func expectTimeout(_ bytes: String, on worker: WorkerClient) throws {
        try worker.http.send(bytes)
        let response = try worker.http.readResponse()
        try expectProblem(response, 408, "REQUEST_TIMEOUT")
        #expect(response.header("Connection") == "close")
        try worker.http.expectClosed()
    }

    @Test func `a head that does not end in time is a 408`() throws {
        try expectTimeout("POST /internal/heartbeat HTTP/1.1\r\nHost: a\r\nX-Wor", on: Self.limited.worker())
        let reused = try Self.limited.worker()
        try reused.http.expectKept()
        try expectTimeout("GET", on: reused)
    }

    @Test func `trickled header lines do not stretch the time for the head`() throws {
        let http = try RawHTTP(port: Self.limited.port, timeoutSeconds: 30)
        try http.send("GET /health HTTP/1.1\r\nHost: a\r\n")
        var lines = 0
        try eventually("the gateway answers", deadlineSeconds: 20) {
            guard http.socket.received.isEmpty else { return true }
            lines += 1
            // A failed send: the gateway has closed, which the answer shows.
            guard (try? http.send("X: \(lines % 10)\r\n")) != nil else { return true }
            return false
        }
        try expectProblem(http.readResponse(), 408, "REQUEST_TIMEOUT")
    }

    @Test func `a body that does not come in time is a 408`() throws {
        let worker = try Self.limited.worker()
        let head = String(
            decoding: RawHTTP.request(
                "POST", "/internal/heartbeat", headers: worker.headers + [("Content-Length", "200")]), as: UTF8.self)
        try expectTimeout(head + "{\"active", on: worker)
    }

    @Test func `a chunked body that stops is a 408`() throws {
        let worker = try Self.limited.worker()
        let head = String(
            decoding: RawHTTP.request(
                "POST", "/internal/heartbeat", headers: worker.headers + [("Transfer-Encoding", "chunked")]),
            as: UTF8.self)
        try expectTimeout(head + "5\r\n{", on: worker)
    }

    @Test func `tasks that stop coming are a 408, and those that came are queued`() throws {
        let live = try Self.limited
        let worker = try live.worker()
        let headers = WorkerClient.opsHeaders + [("Transfer-Encoding", "chunked")]
        let head = String(decoding: RawHTTP.request("POST", "/internal/tasks", headers: headers), as: UTF8.self)
        try expectTimeout(head + "5\r\n[    ", on: worker)
        try live.waitUntilReady()
    }

    @Test func `an idle connection is closed without a word, before and after a request`() throws {
        let fresh = try RawHTTP(port: Self.limited.port, timeoutSeconds: 30)
        let used = try RawHTTP(port: Self.limited.port, timeoutSeconds: 30)
        try used.expectKept()
        try fresh.expectClosed()
        try used.expectClosed()
    }

    // MARK: 429

    @Test func `a worker over its rate is a 429 with the headers of the rate, and others go on`() throws {
        let live = try Self.limited
        let worker = try live.worker()
        let hits = try MetricsPage(live).value("gateway_rate_limit_hits_total", ["tier": "worker"])
        for remaining in [2, 1, 0] {
            let response = try worker.send("POST", "/internal/heartbeat", body: Sample.heartbeat())
            #expect(response.status == 200)
            try expectRate(response, remaining: remaining)
        }
        let response = try worker.send("POST", "/internal/heartbeat", body: Sample.heartbeat())
        try expectProblem(response, 429, "RATE_LIMIT_EXCEEDED")
        try expectRate(response, remaining: 0)
        let wait = try #require(response.header("Retry-After").flatMap { Int($0) })
        #expect((1...10).contains(wait))
        // Any endpoint, the same bucket.
        #expect(try worker.send("GET", "/internal/work").status == 429)
        #expect(try live.worker().heartbeat()["acknowledged"] as? Bool == true)
        #expect(try MetricsPage(live).value("gateway_rate_limit_hits_total", ["tier": "worker"]) == hits + 2)
    }

    private func expectRate(_ response: HTTPResponse, remaining: Int) throws {
        #expect(response.header("X-RateLimit-Limit") == "6")
        #expect(response.header("X-RateLimit-Remaining") == "\(remaining)")
        let reset = try #require(response.header("X-RateLimit-Reset").flatMap { Int($0) })
        let now = Int(wallSeconds())
        #expect((now...now + 60).contains(reset), "reset \(reset) at \(now)")
    }

    @Test func `refused bodies and unknown paths carry the rate's headers where there was a worker`() throws {
        let worker = try Self.limited.worker()
        let invalid = try worker.send("POST", "/internal/heartbeat", body: "{}")
        #expect(invalid.status == 422)
        try expectRate(invalid, remaining: 2)
        #expect(try worker.send("GET", "/nowhere").header("X-RateLimit-Limit") == nil)
    }

    // MARK: Connections

    @Test func `a connection over the limit of its address is told 503 and closed`() throws {
        let live = try Live(["GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": "40"])
        // Connections of the fixture that are just closing still count.
        let held = try (0..<40).compactMap { _ in try self.holding(live) }
        try eventually("the next one is refused") {
            let http = try RawHTTP(port: live.port)
            // Refused connections answer without being asked; an admitted one says nothing.
            http.socket.timeoutSeconds = 0.2
            guard let response = try? http.readResponse() else { return false }
            #expect(response.status == 503)
            #expect(response.errorCode == "SERVICE_UNAVAILABLE")
            #expect(response.header("Retry-After") != nil)
            #expect(response.header("Connection") == "close")
            try http.expectClosed()
            return true
        }
        for http in held { try http.expectKept() }
        for http in held { http.close() }
        try eventually("there is room again") { (try? live.gateway.exchange("GET", "/health").status) == 200 }
    }

    /// A connection that has been served; nil where it was refused.
    private func holding(_ live: Live) throws -> RawHTTP? {
        let http = try RawHTTP(port: live.port)
        // Refused: another one of the fixture's was still counted.
        guard let response = try? http.exchange("GET", "/health"), response.status == 200 else { return nil }
        return http
    }

    @Test func `more pipelined requests than the limit are all answered, in order`() throws {
        let live = try Live(["GATEWAY_PIPELINE_MAX": "8", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        let worker = try live.worker()
        var bytes: [UInt8] = []
        for number in 0..<500 {
            bytes += RawHTTP.request(
                "POST", "/internal/heartbeat", headers: worker.headers + [("X-Request-ID", "\(number)")],
                body: Sample.heartbeat())
        }
        try worker.http.send(bytes)
        for number in 0..<500 {
            let response = try worker.http.readResponse()
            #expect(response.status == 200 && response.header("X-Request-ID") == "\(number)")
        }
    }
}
