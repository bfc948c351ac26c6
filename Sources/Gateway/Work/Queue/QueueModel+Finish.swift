// How a task ends or is tried again: results, complete, fail, cancel; and how the attempt fences each of them.
// Source: api.md section 2 (attempt) and section 5, guarantees 5 and 7.

extension QueueModel {
    struct Report: Sendable {
        var worker: WorkerID
        var taskID: TaskID
        var attempt: Int?
    }

    enum Finished: Int, Sendable { case notKnown, ended, superseded }

    /// A result is stored: its task ends, wherever it is, unless the result is of an older attempt.
    mutating func finish(_ reports: [Report], nowMs: Int) -> [Finished] {
        for report in reports { heard(report.worker, nowMs: nowMs) }
        return reports.map { report in
            guard let item = items[report.taskID] else { return .notKnown }
            if let attempt = report.attempt, attempt < item.attempt { return .superseded }
            remove(report.taskID)
            return .ended
        }
    }

    enum Completed: Sendable, Equatable {
        case notLeased
        case completed(platform: String)
        case superseded
    }

    mutating func complete(_ reports: [Report], nowMs: Int) -> [Completed] {
        for report in reports { heard(report.worker, nowMs: nowMs) }
        return reports.map { report in
            switch holding(report) {
            case .notLeased: return .notLeased
            case .superseded: return .superseded
            case .held(let item):
                remove(report.taskID)
                return .completed(platform: item.platform)
            }
        }
    }

    enum Failed: Sendable, Equatable {
        case notLeased
        case superseded
        case retried(attempt: Int, afterMs: Int, platform: String)
        case dead(attempt: Int, platform: String)
    }

    mutating func fail(_ report: Report, isRetrySuggested: Bool, error: String, nowMs: Int) -> Failed {
        heard(report.worker, nowMs: nowMs)
        switch holding(report) {
        case .notLeased: return .notLeased
        case .superseded: return .superseded
        case .held(var item):
            item.failures += 1
            defer { items[report.taskID] = item }
            guard isRetrySuggested, item.failures <= rules.retriesMax else {
                item.place = .dead(sequence: reserveSequence(count: 1, nowMs: nowMs), error: error)
                return .dead(attempt: item.attempt, platform: item.platform)
            }
            var afterMs = rules.retryBaseMs
            for _ in 1..<item.failures where afterMs < QueueLimits.retryDelayMaxMs { afterMs *= 2 }
            afterMs = min(afterMs, QueueLimits.retryDelayMaxMs)
            item.place = .delayed(dueMs: nowMs + afterMs)
            return .retried(attempt: item.attempt, afterMs: afterMs, platform: item.platform)
        }
    }

    enum Cancelled: Sendable, Equatable {
        case unknown
        case dropped
        case cancelled(holder: WorkerID)
    }

    /// The task is gone at once; its holder no longer holds it, which its next heartbeat tells.
    mutating func cancel(_ id: TaskID) -> Cancelled {
        guard let item = items[id] else { return .unknown }
        remove(id)
        return item.lease.map { .cancelled(holder: $0.worker) } ?? .dropped
    }

    private enum Holding {
        case notLeased
        case superseded
        case held(Item)
    }

    /// An older attempt is told so even by its former worker's successor; otherwise only the holder may speak.
    private func holding(_ report: Report) -> Holding {
        guard let item = items[report.taskID], let lease = item.lease else { return .notLeased }
        if let attempt = report.attempt, attempt < item.attempt { return .superseded }
        return lease.worker == report.worker ? .held(item) : .notLeased
    }

    mutating func remove(_ id: TaskID) {
        guard let item = items.removeValue(forKey: id) else { return }
        if let entry = item.entry { leaveTurns(entry) }
    }
}
