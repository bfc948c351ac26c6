// How many tasks of a run are out: what feeders queue, workers pull and finish. Shared by the loops, each change atomic.
// Limit: `tasksMax` tasks a run; nil is as many as are used.

import Synchronization

final class TaskSupply: Sendable {
    /// Tasks of one enqueue.
    static let batchMax = 500

    /// As many waiting tasks are enough for any fleet.
    static let lowMax = 10_000

    let tasksMax: Int?
    private let claimed = Atomic(0)
    private let ready = Atomic(0)
    private let ended = Atomic(0)

    init(tasksMax: Int?) { self.tasksMax = tasksMax }

    /// Numbers for tasks to be queued now, by the caller and until it succeeds; nil where enough wait or none are left.
    /// - Parameter low: as many waiting tasks are enough.
    func claim(low: Int) -> Range<Int>? {
        guard ready.load(ordering: .relaxed) < low else { return nil }
        let first = claimed.add(Self.batchMax, ordering: .relaxed).oldValue
        let end = min(first + Self.batchMax, tasksMax ?? .max)
        guard first < end else { return nil }
        ready.add(end - first, ordering: .relaxed)
        return first..<end
    }

    func pulled(_ count: Int) { ready.subtract(count, ordering: .relaxed) }
    func finished() { ended.add(1, ordering: .relaxed) }

    /// All of them have ended.
    var isUsedUp: Bool { tasksMax.map { ended.load(ordering: .relaxed) >= $0 } ?? false }
    var endedCount: Int { ended.load(ordering: .relaxed) }
}
