// How tasks leave the queue for a worker: priorities, turns, first in first out, and deliveries that are repeated.
// Source: api.md section 5, guarantees 3 and 4.

extension QueueModel {
    struct Delivery: Sendable, Equatable {
        /// When the next delayed task is due; 0 where none waits.
        var dueMs = 0
        var isRepeated = false
        /// The worker holds all that it may.
        var isFull = false
        var tasks: [Delivered] = []
    }

    struct Delivered: Sendable, Equatable {
        var body: String
        var attempt: Int
    }

    /// - Parameter platforms: those the worker takes; empty is all.
    mutating func claim(
        worker: WorkerID, capacity: Int, tierMax: Int, pollID: String, platforms: [String] = [], nowMs: Int
    ) -> Delivery {
        heard(worker, nowMs: nowMs)
        if let again = repeated(worker: worker, pollID: pollID, nowMs: nowMs) { return again }
        _ = promote(limit: QueueLimits.promotedPerPullMax, nowMs: nowMs)
        var delivery = Delivery(dueMs: items.values.compactMap(\.dueMs).min() ?? 0)
        var claimed: [TaskID] = []
        let room = min(capacity, rules.leasesPerWorkerMax - held(by: worker).count)
        delivery.isFull = room <= 0
        while claimed.count < room, let entry = nextEntry(tierMax: tierMax, platforms: platforms) {
            let id = oldest(of: entry, tierMax: tierMax)!
            lastTurn += 1
            turns[entry] = lastTurn
            items[id]!.attempt += 1
            items[id]!.hasHistory = true
            items[id]!.place = .leased(Lease(worker: worker, firstMs: nowMs, deliveredMs: nowMs))
            leaveTurns(entry)
            claimed.append(id)
        }
        guard !claimed.isEmpty else { return delivery }
        deliver(claimed, to: worker, pollID: pollID, nowMs: nowMs)
        delivery.tasks = claimed.map { Delivered(body: items[$0]!.body, attempt: items[$0]!.attempt) }
        return delivery
    }

    /// What this poll got before and is still out with that delivery.
    private mutating func repeated(worker: WorkerID, pollID: String, nowMs: Int) -> Delivery? {
        guard !pollID.isEmpty, let poll = workers[worker]?.poll, poll.id == pollID else { return nil }
        let ids = poll.taskIDs.filter { id in
            guard let lease = items[id]?.lease, lease.worker == worker else { return false }
            return lease.deliveredMs == poll.deliveredMs && lease.firstMs + rules.taskTimeoutMs > nowMs
        }
        guard !ids.isEmpty else { return nil }
        deliver(ids, to: worker, pollID: pollID, nowMs: nowMs)
        return Delivery(
            isRepeated: true, tasks: ids.map { Delivered(body: items[$0]!.body, attempt: items[$0]!.attempt) })
    }

    /// The window for the first sign of life starts now.
    private mutating func deliver(_ ids: [TaskID], to worker: WorkerID, pollID: String, nowMs: Int) {
        for id in ids {
            var lease = items[id]!.lease!
            lease.deliveredMs = nowMs
            lease.isListed = false
            items[id]!.place = .leased(lease)
        }
        let checkMs = nowMs + rules.deliveryMs
        workers[worker]!.checkMs = min(workers[worker]!.checkMs ?? checkMs, checkMs)
        if !pollID.isEmpty { workers[worker]!.poll = Poll(id: pollID, deliveredMs: nowMs, taskIDs: ids) }
    }

    private func nextEntry(tierMax: Int, platforms: [String]) -> Entry? {
        turns.filter { entry, _ in
            (platforms.isEmpty || platforms.contains(entry.platform)) && oldest(of: entry, tierMax: tierMax) != nil
        }
        .min { ($0.key.level, $0.value) < ($1.key.level, $1.value) }?.key
    }

    private func oldest(of entry: Entry, tierMax: Int) -> TaskID? {
        items.filter { $0.value.entry == entry && $0.value.tier <= tierMax }
            .min { $0.value.sequence < $1.value.sequence }?.key
    }

    /// Delayed tasks that are due become ready; at most `limit`, those due first before others.
    mutating func promote(limit: Int, nowMs: Int) -> Int {
        let due = items.compactMap { id, item in item.dueMs.map { (id: id, dueMs: $0) } }
            .filter { $0.dueMs <= nowMs }
            .sorted { byScore($0.dueMs, $0.id, before: $1.dueMs, $1.id) }
            .prefix(limit)
        for (id, _) in due { pushReady(id) }
        return due.count
    }
}

extension QueueModel.Item {
    var dueMs: Int? {
        if case .delayed(let dueMs) = place { dueMs } else { nil }
    }
}
