// The registry, commands, dead letters and figures that operators see.

import Testing

@testable import Gateway

@Suite struct QueueFleetTests {
    let queue: QueueHarness

    init() throws { queue = try QueueHarness() }

    private func kill(_ ids: String...) throws {
        for id in ids {
            try queue.enqueue(id)
            _ = try queue.pull("w", capacity: 1)
            try queue.fail("w", id, retry: false)
        }
    }

    @Test func `commands come with the next heartbeat, in order, once`() throws {
        try queue.heartbeat("w1", "w2")
        #expect(try queue.command("pause", to: "w2") == .left)
        #expect(try queue.command("resume", to: "w2") == .left)
        #expect(try queue.heartbeat("w1", "w2", "w3") == [false, true, false])
        #expect(try queue.takeCommands("w2") == ["pause", "resume"])
        #expect(try queue.heartbeat("w2") == [false])
    }

    @Test func `a command to a worker nobody knows is refused, and so is one too many`() throws {
        #expect(try queue.command("pause", to: "w1") == .unknown)
        try queue.heartbeat("w1")
        for _ in 1...100 { try queue.command("pause", to: "w1") }
        #expect(try queue.command("pause", to: "w1") == .full)
    }

    @Test func `a command to all reaches those alive now, step by step`() throws {
        try queue.heartbeat("old")
        queue.advance(seconds: 300)
        try queue.heartbeat("w1", "w2", "w3")
        #expect(try queue.commandAll("shutdown", limit: 2) == 3)
        #expect(try queue.heartbeat("old", "w1", "w2", "w3") == [false, true, true, true])
        try queue.compareState()
    }

    @Test func `the fleet is paged by worker id with last seen, leases and status`() throws {
        try queue.heartbeat("w2", "w1")
        try queue.enqueue("t")
        queue.advance(seconds: 1)
        _ = try queue.pull("w3")
        let first = try queue.run(.workers, ["", "2"]).array.map(\.text)
        let seen = "\(queue.nowMs - 1_000)"
        let status = #"{"at":\#(seen)}"#
        #expect(first == ["\(queue.nowMs)", "3", "w2", "w1", seen, "0", status, "w2", seen, "0", status])
        let second = try queue.run(.workers, ["w2", "2"]).array.map(\.text)
        #expect(second == ["\(queue.nowMs)", "3", "", "w3", "\(queue.nowMs)", "1", ""])
    }

    @Test func `a worker long gone leaves no trace`() throws {
        try queue.enqueue("t")
        _ = try queue.pull("w1", poll: "p")
        _ = try queue.complete("w1", "t")
        try queue.heartbeat("w1")
        try queue.command("pause", to: "w1")
        queue.advance(seconds: 86_400)
        #expect(try queue.reap().dropped == 1)
        #expect(
            try keyspace(of: queue.redis, keys: queue.keys).keys.sorted() == [queue.keys.sequence, queue.keys.turns])
    }

    @Test func `requeued dead letters have all their retries again, keep their attempts and go ahead of new tasks`()
        throws
    {
        try kill("a", "b")
        try queue.enqueue("new")
        #expect(try queue.moveDead(requeue: true, ids: ["a", "a", "new", "unknown"]) == 1)
        let delivery = try queue.claim("w")
        #expect(delivery.ids == ["a", "new"])
        #expect(delivery.attempts == [2, 1])
        #expect(try queue.fail("w", "a") == .retried(attempt: 2, afterMs: 30_000, platform: "beacon"))
        #expect(try queue.deadLetters().count == 1)
    }

    @Test func `all dead letters are requeued or deleted in bounded steps`() throws {
        try kill("a", "b", "c", "d", "e")
        #expect(try queue.deadLetters(limit: 2).count == 5)
        #expect(try queue.moveDead(requeue: false, ids: ["b"]) == 1)
        #expect(try queue.moveAllDead(requeue: true, limit: 2) == 4)
        try queue.compareState()
    }

    @Test func `what dies while all are requeued stays dead`() throws {
        try kill("a")
        let first = try queue.run(.deadMove, ["requeue", "1", ""]).array
        #expect(first[2].integer == 1)
        _ = try queue.run(.claim, ["w", "1", "4", "", "90000", "3600000", "10"])
        _ = try queue.run(.fail, ["w", "a", "", "0", "3", "30000", "{}"])
        #expect(try queue.run(.deadMove, ["requeue", "1", first[1].text]).array[0].integer == 0)
    }

    @Test func `what is no task goes to the dead letters once, with its reason`() throws {
        let body = QueueHarness.body("x")
        let error = #"{"reason":"format_changed","message":"not JSON"}"#
        #expect(try queue.run(.bury, ["x", body, error]).integer == 1)
        #expect(queue.model.bury(id: "x", body: body, error: error, nowMs: queue.nowMs) == .buried)
        #expect(try queue.run(.bury, ["x", body, error]).integer == 0)
        #expect(try queue.run(.bury, ["y", "{}", error]).integer == 2)
        #expect(try queue.deadLetters() == [[body, "0", error, "\(queue.nowMs)"]])
        try queue.compareState()
        #expect(try queue.moveAllDead(requeue: true) == 1)
        #expect(try queue.claim("w").attempts == [1])
    }

    @Test
    func `the figures count what is queued, leased, delayed and dead, by platform and priority, and date the oldest`()
        throws
    {
        try kill("dead")
        try queue.enqueue("old", platform: "a", priority: 3)
        let oldestMs = queue.nowMs
        queue.advance(seconds: 10)
        try queue.enqueue("u1", "u2", "u3", platform: "a", priority: 1, tier: 4)
        try queue.enqueue("b1", platform: "b", priority: 4, tier: 2)
        _ = try queue.pull("w", capacity: 2)
        try queue.fail("w", "u1")
        let stats = try queue.stats(limit: 1)
        #expect((stats.queued, stats.leased) == (3, 1))
        #expect((stats.delayed, stats.dead) == (1, 1))
        #expect(stats.oldestMs == oldestMs)
        #expect(stats.depth == ["a": [1: 1, 3: 1], "b": [4: 1]])
    }

    @Test func `kinds and partitions share no key`() throws {
        let other = QueueKeys(kind: "party", partition: 1)
        #expect(other.prefix == "{party:1}:")
        try queue.enqueue("t")
        let keys = try keyspace(of: queue.redis, keys: queue.keys).keys
        #expect(keys.allSatisfy { $0.hasPrefix("{parcel:0}:") })
    }

    @Test func `outside tests Redis tells the time`() throws {
        let hash = try queue.redis("SCRIPT", "LOAD", QueueScript.workers.source).text
        let time = try queue.redis("TIME").array.map(\.integer)
        let told = try queue.redis("EVALSHA", hash, "1", queue.keys.prefix, "", "", "1").array[0].integer
        #expect(told >= time[0] * 1_000 && told <= time[0] * 1_000 + 60_000)
    }

    @Test func `a body is written so that the scripts can read it`() throws {
        let rendered = renderedBody(platform: "qpublic.net")
        let head = try #require(TaskBody.Head(of: rendered))
        #expect((head.priority, head.tier, head.platform) == (2, 3, "qpublic.net"))
        #expect(try queue.enqueue([("t", rendered)]) == [.accepted])
        #expect(try queue.claim("w").tasks.first?.body == rendered)
        #expect(!TaskBody.isPlatform("".utf8) && !TaskBody.isPlatform("a b".utf8) && !TaskBody.isPlatform("a\"".utf8))
        #expect(!TaskBody.isPlatform(String(repeating: "a", count: 65).utf8))
    }
}
