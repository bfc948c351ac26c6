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
}
