// Guarantees 4 and 6: the order in which tasks are given, and enqueue by task id. Model and scripts both, through the harness.

import Testing

@testable import Gateway

@Suite struct QueueOrderTests {
    let queue: QueueHarness

    init() throws { queue = try QueueHarness() }

    @Test func `a lower priority number goes first on whatever platform and tier it is`() throws {
        try queue.enqueue("low", platform: "a", priority: 4)
        try queue.enqueue("normal", platform: "b", priority: 3, tier: 4)
        try queue.enqueue("urgent", platform: "c", priority: 1, tier: 2)
        try queue.enqueue("high", platform: "a", priority: 2)
        #expect(try queue.pull("w") == ["urgent", "high", "normal", "low"])
    }

    @Test func `inside a priority platforms take turns and each is first in first out`() throws {
        try queue.enqueue("a1", "a2", "a3", "a4", platform: "a")
        try queue.enqueue("b1", "b2", platform: "b")
        try queue.enqueue("c1", platform: "c")
        #expect(try queue.pull("w") == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
    }

    @Test func `turns go on where the last pull of any worker ended`() throws {
        try queue.enqueue("a1", "a2", "a3", platform: "a")
        try queue.enqueue("b1", "b2", "b3", platform: "b")
        #expect(try queue.pull("w1", capacity: 1) == ["a1"])
        #expect(try queue.pull("w2", capacity: 2) == ["b1", "a2"])
        #expect(try queue.pull("w3", capacity: 1, tierMax: 1) == ["b2"])
        #expect(try queue.pull("w4", capacity: 1, platforms: ["b", "a"]) == ["a3"])
    }

    @Test func `a platform is first in first out over the tiers a worker can do`() throws {
        try queue.enqueue("t4", tier: 4)
        try queue.enqueue("t1", tier: 1)
        try queue.enqueue("t3", tier: 3)
        try queue.enqueue("t2", tier: 2)
        #expect(try queue.pull("plain", tierMax: 1) == ["t1"])
        #expect(try queue.pull("better", tierMax: 3) == ["t3", "t2"])
        #expect(try queue.pull("better", tierMax: 3).isEmpty)
        #expect(try queue.pull("browser") == ["t4"])
    }

    @Test func `a worker that names platforms gets those only, each once however often it is named`() throws {
        try queue.enqueue("a1", platform: "a")
        try queue.enqueue("b1", platform: "b")
        try queue.enqueue("c1", "c2", platform: "c")
        #expect(try queue.pull("w", platforms: ["c", "x", "c", "a"]) == ["a1", "c1", "c2"])
    }

    @Test func `capacity counts over all queues`() throws {
        try queue.enqueue((1...12).map { ("t\($0)", QueueHarness.body("t\($0)", platform: "p\($0 % 5)")) })
        #expect(try queue.pull("w", capacity: 10).count == 10)
        #expect(try queue.pull("w", capacity: 10).count == 2)
    }

    @Test func `a retried task waits out its delay, then goes ahead of new tasks of its priority on any platform`()
        throws
    {
        try queue.enqueue("failed", platform: "a")
        _ = try queue.pull("w")
        try queue.fail("w", "failed")
        try queue.enqueue("new", "newer", platform: "b")
        try queue.enqueue("urgent", platform: "b", priority: 2)
        queue.advance(seconds: 29.999)
        #expect(try queue.pull("w", capacity: 2) == ["urgent", "new"])
        queue.advance(seconds: 0.001)
        #expect(try queue.pull("w") == ["failed", "newer"])
    }

    @Test func `a pull says when the next delayed task is due`() throws {
        try queue.enqueue("t")
        _ = try queue.pull("w")
        try queue.fail("w", "t")
        #expect(try queue.claim("w").dueMs == queue.nowMs + 30_000)
    }

    @Test func `enqueue is idempotent while the task is queued, leased, delayed or dead, and not after it ended`()
        throws
    {
        #expect(try queue.enqueue("t", "t") == [.accepted, .duplicate])
        _ = try queue.pull("w")
        #expect(try queue.enqueue("t") == [.duplicate])
        try queue.fail("w", "t")
        #expect(try queue.enqueue("t") == [.duplicate])
        queue.advance(seconds: 30)
        _ = try queue.pull("w")
        try queue.fail("w", "t", retry: false)
        #expect(try queue.enqueue("t") == [.duplicate])
        #expect(try queue.finish("w", "t") == .ended)
        #expect(try queue.enqueue("t") == [.accepted])
        #expect(try queue.claim("w").attempts == [1])
    }

    @Test func `a body that does not start as it must is refused alone`() throws {
        let tasks = [("good", QueueHarness.body("good")), ("bad", #"{"task_id":"bad","#)]
        #expect(try queue.enqueue(tasks) == [.accepted, .refused])
        try queue.compareState()
    }

    @Test func `a body is given back byte for byte with the attempt after it`() throws {
        let body =
            #"{"priority":3,"tier":1,"platform":"beacon","task_id":"t","target":{"n":1.50e+2, "ü":"\u00fc\n"},"attempt":"#
        try queue.enqueue([("t", body)])
        #expect(try queue.claim("w").tasks == [QueueModel.Delivered(body: body, attempt: 1)])
    }

    @Test func `thousands of platforms cost a pull no more commands than one`() throws {
        func commandsOfAPull() throws -> Int {
            try queue.redis("CONFIG", "RESETSTAT")
            _ = try queue.claim("w", capacity: 1)
            let lines = try queue.redis("INFO", "commandstats").text.split(separator: "\r\n")
            let calls = lines.compactMap { $0.split(separator: "calls=").dropFirst().first?.prefix { $0 != "," } }
            return calls.compactMap { Int($0) }.reduce(0, +)
        }
        try queue.heartbeat("w")
        try queue.enqueue("first", "second", "third", platform: "p0")
        let alone = try commandsOfAPull()
        for page in 0..<4 {
            try queue.enqueue((1...500).map { ("t\(page)-\($0)", QueueHarness.body("t", platform: "p\(page)-\($0)")) })
        }
        #expect(try commandsOfAPull() == alone)
    }

    @Test func `enqueue wakes who waits for work, and so does a task that is due again`() throws {
        let listener = try queue.redis.anotherConnection()
        try listener("SUBSCRIBE", queue.keys.wake)
        try queue.enqueue("a", "b")
        #expect(try listener.nextReply() == .array([.bulk("message"), .bulk(queue.keys.wake), .bulk("2")]))
        _ = try queue.pull("w", capacity: 1)
        try queue.fail("w", "a")
        queue.advance(seconds: 30)
        try queue.reap()
        #expect(try listener.nextReply().array.last == .bulk("1"))
    }
}
