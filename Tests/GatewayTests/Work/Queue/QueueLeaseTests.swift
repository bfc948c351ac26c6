// Guarantee 3: a task is leased to one worker at a time and comes back from one that died, stalled or never got it.

import Testing

@testable import Gateway

@Suite struct QueueLeaseTests {
    let queue: QueueHarness

    init() throws {
        queue = try QueueHarness()
        try queue.enqueue("t")
    }

    @Test func `a task is leased to one worker at a time`() throws {
        #expect(try queue.pull("w1") == ["t"])
        #expect(try queue.pull("w2").isEmpty)
    }

    @Test func `a lease lives as long as its worker is heard from`() throws {
        _ = try queue.pull("w1")
        for _ in 1...20 {
            queue.advance(seconds: 100)
            try queue.heartbeat("w1")
            #expect(try queue.reap().takenBack.isEmpty)
        }
        #expect(try queue.complete("w1", "t") == .completed(platform: "beacon"))
    }

    @Test func `a worker silent for the lease time loses its tasks, and the attempt grows`() throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 1)
        try queue.heartbeat("w1")
        queue.advance(seconds: 299.999)
        #expect(try queue.reap().takenBack.isEmpty)
        queue.advance(seconds: 0.001)
        #expect(try queue.reap().takenBack.map(\.outcome) == [.lost])
        #expect(try queue.claim("w2").attempts == [2])
        try queue.compareState()
    }

    @Test(arguments: ["pull", "complete", "fail", "finish", "reconcile"])
    func `whatever a worker sends is a sign of life`(sign: String) throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 80)
        switch sign {
        case "pull": _ = try queue.pull("w1")
        case "complete": _ = try queue.complete("w1", "other")
        case "fail": try queue.fail("w1", "other")
        case "finish": _ = try queue.finish("w1", "other")
        default: try queue.reconcile("w1", listed: ["t"])
        }
        queue.advance(seconds: 299)
        #expect(try queue.reap().takenBack.isEmpty)
        queue.advance(seconds: 1)
        #expect(try queue.reap().takenBack.count == 1)
    }

    @Test func `a delivery without a sign of life after it returns in 90 s and costs no attempt`() throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 89.999)
        #expect(try queue.reap().takenBack.isEmpty)
        queue.advance(seconds: 0.001)
        #expect(try queue.reap().takenBack.map(\.outcome) == [.returned])
        #expect(try queue.claim("w2").attempts == [1])
    }

    @Test func `a sign of life in the instant of the delivery does not confirm it`() throws {
        _ = try queue.pull("w1")
        try queue.heartbeat("w1")
        queue.advance(seconds: 90)
        #expect(try queue.reap().takenBack.map(\.outcome) == [.returned])
    }

    @Test func `only the delivery that went unanswered is short, earlier ones of the worker live on`() throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 10)
        try queue.enqueue("late")
        #expect(try queue.pull("w1") == ["late"])
        queue.advance(seconds: 90)
        #expect(try queue.reap().takenBack.count == 1)
        #expect(try queue.pull("w2") == ["late"])
        #expect(try queue.complete("w1", "t") == .completed(platform: "beacon"))
    }

    @Test func `a task is not out longer than the task timeout, however alive its worker`() throws {
        _ = try queue.pull("w1")
        for _ in 1...35 {
            queue.advance(seconds: 100)
            try queue.heartbeat("w1")
        }
        queue.advance(seconds: 99.999)
        try queue.heartbeat("w1")
        #expect(try queue.reap().takenBack.isEmpty)
        queue.advance(seconds: 0.001)
        #expect(try queue.reap().takenBack.map(\.outcome) == [.lost])
        #expect(try queue.claim("w2").attempts == [2])
    }

    @Test func `a task whose workers died under it one time more than it may be retried is dead`() throws {
        for round in 1...4 {
            #expect(try queue.claim("w\(round)").attempts == [round])
            queue.advance(seconds: 1)
            try queue.heartbeat("w\(round)")
            queue.advance(seconds: 300)
            #expect(try queue.reap().takenBack.map(\.outcome) == [round == 4 ? .dead : .lost])
        }
        let letter = try queue.deadLetters()[0]
        #expect(letter[1] == "4")
        #expect(letter[2].contains("worker_lost"))
        #expect(letter[3] == "\(queue.nowMs)")
        try queue.compareState()
    }

    @Test func `a task that kills every worker before its first sign of life does not go round for ever`() throws {
        for round in 1...8 {
            #expect(try queue.claim("w\(round)").attempts == [1])
            queue.advance(seconds: 90)
            #expect(try queue.reap().takenBack.map(\.outcome) == [.returned])
        }
        for round in 1...4 {
            #expect(try queue.claim("x\(round)").attempts == [round])
            queue.advance(seconds: 90)
            #expect(try queue.reap().takenBack.map(\.outcome) == [round == 4 ? .dead : .lost])
        }
    }

    @Test func `what comes back keeps its place ahead of new tasks`() throws {
        try queue.enqueue("u")
        _ = try queue.pull("w1", capacity: 1)
        _ = try queue.pull("w2", capacity: 1)
        try queue.enqueue("new")
        queue.advance(seconds: 90)
        try queue.reap()
        #expect(try queue.pull("w3") == ["t", "u", "new"])
    }

    @Test func `a pull repeated with its poll id gets the same tasks again at the same attempt`() throws {
        try queue.enqueue("u", "v")
        #expect(try queue.pull("w1", capacity: 2, poll: "p") == ["t", "u"])
        queue.advance(seconds: 5)
        let again = try queue.claim("w1", capacity: 2, poll: "p")
        #expect(again.isRepeated)
        #expect(again.ids == ["t", "u"])
        #expect(again.attempts == [1, 1])
        #expect(try queue.pull("w2", poll: "p") == ["v"])
    }

    @Test func `a repeated pull leaves out what has ended, and claims anew once all has`() throws {
        try queue.enqueue("u", "v")
        _ = try queue.pull("w1", capacity: 2, poll: "p")
        _ = try queue.complete("w1", "t")
        #expect(try queue.pull("w1", capacity: 2, poll: "p") == ["u"])
        _ = try queue.complete("w1", "u")
        #expect(try queue.pull("w1", capacity: 2, poll: "p") == ["v"])
    }

    @Test func `a repeated delivery must be confirmed anew`() throws {
        _ = try queue.pull("w1", poll: "p")
        queue.advance(seconds: 60)
        _ = try queue.pull("w1", poll: "p")
        queue.advance(seconds: 60)
        #expect(try queue.reap().takenBack.isEmpty)
        queue.advance(seconds: 30)
        #expect(try queue.reap().takenBack.map(\.outcome) == [.returned])
    }

    @Test func `repeating a pull for ever does not hold a task for ever`() throws {
        var repetitions = 0
        while try queue.claim("w1", poll: "p").ids == ["t"], repetitions < 1_000 {
            repetitions += 1
            queue.advance(seconds: 60)
        }
        #expect(repetitions == 60)
        queue.advance(seconds: 300)
        #expect(try queue.reap().takenBack.count == 1)
    }

    @Test func `a heartbeat is told which of its tasks the worker does not hold`() throws {
        try queue.enqueue("u", "v")
        _ = try queue.pull("w1", capacity: 2)
        _ = try queue.pull("w2", capacity: 1)
        try queue.cancel("u")
        #expect(try queue.reconcile("w1", listed: ["t", "u", "v", "x"]).lostTaskIDs == ["u", "v", "x"])
    }

    @Test func `a heartbeat gives back what its worker never listed, after the delivery time, at no attempt`() throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 90)
        #expect(try queue.reconcile("w1", listed: []).takenBack.isEmpty)
        queue.advance(seconds: 0.001)
        #expect(try queue.reconcile("w1", listed: []).takenBack.map(\.outcome) == [.returned])
        #expect(try queue.claim("w2").attempts == [1])
    }

    @Test func `what a worker listed before and lists no more was lost under it`() throws {
        _ = try queue.pull("w1")
        queue.advance(seconds: 30)
        try queue.reconcile("w1", listed: ["t"])
        queue.advance(seconds: 61)
        #expect(try queue.reconcile("w1", listed: []).takenBack.map(\.outcome) == [.lost])
        #expect(try queue.claim("w2").attempts == [2])
    }

    @Test func `what is listed stays with its worker`() throws {
        _ = try queue.pull("w1")
        for _ in 1...10 {
            queue.advance(seconds: 100)
            #expect(try queue.reconcile("w1", listed: ["t"]) == QueueModel.Reconciled())
        }
    }

    @Test func `one worker holds no more than the limit`() throws {
        queue.rules.leasesPerWorkerMax = 3
        try queue.enqueue("a", "b", "c")
        #expect(try queue.pull("w1", capacity: 2) == ["t", "a"])
        #expect(try queue.pull("w1", capacity: 2) == ["b"])
        #expect(try queue.pull("w1", capacity: 2).isEmpty)
        #expect(try queue.pull("w2", capacity: 2) == ["c"])
    }

    @Test func `the reaper works in bounded steps and says when more is left`() throws {
        try queue.enqueue("a", "b", "c", "d")
        _ = try queue.pull("w1")
        queue.advance(seconds: 90)
        var steps: [Int] = []
        var reaped = QueueModel.Reaped()
        repeat {
            reaped = try queue.reap(limit: 2)
            steps.append(reaped.takenBack.count)
        } while reaped.hasMore
        #expect(steps == [2, 2, 1])
    }

    @Test func `a worker in good health costs the reaper one look a lease time`() throws {
        _ = try queue.pull("w1")
        var looks = 0
        for _ in 1...90 {
            queue.advance(seconds: 30)
            try queue.heartbeat("w1")
            looks += try queue.reap().checked
        }
        #expect(looks <= 2 + 2_700 / 270)
    }

    @Test func `one gateway at a time holds the reaper's lock, and it outlives no silent holder`() throws {
        func lock(_ operation: String, _ token: String, ttlMs: Int = 60_000) throws -> Int {
            try queue.run(.reaperLock, [operation, token, "\(ttlMs)"]).integer
        }
        #expect(try lock("acquire", "one") == 1)
        #expect(try lock("acquire", "two") == 0)
        #expect(try lock("acquire", "one") == 1)
        #expect(try lock("release", "two") == 0)
        #expect(try lock("release", "one") == 1)
        #expect(try lock("acquire", "two") == 1)
        let remainingMs = try queue.redis("PTTL", queue.keys.reaper).integer
        #expect(remainingMs > 0 && remainingMs <= 60_000)
    }
}
