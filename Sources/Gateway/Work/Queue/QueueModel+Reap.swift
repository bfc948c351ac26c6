// How tasks come back from workers that died, stalled or never got them: the reaper's step, and heartbeats with task ids.
// Source: api.md section 5, guarantees 3 and 4, and section 2, "A lost answer loses no hour".

extension QueueModel {
    enum Returned: String, Sendable {
        /// Not counted: the delivery never reached its worker.
        case returned
        /// Counted as a death under its worker.
        case lost
        case dead
    }

    struct TakenBack: Sendable, Equatable {
        var platform: String
        var outcome: Returned
    }

    enum Loss: String {
        case silent = #"{"reason":"worker_lost","message":"its worker was not heard from"}"#
        case unconfirmed = #"{"reason":"worker_lost","message":"its deliveries were never confirmed"}"#
        case unlisted = #"{"reason":"worker_lost","message":"its worker no longer listed it"}"#
        case timeout = #"{"reason":"timeout","message":"it was out longer than the task timeout"}"#
    }

    struct Reaped: Sendable, Equatable {
        var hasMore = false
        var promoted = 0
        var checked = 0
        var dropped = 0
        var takenBack: [TakenBack] = []
    }

    /// One bounded step: at most `limit` moves of each sort.
    mutating func reap(limit: Int, nowMs: Int) -> Reaped {
        var reaped = Reaped(promoted: promote(limit: limit, nowMs: nowMs))
        let due = workers.compactMap { id, worker in worker.checkMs.map { (id: id, checkMs: $0) } }
            .filter { $0.checkMs <= nowMs }
            .sorted { byScore($0.checkMs, $0.id, before: $1.checkMs, $1.id) }
            .prefix(limit)
        for (id, _) in due where reaped.takenBack.count < limit {
            check(id, limit: limit, nowMs: nowMs, into: &reaped)
            reaped.checked += 1
        }
        let gone = workers.filter { $0.value.seenMs <= nowMs - rules.registryMs }
            .sorted { byScore($0.value.seenMs, $0.key, before: $1.value.seenMs, $1.key) }
            .prefix(limit)
        for (id, _) in gone where held(by: id).isEmpty {
            workers[id] = nil
            reaped.dropped += 1
        }
        reaped.hasMore =
            reaped.promoted == limit || due.count == limit || reaped.takenBack.count == limit
            || reaped.dropped == limit
        return reaped
    }

    /// Takes what is overdue from one worker, then finds when to look at it again.
    private mutating func check(_ id: WorkerID, limit: Int, nowMs: Int, into reaped: inout Reaped) {
        let seenMs = workers[id]!.seenMs
        let rules = rules
        takeBack(from: id, limit: limit, counts: false, .unconfirmed, nowMs: nowMs, into: &reaped) {
            $0.deliveredMs >= seenMs && $0.deliveredMs + rules.deliveryMs <= nowMs
        }
        if seenMs + rules.leaseMs <= nowMs {
            takeBack(from: id, limit: limit, counts: true, .silent, nowMs: nowMs, into: &reaped) {
                $0.deliveredMs < seenMs
            }
        }
        takeBack(from: id, limit: limit, counts: true, .timeout, nowMs: nowMs, into: &reaped) {
            $0.deliveredMs + rules.taskTimeoutMs <= nowMs
        }
        let leases = held(by: id).map(\.lease)
        workers[id]!.checkMs = leases.map { lease in
            let isConfirmed = lease.deliveredMs < seenMs
            return min(
                lease.deliveredMs + rules.taskTimeoutMs,
                isConfirmed ? seenMs + rules.leaseMs : lease.deliveredMs + rules.deliveryMs)
        }.min()
    }

    private mutating func takeBack(
        from worker: WorkerID, limit: Int, counts: Bool, _ loss: Loss, nowMs: Int, into reaped: inout Reaped,
        where isOverdue: (Lease) -> Bool
    ) {
        for (id, lease) in held(by: worker) where isOverdue(lease) && reaped.takenBack.count < limit {
            reaped.takenBack.append(sendBack(id, counts: counts, loss, nowMs: nowMs))
        }
    }

    /// A task leaves its worker unfinished: ready again ahead of new ones, or dead of one loss too many.
    private mutating func sendBack(_ id: TaskID, counts: Bool, _ loss: Loss, nowMs: Int) -> TakenBack {
        if !counts, items[id]!.returns < QueueLimits.freeReturnsMax {
            items[id]!.attempt -= 1
            items[id]!.returns += 1
            pushReady(id)
            return TakenBack(platform: items[id]!.platform, outcome: .returned)
        }
        items[id]!.losses += 1
        guard items[id]!.losses > rules.retriesMax else {
            pushReady(id)
            return TakenBack(platform: items[id]!.platform, outcome: .lost)
        }
        items[id]!.place = .dead(sequence: reserveSequence(count: 1, nowMs: nowMs), error: loss.rawValue)
        return TakenBack(platform: items[id]!.platform, outcome: .dead)
    }

    struct Reconciled: Sendable, Equatable {
        var lostTaskIDs: [TaskID] = []
        var takenBack: [TakenBack] = []
    }

    /// A heartbeat that lists tasks: which of them are not this worker's; and what it has had for longer than the delivery
    /// time and does not list is given back.
    mutating func reconcile(worker: WorkerID, listed: [TaskID], nowMs: Int) -> Reconciled {
        heard(worker, nowMs: nowMs)
        var reconciled = Reconciled()
        for id in listed {
            guard var lease = items[id]?.lease, lease.worker == worker else {
                reconciled.lostTaskIDs.append(id)
                continue
            }
            lease.isListed = true
            items[id]!.place = .leased(lease)
        }
        let old = held(by: worker).filter { $0.lease.deliveredMs < nowMs - rules.deliveryMs }
        for (id, lease) in old.prefix(listed.count + QueueLimits.givenBackPerHeartbeatMax)
        where !listed.contains(id) && reconciled.takenBack.count < QueueLimits.givenBackPerHeartbeatMax {
            reconciled.takenBack.append(sendBack(id, counts: lease.isListed, .unlisted, nowMs: nowMs))
        }
        return reconciled
    }
}
