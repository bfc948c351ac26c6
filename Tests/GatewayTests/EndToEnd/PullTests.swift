// What a pull gives: priorities, platforms in turn, tiers, capacity, filters, and repeats by poll_id. Source: api.md
// sections 2 and 5.4. One test at a time: each begins with an empty queue.

import TestSupport
import Testing

@Suite(.serialized) struct PullTests {
    private static let liveResult = Result { try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"]) }

    /// A gateway whose queue is empty, and a worker.
    private func fresh() throws -> (live: Live, worker: WorkerClient) {
        let live = try Self.liveResult.get()
        try live.flushQueue()
        return (live, try live.worker())
    }

    private func task(_ id: String, _ platform: String = "a", priority: Int = 3, tier: Int = 1) -> String {
        Sample.task(id, platform: platform, ["priority": "\(priority)", "tier": "\(tier)"])
    }

    @Test func `lower priority numbers come first, and inside a platform the first in is the first out`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue([
            task("n1"), task("l1", priority: 4), task("u1", priority: 1), task("n2"), task("h1", priority: 2),
            task("u2", priority: 1), task("n3"),
        ])
        #expect(try worker.pull("capacity=100").map(\.id) == ["u1", "u2", "h1", "n1", "n2", "n3", "l1"])
    }

    @Test func `platforms take turns inside a priority`() throws {
        let (_, worker) = try fresh()
        for platform in ["a", "b", "c"] {
            _ = try worker.enqueue((1...4).map { task("\(platform)\($0)", platform) })
        }
        var order: [String] = []
        while true {
            let tasks = try worker.pull("capacity=5")
            if tasks.isEmpty { break }
            order += tasks.map(\.id)
        }
        #expect(order.count == 12)
        // In every three deliveries in a row each platform has one.
        for start in 0..<4 {
            #expect(Set(order[3 * start..<3 * start + 3].map { $0.prefix(1) }).count == 3, "\(order)")
        }
        for platform in ["a", "b", "c"] {
            #expect(order.filter { $0.hasPrefix(platform) } == (1...4).map { "\(platform)\($0)" })
        }
    }

    @Test func `a large platform does not starve a small one that comes later`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue((0..<200).map { task("big\($0)", "big") })
        #expect(try worker.pull("capacity=10").count == 10)
        _ = try worker.enqueue([task("small0", "small")])
        #expect(try worker.pull("capacity=2").map(\.platform).contains("small"))
    }

    @Test func `a worker gets what its tier can do`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue((1...4).map { task("t\($0)", tier: $0) })
        #expect(try worker.pull("max_tier=1").map(\.id) == ["t1"])
        #expect(try worker.pull("max_tier=1").isEmpty)
        #expect(try worker.pull("max_tier=3").map(\.id) == ["t2", "t3"])
        #expect(try worker.pull("").map(\.id) == ["t4"])
    }

    @Test func `capacity counts over all queues`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue(
            (0..<12).map { task("t\($0)", ["a", "b", "c"][$0 % 3], priority: $0 % 4 + 1, tier: $0 % 4 + 1) })
        #expect(try worker.pull("capacity=10").count == 10)
        #expect(try worker.pull("capacity=10").count == 2)
        #expect(try worker.pull("capacity=10").isEmpty)
        _ = try worker.enqueue((0..<150).map { task("m\($0)") })
        #expect(try worker.pull("").count == 10)
        #expect(try worker.pull("capacity=1").count == 1)
        #expect(try worker.pull("capacity=100").count == 100)
    }

    @Test func `platforms may be repeated or separated by commas`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue(["a", "b", "c", "d", "e:1.x_y-z"].map { task("t-\($0)", $0) })
        #expect(try worker.pull("platforms=none").isEmpty)
        #expect(Set(try worker.pull("platforms=a,b").map(\.platform)) == ["a", "b"])
        #expect(try worker.pull("platforms=c&platforms=x&platforms=c").map(\.platform) == ["c"])
        #expect(try worker.pull("platforms%5B%5D=e%3A1.x_y-z&capacity=5").map(\.platform) == ["e:1.x_y-z"])
        #expect(try worker.pull("platforms=").map(\.platform) == ["d"])
    }

    @Test func `a pull repeated with its poll id gets the same tasks, another gets others`() throws {
        let (live, worker) = try fresh()
        _ = try worker.enqueue((0..<9).map { task("t\($0)") })
        let first = try worker.pull("capacity=3&poll_id=p-1")
        #expect(first.count == 3)
        #expect(try worker.pull("capacity=3&poll_id=p-1") == first)
        #expect(try worker.pull("capacity=3&poll_id=p-1") == first)
        #expect(try QueueView(live).leased == 3)
        _ = try worker.complete(first[1].id)
        #expect(try worker.pull("capacity=3&poll_id=p-1") == [first[0], first[2]])
        let second = try worker.pull("capacity=3&poll_id=p-2")
        #expect(second.map(\.id) == ["t3", "t4", "t5"])
        // The id is the worker's own.
        #expect(try live.worker().pull("capacity=3&poll_id=p-2").map(\.id) == ["t6", "t7", "t8"])
        #expect(try QueueView(live).leased == 8)
    }

    @Test func `a task is with one worker at a time, however many ask at once`() throws {
        let (live, worker) = try fresh()
        _ = try worker.enqueue((0..<400).map { task("t\($0)", "p\($0 % 7)", priority: $0 % 4 + 1) })
        let pulled = try concurrently(8) { _ in
            let worker = try live.worker()
            var ids: [String] = []
            while true {
                let tasks = try worker.pull("capacity=7")
                if tasks.isEmpty { return ids }
                ids += tasks.map(\.id)
            }
        }.flatMap { $0 }
        #expect(pulled.count == 400)
        #expect(Set(pulled).count == 400)
    }

    @Test func `an idle worker is told when to ask again`() throws {
        let (_, worker) = try fresh()
        let answer = try worker.call("GET", "/internal/work")
        #expect(answer["tasks"] as? [String] == [])
        #expect((1...10).contains(try #require(answer["retry_after"] as? Int)))
        #expect(answer["lease_seconds"] as? Int == 300)
    }

    @Test func `the kinds have queues of their own`() throws {
        let (_, worker) = try fresh()
        _ = try worker.enqueue([task("same")])
        _ = try worker.enqueue([task("same"), task("more")], kind: "party")
        #expect(try worker.pull("", kind: "party").map(\.id) == ["same", "more"])
        #expect(try worker.pull("").map(\.id) == ["same"])
    }
}
