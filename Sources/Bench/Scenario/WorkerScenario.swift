// Simulated workers over a bounded number of connections: each has a life of its own (`WorkerLife`), and what is due goes
// out over whichever connection is free. A feeder queues the tasks that they pull, if it has the ops token.
// Owned by one load loop, which has a share of the workers; allocates nothing per request once memory has grown.
// Limits: 2^31 workers, `HeldTasks`' for tasks, one enqueue out at a time, `TaskSupply.batchMax` tasks each.

import Reactor

final class WorkerScenario: Scenario {
    enum Kind: Int, CaseIterable { case heartbeat, pull, complete, fail, results, enqueue }

    struct Settings: Sendable {
        /// Of all loops together.
        var workers: Int
        /// Tasks of a pull.
        var capacity = 1
        var rhythm: WorkerLife.Rhythm
        /// Of finished tasks: those that are reported as failed, for good.
        var failShare = 0.0
        /// Tasks end by a result; otherwise by `complete`.
        var submitsResults = false
        var payloadBytes = 3072
        var platforms = "bench"
        /// A pull may wait so long at the server.
        var waitSeconds = 0
        /// nil: the tasks are there already.
        var opsToken: String?
        var runName: String
    }

    let kinds = Kind.allCases.map { "\($0)" }
    let readsBodies = true
    let hasOwnPlan = true

    let settings: Settings
    let supply: TaskSupply
    let text: WorkerRequestText
    private let share: LoopShare
    private let workers: Int
    private let firstWorker: Int
    private var lives: [WorkerLife] = []
    private var due: DueQueue
    private let held: HeldTasks
    private var random: RandomBits
    /// The tasks that the feeder is queuing.
    private var feeding: Range<Int>?
    private(set) var tally = WorkerTally()

    init(
        target: Target, identity: WorkerIdentity, base: String, settings: Settings, supply: TaskSupply,
        share: LoopShare, seed: UInt64
    ) {
        self.settings = settings
        self.supply = supply
        self.share = share
        workers = share.part(of: settings.workers)
        firstWorker = share.offset(in: settings.workers)
        random = RandomBits(seed: seed)
        text = WorkerRequestText(
            target: target, identity: identity, base: base, settings: settings, seed: random.next())
        due = DueQueue(countMax: workers + 1)
        held = HeldTasks(workers: workers, countMax: max(1, workers * settings.capacity))
    }

    var requestBytes: Int { settings.submitsResults ? settings.payloadBytes + 1024 : 512 }
    private var feeder: UInt32 { UInt32(workers) }

    func begin(at start: Instant) {
        for worker in 0..<workers {
            lives.append(WorkerLife(start: start, rhythm: settings.rhythm, random: &random))
            due.insert(UInt32(worker), due: lives[worker].next.due)
        }
        feed(start)
    }

    var nextDue: Instant? { due.first?.due }
    var isFinished: Bool { supply.isUsedUp }
    func overdueCount(before end: Instant) -> Int { due.count(before: end) }

    /// Has the feeder queue more where too little waits for the workers.
    private func feed(_ now: Instant) {
        guard settings.opsToken != nil, feeding == nil else { return }
        feeding = supply.claim(low: min(settings.workers * settings.capacity, TaskSupply.lowMax))
        if feeding != nil { due.insert(feeder, due: now) }
    }

    // MARK: Requests

    func write(to out: inout ByteBuffer, now: Instant) -> Ticket {
        let entry = due.removeFirst()
        if entry.worker == feeder {
            text.enqueue(feeding!, to: &out)
            return Ticket(kind: Kind.enqueue.rawValue, worker: entry.worker, due: entry.due)
        }
        let worker = Int(entry.worker)
        let number = firstWorker + worker
        let kind: Kind
        switch lives[worker].next.action {
        case .heartbeat:
            kind = .heartbeat
            text.heartbeat(number, to: &out)
        case .pull:
            kind = .pull
            text.pull(number, to: &out)
        case .finish:
            kind = finish(worker, number, &out)
        }
        return Ticket(kind: kind.rawValue, worker: entry.worker, due: entry.due)
    }

    private func finish(_ worker: Int, _ number: Int, _ out: inout ByteBuffer) -> Kind {
        let task = held.first(of: worker)
        if settings.failShare > 0, random.share() < settings.failShare {
            text.fail(task, number, to: &out)
            return .fail
        }
        if settings.submitsResults {
            text.result(task, number, payload: random.below(ParcelPayloads.count), to: &out)
            return .results
        }
        text.complete(task, number, to: &out)
        return .complete
    }

    // MARK: Answers

    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict {
        guard let kind = Kind(rawValue: ticket.kind) else { preconditionFailure("a ticket of no kind") }
        if kind == .enqueue { return enqueued(status, now) }
        guard status == 200 else {
            lost(ticket, now: now)
            return .refused
        }
        let worker = Int(ticket.worker)
        var verdict = Verdict.good
        switch kind {
        case .heartbeat: lives[worker].heartbeatDone(now: now, rhythm: settings.rhythm, random: &random)
        case .pull: verdict = pulled(worker, body, now)
        case .complete, .fail, .results:
            verdict = ended(kind, worker, body, now)
        case .enqueue: break
        }
        due.insert(ticket.worker, due: lives[worker].next.due)
        return verdict
    }

    private func enqueued(_ status: Int, _ now: Instant) -> Verdict {
        guard status == 200 else {
            due.insert(feeder, due: now + settings.rhythm.retryWait)
            return .refused
        }
        tally.queued += feeding?.count ?? 0
        feeding = nil
        feed(now)
        return .good
    }

    private func pulled(_ worker: Int, _ body: RawSpan, _ now: Instant) -> Verdict {
        var taken = 0
        let answer = PullAnswer.read(body) { id, attempt in
            if held.append(body.slice(id), attempt: attempt, worker: worker) { taken += 1 }
        }
        supply.pulled(answer?.count ?? 0)
        tally.pulled += taken
        if taken == 0 { tally.emptyPulls += 1 }
        lives[worker].pulled(
            taken, retryAfter: .seconds(answer?.retryAfterSeconds ?? 1), now: now, rhythm: settings.rhythm,
            random: &random)
        feed(now)
        return answer != nil && answer?.count == taken ? .good : .wrong
    }

    private func ended(_ kind: Kind, _ worker: Int, _ body: RawSpan, _ now: Instant) -> Verdict {
        held.removeFirst(of: worker)
        supply.finished()
        lives[worker].finished(now: now, rhythm: settings.rhythm, random: &random)
        switch kind {
        case .fail: tally.failed += 1
        case .results:
            tally.submitted += 1
            return tally.results.add(body) ? .good : .wrong
        default: tally.completed += 1
        }
        if JSONAnswer.isFalse("success", in: body) { tally.notHeld += 1 }
        return .good
    }

    func lost(_ ticket: Ticket, now: Instant) {
        if ticket.worker == feeder {
            due.insert(feeder, due: now + settings.rhythm.retryWait)
            return
        }
        let worker = Int(ticket.worker)
        let action: WorkerLife.Action =
            switch Kind(rawValue: ticket.kind) {
            case .heartbeat: .heartbeat
            case .pull: .pull
            default: .finish
            }
        lives[worker].failed(action, now: now, rhythm: settings.rhythm, random: &random)
        due.insert(ticket.worker, due: lives[worker].next.due)
    }

    func resetFigures() { tally = WorkerTally() }

    var figures: [ScenarioFigure] { tally.figures(submitsResults: settings.submitsResults) }
}

/// What became of the tasks.
struct WorkerTally {
    var queued = 0
    var pulled = 0
    var emptyPulls = 0
    var completed = 0
    var failed = 0
    var submitted = 0
    /// Ended tasks that the worker held no longer.
    var notHeld = 0
    var results = ResultTally()

    func figures(submitsResults: Bool) -> [ScenarioFigure] {
        let all = [
            ScenarioFigure(name: "tasks queued", value: queued), ScenarioFigure(name: "tasks pulled", value: pulled),
            ScenarioFigure(name: "pulls without a task", value: emptyPulls),
            ScenarioFigure(
                name: submitsResults ? "tasks ended by a result" : "tasks completed",
                value: submitsResults ? submitted : completed),
            ScenarioFigure(name: "tasks failed", value: failed),
            ScenarioFigure(name: "tasks no longer held", value: notHeld),
        ]
        return submitsResults ? all + results.figures : all
    }
}

/// Questions to small JSON answers.
enum JSONAnswer {
    /// Whether the object has a member of that name that is `false`.
    static func isFalse(_ name: StaticString, in body: RawSpan) -> Bool {
        do throws(JSONFailure) {
            var reader = JSONReader(body)
            var more = try reader.openObject()
            while more {
                let key = try reader.key()
                let value = try reader.value()
                if reader.key(key, is: name) { return try value.optionalBool(name, in: body) == false }
                more = try reader.moreMembers()
            }
            return false
        } catch {
            return false
        }
    }
}
