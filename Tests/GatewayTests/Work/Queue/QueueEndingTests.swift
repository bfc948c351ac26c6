// Guarantees 5 and 7, fencing and cancel: how a task ends, once.

import Testing

@testable import Gateway

@Suite struct QueueEndingTests {
    let queue: QueueHarness

    init() throws {
        queue = try QueueHarness()
        try queue.enqueue("t")
    }

    /// Takes `t` from its silent worker.
    private func loseLease(of worker: String) throws {
        queue.advance(seconds: 1)
        try queue.heartbeat(worker)
        queue.advance(seconds: 300)
        try queue.reap()
    }

    @Test func `failing is retried after 30, 60 and 120 seconds, then dead`() throws {
        for (attempt, seconds) in [30, 60, 120].enumerated() {
            _ = try queue.pull("w")
            #expect(
                try queue.fail("w", "t")
                    == .retried(attempt: attempt + 1, afterMs: seconds * 1_000, platform: "beacon"))
            queue.advance(seconds: Double(seconds))
        }
        _ = try queue.pull("w")
        #expect(try queue.fail("w", "t") == .dead(attempt: 4, platform: "beacon"))
        let letter = try queue.deadLetters()[0]
        #expect(letter[1...2] == ["4", #"{"reason":"blocked","message":"t"}"#])
    }

    @Test func `failing without a retry is death at once`() throws {
        _ = try queue.pull("w")
        #expect(try queue.fail("w", "t", retry: false) == .dead(attempt: 1, platform: "beacon"))
    }

    @Test func `workers that died are not held against the retries of a task`() throws {
        _ = try queue.pull("w")
        try loseLease(of: "w")
        _ = try queue.pull("w")
        #expect(try queue.fail("w", "t") == .retried(attempt: 2, afterMs: 30_000, platform: "beacon"))
    }

    @Test func `a retry is never further off than a day`() throws {
        queue.rules.retriesMax = 40
        for _ in 1...40 {
            _ = try queue.pull("w")
            try queue.fail("w", "t")
            queue.advance(seconds: 86_400)
        }
        _ = try queue.pull("w")
        #expect(try queue.fail("w", "t") == .dead(attempt: 41, platform: "beacon"))
    }

    @Test func `complete by another than the holder is not leased`() throws {
        _ = try queue.pull("w1")
        #expect(try queue.complete("w2", "t") == .notLeased)
        #expect(try queue.complete("w1", "unknown") == .notLeased)
        #expect(try queue.complete("w1", "t") == .completed(platform: "beacon"))
        #expect(try queue.complete("w1", "t") == .notLeased)
    }

    @Test func `an older attempt is superseded for complete, fail and results`() throws {
        _ = try queue.pull("w1")
        try loseLease(of: "w1")
        #expect(try queue.claim("w1").attempts == [2])
        #expect(try queue.complete("w1", "t", attempt: 1) == .superseded)
        #expect(try queue.fail("w1", "t", attempt: 1) == .superseded)
        #expect(try queue.finish("w1", "t", attempt: 1) == .superseded)
        #expect(try queue.complete("w1", "t", attempt: 2) == .completed(platform: "beacon"))
    }

    @Test func `a result completes its task whoever holds the lease`() throws {
        _ = try queue.pull("w1")
        #expect(try queue.finish("w2", "t") == .ended)
        #expect(try queue.complete("w1", "t") == .notLeased)
        #expect(try queue.reconcile("w1", listed: ["t"]).lostTaskIDs == ["t"])
        try queue.compareState()
    }

    @Test func `a result completes its task while it waits to be given again`() throws {
        _ = try queue.pull("w1")
        try loseLease(of: "w1")
        #expect(try queue.finish("w1", "t", attempt: 1) == .ended)
        #expect(try queue.pull("w2").isEmpty)
        try queue.compareState()
    }

    @Test func `a result completes its task while it is delayed, dead or new`() throws {
        try queue.enqueue("delayed", "dead")
        _ = try queue.pull("w")
        try queue.fail("w", "delayed")
        try queue.fail("w", "dead", retry: false)
        try queue.enqueue("new")
        let reports = ["delayed", "dead", "new", "t"].map { QueueModel.Report(worker: "w", taskID: $0, attempt: 1) }
        #expect(try queue.finish(reports) == [.ended, .ended, .ended, .ended])
        try queue.compareState()
        #expect(queue.model.items.isEmpty)
    }

    @Test func `a task is completed once`() throws {
        _ = try queue.pull("w")
        let report = QueueModel.Report(worker: "w", taskID: "t", attempt: nil)
        #expect(try queue.finish([report, report]) == [.ended, .notKnown])
        #expect(try queue.finish([report]) == [.notKnown])
    }

    @Test func `ending tasks takes no memory, so that it works when Redis has none left`() throws {
        try queue.enqueue("u")
        _ = try queue.pull("w")
        queue.advance(seconds: 1)
        try queue.redis("CONFIG", "SET", "maxmemory", "1")
        let refused = try? queue.run(.enqueue, ["v", QueueHarness.body("v")])
        #expect(refused == nil)
        #expect(try queue.finish("w", "t") == .ended)
        #expect(try queue.complete("w", "u") == .completed(platform: "beacon"))
    }

    @Test(arguments: QueueScript.allCases)
    func `a script that Redis refuses for want of memory has moved nothing`(script: QueueScript) throws {
        try queue.enqueue("late", "dead", "held")
        _ = try queue.pull("w", platforms: ["beacon"])
        try queue.fail("w", "late")
        try queue.fail("w", "dead", retry: false)
        _ = try queue.run(.proxyTake, ["w", "beacon", "1", "1", "h:2"])
        queue.advance(seconds: 100)
        let before = try keyspace(of: queue.redis, keys: queue.keys)
        try queue.redis("CONFIG", "SET", "maxmemory", "1")
        let arguments: [String] =
            switch script {
            case .enqueue: ["v", QueueHarness.body("v")]
            case .claim: ["w", "10", "4", "p", "90000", "3600000", "10000"]
            case .fail: ["w", "held", "", "1", "3", "30000", "{}"]
            case .heartbeats: ["w", "{}"]
            case .reconcile: ["w", "90000", "3"]
            case .reap: ["100", "50000", "90000", "3600000", "3", "86400000"]
            case .reaperLock: ["acquire", "x", "1000"]
            case .bury: ["v", QueueHarness.body("v"), "{}"]
            case .deadMove: ["requeue", "10", ""]
            case .command: ["w", "pause"]
            case .commandAll: ["300000", "pause", "", "10"]
            case .proxyPool: ["h:1"]
            case .proxyTake: ["w", "beacon", "1", "1", "h:1"]
            case .proxyDrop: ["w", "beacon", "", "1"]
            case .proxyReap, .finish, .complete, .cancel, .deadList, .takeCommands, .workers, .stats: []
            }
        guard !arguments.isEmpty else { return }
        #expect(throws: PrivateRedis.Failure.self) { try queue.run(script, arguments) }
        #expect(try keyspace(of: queue.redis, keys: queue.keys) == before)
    }

    @Test func `cancel drops a waiting, delayed or dead task and knows nothing of others`() throws {
        try queue.enqueue("delayed", "dead")
        _ = try queue.pull("w")
        try queue.fail("w", "delayed")
        try queue.fail("w", "dead", retry: false)
        try queue.enqueue("waiting")
        for id in ["delayed", "dead", "waiting"] { #expect(try queue.cancel(id) == .dropped) }
        #expect(try queue.cancel("waiting") == .unknown)
        try queue.compareState()
    }

    @Test func `a cancelled task is gone at once and its holder is told`() throws {
        _ = try queue.pull("w")
        #expect(try queue.cancel("t") == .cancelled(holder: "w"))
        #expect(try queue.reconcile("w", listed: ["t"]).lostTaskIDs == ["t"])
        #expect(try queue.complete("w", "t") == .notLeased)
        #expect(try queue.fail("w", "t") == .notLeased)
        try queue.compareState()
    }
}
