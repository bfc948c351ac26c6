// Whose heartbeats are sent, and one request to any server.

import Reactor
import Testing

@testable import Bench

@Suite struct HeartbeatScenarioTests {
    @Test func `worker ids take turns, shared by the loops`() throws {
        var ids: [String] = []
        for index in 0..<2 {
            let scenario = HeartbeatScenario(
                target: testTarget, identity: testIdentity, path: "/internal/heartbeat", workers: 6,
                share: LoopShare(index: index, count: 2))
            for _ in 0..<6 {
                let (_, request) = try written(by: scenario)
                #expect(request.body == HeartbeatScenario.body && request.method == "POST")
                ids.append(request.headers["x-worker-id"] ?? "")
            }
        }
        #expect(ids == ["0", "2", "4", "0", "2", "4", "1", "3", "5", "1", "3", "5"].map { "w-\($0)" })
    }

    @Test func `a request to any server has the method, headers and body that were asked for`() throws {
        let target = try Target("http://127.0.0.1:9/a?b=c")
        let plain = GetScenario(target: target, method: "GET", headers: [], body: [])
        #expect(
            try written(by: plain).1
                == WrittenRequest(method: "GET", target: "/a?b=c", body: "", headers: ["host": "127.0.0.1:9"]))
        let post = GetScenario(target: target, method: "POST", headers: [("X-A", "b")], body: Array("text".utf8))
        let (_, request) = try written(by: post)
        #expect(request.body == "text" && request.headers["x-a"] == "b" && request.headers["content-length"] == "4")
        #expect(GetScenario(target: target, method: "HEAD", headers: [], body: []).sendsHEAD)
        let moved = post.answered(Ticket(), status: 302, body: RawSpan(), now: Instant(nanoseconds: 0))
        let missing = post.answered(Ticket(), status: 404, body: RawSpan(), now: Instant(nanoseconds: 0))
        #expect(moved == .good && missing == .refused)
    }

    @Test func `a request to any server is another one each time, where that is asked for, shared by the loops`() throws
    {
        var sent: [String] = []
        for index in 0..<2 {
            let scenario = GetScenario(
                target: testTarget, method: "GET", headers: [("X-A", "a{}b{}"), ("X-B", "{")], body: [], distinct: 300,
                share: LoopShare(index: index, count: 2))
            for _ in 0..<151 {
                let (_, request) = try written(by: scenario)
                #expect(request.headers["x-b"] == "{")
                sent.append(request.headers["x-a"] ?? "")
            }
        }
        #expect(sent[..<2] == ["a0000b0000", "a0002b0002"] && sent[151] == "a0001b0001")
        // After all three hundred it begins again.
        #expect(sent[150] == "a0000b0000" && Set(sent).count == 300 && sent.contains("a012bb012b"))
    }

    @Test func `the status that is asked for is the good one`() {
        let scenario = GetScenario(target: testTarget, method: "GET", headers: [], body: [], good: 401)
        for (status, verdict) in [(200, Verdict.refused), (401, .good), (403, .refused)] {
            let found = scenario.answered(Ticket(), status: status, body: RawSpan(), now: Instant(nanoseconds: 0))
            #expect(found == verdict)
        }
    }
}
