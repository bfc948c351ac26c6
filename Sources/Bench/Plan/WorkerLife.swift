// The life of one simulated worker: what it does next, and when. It beats its heart on a rhythm of its own, and in between
// pulls tasks, works on each for a while, and finishes it.
// A pure value that takes `now`; the scenario owns one a worker and does what it says. Limit: one request out at a time.
//
//     pull ─► tasks ─► (process) finish ─► (process) finish ─► pull
//       └── none ─► wait ─► pull            heartbeat every `heartbeat`, whatever else happens

import Reactor

struct WorkerLife {
    enum Action: UInt8 { case heartbeat, pull, finish }

    /// What all workers of a run have in common.
    struct Rhythm: Sendable {
        /// Between heartbeats; nil: it sends none.
        var heartbeat: Interval?
        /// From a task's delivery to its end, for each task in turn.
        var process: Interval
        /// The wait after a pull that found nothing; nil: as long as the answer says.
        var emptyWait: Interval?
        /// A pause between the last task's end and the next pull.
        var rest = Interval.zero
        /// Each interval is drawn from 1 − jitter … 1 + jitter of itself.
        var jitter = 0.2
        /// After a request that failed, which is then repeated.
        var retryWait = Interval.milliseconds(500)
    }

    private(set) var held = 0
    private var heartbeatAt: Instant
    private var workAt: Instant

    private static var never: Instant { Instant(nanoseconds: .max) }

    /// A worker that starts somewhere inside its rhythm, so that a fleet does not start at once.
    init(start: Instant, rhythm: Rhythm, random: inout RandomBits) {
        heartbeatAt = rhythm.heartbeat.map { start + $0.scaled(by: random.share()) } ?? Self.never
        let spread = max(rhythm.process, rhythm.rest)
        workAt = start + spread.scaled(by: random.share())
    }

    /// What is next, and when it is due.
    var next: (due: Instant, action: Action) {
        if heartbeatAt <= workAt { return (heartbeatAt, .heartbeat) }
        return (workAt, held > 0 ? .finish : .pull)
    }

    /// A heartbeat was answered. The next is due one interval after this one was, or at once if that has passed by more
    /// than one interval: missed beats are not made up for.
    mutating func heartbeatDone(now: Instant, rhythm: Rhythm, random: inout RandomBits) {
        guard let interval = rhythm.heartbeat else { return }
        heartbeatAt = max(heartbeatAt + interval.jittered(rhythm.jitter, &random), now)
    }

    /// A pull was answered with so many tasks.
    mutating func pulled(
        _ count: Int, retryAfter: Interval, now: Instant, rhythm: Rhythm, random: inout RandomBits
    ) {
        held += count
        let wait = count > 0 ? rhythm.process : rhythm.emptyWait ?? retryAfter
        workAt = now + wait.jittered(rhythm.jitter, &random)
    }

    /// One held task has ended.
    mutating func finished(now: Instant, rhythm: Rhythm, random: inout RandomBits) {
        precondition(held > 0, "finished a task that it does not hold")
        held -= 1
        let wait = held > 0 ? rhythm.process : rhythm.rest
        workAt = now + wait.jittered(rhythm.jitter, &random)
    }

    /// A request got no good answer: the same again a little later.
    mutating func failed(_ action: Action, now: Instant, rhythm: Rhythm, random: inout RandomBits) {
        let again = now + rhythm.retryWait.jittered(rhythm.jitter, &random)
        if action == .heartbeat { heartbeatAt = again } else { workAt = again }
    }
}

extension Interval {
    func scaled(by factor: Double) -> Interval { Interval(nanoseconds: Int64(Double(nanoseconds) * factor)) }

    /// 1 − jitter … 1 + jitter of this.
    func jittered(_ jitter: Double, _ random: inout RandomBits) -> Interval {
        nanoseconds == 0 ? self : scaled(by: 1 - jitter + 2 * jitter * random.share())
    }
}
