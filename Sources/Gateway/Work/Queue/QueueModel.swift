// The rules of the queue as a pure value: what the Lua scripts must do, said once more without Redis.
// Owned by the tests that drive it and the scripts with the same operations; no limit on size, linear in it by intent.
// Source: api.md sections 2 and 5.

/// The queue of one kind. Every operation takes `nowMs`; nothing here reads a clock.
struct QueueModel: Sendable {
    typealias TaskID = String
    typealias WorkerID = String

    /// Who gives a task next: its platform, within a level (priority × 2, minus 1 for tasks that were out before).
    struct Entry: Hashable, Sendable {
        var level: Int
        var platform: String
    }

    struct Lease: Sendable, Equatable {
        var worker: WorkerID
        /// When this attempt was first delivered: bounds its repetitions.
        var firstMs: Int
        var deliveredMs: Int
        /// Its worker has named it in a heartbeat since the delivery.
        var isListed = false
    }

    enum Place: Sendable, Equatable {
        case ready(level: Int)
        case delayed(dueMs: Int)
        case leased(Lease)
        case dead(sequence: Int, error: String)
    }

    struct Item: Sendable, Equatable {
        var body: String
        var priority: Int
        var tier: Int
        var platform: String
        var sequence: Int
        var place: Place
        /// Deliveries that counted, the current one included.
        var attempt = 0
        var failures = 0
        var losses = 0
        /// Deliveries that did not count.
        var returns = 0
        /// Has been out: all counters are kept.
        var hasHistory = false
    }

    struct Poll: Sendable, Equatable {
        var id: String
        var deliveredMs: Int
        var taskIDs: [TaskID]
    }

    struct Worker: Sendable, Equatable {
        var seenMs: Int
        var status: String?
        var poll: Poll?
        var commands: [String] = []
        /// When the reaper looks at its leases; nil once it found none.
        var checkMs: Int?
    }

    var rules = QueueRules()
    var items: [TaskID: Item] = [:]
    var workers: [WorkerID: Worker] = [:]
    /// Entries with a ready task, by when they were last served.
    var turns: [Entry: Int] = [:]
    var lastTurn = 0
    var lastSequence = 0

    enum Enqueued: Int, Sendable { case duplicate, accepted, refused }

    mutating func enqueue(_ tasks: [(id: TaskID, body: String)], nowMs: Int) -> [Enqueued] {
        var sequence = reserveSequence(count: tasks.count, nowMs: nowMs)
        return tasks.map { id, body in
            guard let head = TaskBody.Head(of: body) else { return .refused }
            guard items[id] == nil else { return .duplicate }
            items[id] = Item(
                body: body, priority: head.priority, tier: head.tier, platform: head.platform, sequence: sequence,
                place: .ready(level: head.priority * 2))
            sequence += 1
            joinTurns(Entry(level: head.priority * 2, platform: head.platform))
            return .accepted
        }
    }

    enum Buried: Int, Sendable { case duplicate, buried, refused }

    mutating func bury(id: TaskID, body: String, error: String, nowMs: Int) -> Buried {
        guard let head = TaskBody.Head(of: body) else { return .refused }
        guard items[id] == nil else { return .duplicate }
        let sequence = reserveSequence(count: 1, nowMs: nowMs)
        items[id] = Item(
            body: body, priority: head.priority, tier: head.tier, platform: head.platform, sequence: sequence,
            place: .dead(sequence: reserveSequence(count: 1, nowMs: nowMs), error: error), hasHistory: true)
        return .buried
    }

    /// Numbers that rise with time and never repeat; returns the first of `count`.
    mutating func reserveSequence(count: Int, nowMs: Int) -> Int {
        let first = max(lastSequence + 1, nowMs * 1_000)
        lastSequence = first + count - 1
        return first
    }

    mutating func heard(_ worker: WorkerID, nowMs: Int) {
        workers[worker, default: Worker(seenMs: nowMs)].seenMs.raise(to: nowMs)
    }

    mutating func joinTurns(_ entry: Entry) {
        guard turns[entry] == nil else { return }
        lastTurn += 1
        turns[entry] = lastTurn
    }

    mutating func leaveTurns(_ entry: Entry) {
        if !items.values.contains(where: { $0.entry == entry }) { turns[entry] = nil }
    }

    /// Makes a task that was out ready, ahead of the new ones of its priority.
    mutating func pushReady(_ id: TaskID) {
        items[id]!.place = .ready(level: items[id]!.priority * 2 - 1)
        joinTurns(items[id]!.entry!)
    }

    /// What a worker holds, in the order of delivery, listed ones after the others of their millisecond.
    func held(by worker: WorkerID) -> [(id: TaskID, lease: Lease)] {
        items.compactMap { id, item in item.lease.flatMap { $0.worker == worker ? (id, $0) : nil } }
            .sorted { byScore($0.1.score, $0.0, before: $1.1.score, $1.0) }
    }
}

extension QueueModel.Item {
    var entry: QueueModel.Entry? {
        if case .ready(let level) = place { QueueModel.Entry(level: level, platform: platform) } else { nil }
    }

    var lease: QueueModel.Lease? {
        if case .leased(let lease) = place { lease } else { nil }
    }
}

extension QueueModel.Lease {
    /// Orders what a worker holds, as the score in Redis does.
    var score: Double { Double(deliveredMs) + (isListed ? 0.5 : 0) }
}

extension Int {
    fileprivate mutating func raise(to other: Int) { self = Swift.max(self, other) }
}

/// The order of a Redis sorted set: by score, then by the bytes of the member.
func byScore<Score: Comparable>(_ score: Score, _ member: String, before other: Score, _ otherMember: String) -> Bool {
    score == other ? member.utf8.lexicographicallyPrecedes(otherMember.utf8) : score < other
}
