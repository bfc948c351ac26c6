// The registry of workers, the commands left for them, the dead letters and the figures: what operators see and steer.
// Source: api.md section 2, Details.

extension QueueModel {
    /// - Returns: for each worker, whether commands wait for it.
    mutating func heartbeats(_ beats: [(worker: WorkerID, status: String)], nowMs: Int) -> [Bool] {
        for (worker, status) in beats {
            heard(worker, nowMs: nowMs)
            workers[worker]!.status = status
        }
        return beats.map { !workers[$0.worker]!.commands.isEmpty }
    }

    enum Commanded: Int, Sendable { case unknown, left, full }

    mutating func command(_ command: String, to worker: WorkerID) -> Commanded {
        guard let commands = workers[worker]?.commands else { return .unknown }
        guard commands.count < QueueLimits.commandsPerWorkerMax else { return .full }
        workers[worker]!.commands.append(command)
        return .left
    }

    /// - Returns: how many workers were alive and had room.
    mutating func commandAll(_ command: String, nowMs: Int) -> Int {
        let alive = workers.filter { $0.value.seenMs > nowMs - rules.leaseMs }.keys
        return alive.filter { self.command(command, to: $0) == .left }.count
    }

    mutating func takeCommands(_ worker: WorkerID) -> [String] {
        let commands = workers[worker]?.commands ?? []
        workers[worker]?.commands = []
        return commands
    }

    /// Dead letters, longest dead first.
    var dead: [(id: TaskID, item: Item, sequence: Int, error: String)] {
        items.compactMap { id, item in
            if case .dead(let sequence, let error) = item.place { (id, item, sequence, error) } else { nil }
        }
        .sorted { $0.2 < $1.2 }
    }

    /// Those of `ids` that are dead are ready again with all their retries; returns how many.
    mutating func requeue(_ ids: [TaskID]) -> Int {
        let dead = Set(self.dead.map(\.id))
        var count = 0
        for id in ids where dead.contains(id) && items[id]!.entry == nil {
            items[id]!.failures = 0
            items[id]!.losses = 0
            items[id]!.returns = 0
            pushReady(id)
            count += 1
        }
        return count
    }

    /// Those of `ids` that are dead are forgotten; returns how many.
    mutating func deleteDead(_ ids: [TaskID]) -> Int {
        let dead = Set(self.dead.map(\.id))
        let doomed = Set(ids).intersection(dead)
        for id in doomed { remove(id) }
        return doomed.count
    }

    struct Stats: Sendable, Equatable {
        var queued = 0
        var leased = 0
        var delayed = 0
        var dead = 0
        var oldestMs = 0
        /// Depth by platform, then priority.
        var depth: [String: [Int: Int]] = [:]
    }

    var stats: Stats {
        var stats = Stats()
        for item in items.values {
            switch item.place {
            case .leased: stats.leased += 1
            case .delayed: stats.delayed += 1
            case .dead: stats.dead += 1
            case .ready:
                stats.queued += 1
                stats.depth[item.platform, default: [:]][item.priority, default: 0] += 1
                let enqueuedMs = item.sequence / 1_000
                stats.oldestMs = stats.oldestMs == 0 ? enqueuedMs : min(stats.oldestMs, enqueuedMs)
            }
        }
        return stats
    }
}
