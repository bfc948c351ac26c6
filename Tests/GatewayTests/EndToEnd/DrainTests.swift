// How the process ends: requests in flight finish, idle connections close, exit 0; a second signal ends it at once.
// Source: operations.md section 1.

import Foundation
import TestSupport
import Testing

@Suite struct DrainTests {
    /// Sends all of a heartbeat but its last byte: a request in flight for as long as the test wants. It goes out together
    /// with a whole request, whose answer shows that the gateway has read both.
    private func begin(_ worker: WorkerClient) throws -> String {
        let body = Sample.heartbeat()
        let request = RawHTTP.request("POST", "/internal/heartbeat", headers: worker.headers, body: body)
        try worker.http.send(RawHTTP.request("GET", "/health") + request.dropLast())
        #expect(try worker.http.readResponse().status == 200)
        return String(body.last ?? "}")
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal lets the request in flight finish, closes idle connections, and ends with 0`(signal: Int32) throws {
        let live = try Live()
        let busy = try live.worker()
        let rest = try begin(busy)
        let idle = try (0..<20).map { _ in try live.worker() }
        for worker in idle { try worker.http.expectKept() }
        live.gateway.signal(signal)
        for worker in idle { try worker.http.expectClosed() }
        // Nobody is accepted any more, and the gateway waits.
        #expect(throws: TestFailure.self) { try live.gateway.exchange("GET", "/health") }
        #expect(live.gateway.isRunning)
        try busy.http.send(rest)
        let answer = try busy.http.readResponse()
        #expect(answer.status == 200)
        #expect(answer.header("Connection") == "close")
        try busy.http.expectClosed()
        #expect(try live.gateway.waitForExit() == .exited(0))
        #expect(live.gateway.log.contains("stopped"))
    }

    @Test func `pipelined requests that were read before the signal are all answered`() throws {
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        let worker = try live.worker()
        var bytes: [UInt8] = []
        for number in 0..<50 {
            let item = Sample.result("drained-\(number)")
            bytes += RawHTTP.request("POST", "/internal/results", headers: worker.headers, body: "[\(item)]")
        }
        let rest = try begin(worker)
        try worker.http.send(Array(rest.utf8) + bytes)
        // The first answer: the others are in flight or done.
        #expect(try worker.http.readResponse().status == 200)
        live.gateway.signal(SIGTERM)
        var acknowledged = 0
        // `try?`: the connection may close after any of them, but not inside one.
        while let response = try? worker.http.readResponse() {
            #expect(response.status == 200)
            acknowledged += 1
        }
        #expect(try live.gateway.waitForExit() == .exited(0))
        let stored = try live.database.count("SELECT count(*) FROM parcel_results")
        #expect(stored >= acknowledged)
    }

    @Test func `readiness turns 503 first, and the gateway goes on serving for the delay`() throws {
        let live = try Live(["GATEWAY_DRAIN_DELAY_SECONDS": "2"])
        let worker = try live.worker()
        let start = monotonicSeconds()
        live.gateway.signal(SIGTERM)
        try eventually("readiness is 503") { try live.gateway.exchange("GET", "/health/ready").status == 503 }
        let ready = try live.gateway.exchange("GET", "/health/ready")
        #expect(try ready.jsonObject()["status"] as? String == "unavailable")
        #expect(ready.header("Retry-After") != nil)
        #expect(try live.gateway.exchange("GET", "/health").status == 200)
        #expect(try worker.heartbeat()["acknowledged"] as? Bool == true)
        #expect(try live.gateway.waitForExit() == .exited(0))
        #expect(monotonicSeconds() - start >= 2)
    }

    @Test func `a long poll is answered empty at once`() throws {
        let live = try Live()
        let worker = try live.worker()
        try worker.http.send(RawHTTP.request("GET", "/internal/work?wait=30", headers: worker.headers))
        // Its pull has been noted: the gateway has it.
        try eventually("the poll has arrived") { try QueueView(live).hasSeen(worker.id) }
        let start = monotonicSeconds()
        live.gateway.signal(SIGTERM)
        let answer = try WorkerClient.success(worker.http.readResponse())
        #expect(answer["tasks"] as? [String] == [])
        #expect(monotonicSeconds() - start < 10)
        #expect(try live.gateway.waitForExit() == .exited(0))
    }

    @Test func `a second signal ends the process at once`() throws {
        let live = try Live()
        let busy = try live.worker()
        _ = try begin(busy)
        live.gateway.signal(SIGTERM)
        try eventually("it drains") { (try? RawHTTP(port: live.port)) == nil }
        #expect(live.gateway.isRunning)
        live.gateway.signal(SIGTERM)
        #expect(try live.gateway.waitForExit(deadlineSeconds: 5) != .exited(0))
    }

    @Test func `a request that never ends is given up after the drain time`() throws {
        let live = try Live(["GATEWAY_DRAIN_SECONDS": "0.3"])
        let busy = try live.worker()
        _ = try begin(busy)
        live.gateway.signal(SIGTERM)
        #expect(try live.gateway.waitForExit(deadlineSeconds: 20) == .exited(0))
        #expect(live.gateway.log.contains("still in flight"))
        try busy.http.expectClosed()
    }

    @Test func `SIGHUP and SIGPIPE do not end it`() throws {
        let live = try Live()
        for signal in [SIGHUP, SIGPIPE, SIGHUP] { live.gateway.signal(signal) }
        #expect(try live.worker().heartbeat()["acknowledged"] as? Bool == true)
        #expect(try live.gateway.terminate() == .exited(0))
    }
}
