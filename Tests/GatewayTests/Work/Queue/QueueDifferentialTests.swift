// The scripts and the model, driven by the same random operations from a seed: every answer and every key must agree.

import TestSupport
import Testing

@testable import Gateway

@Suite struct QueueDifferentialTests {
    static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6, UInt64.random(in: 7...UInt64.max)]

    /// What a run must have met to say anything.
    static let answers = [
        "enqueue accepted", "enqueue duplicate", "enqueue refused", "claim first", "claim later", "claim repeated",
        "finish ended leased", "finish ended ready", "finish ended delayed", "finish ended dead",
        "finish notKnown nowhere",
        "finish superseded leased", "complete completed", "complete notLeased", "complete superseded", "fail retried",
        "fail dead", "fail notLeased", "fail superseded", "cancel unknown", "cancel dropped", "cancel cancelled",
        "reap returned", "reap lost", "reap dead", "reconcile returned", "reconcile lost", "reconcile told",
    ]

    @Test(arguments: seeds)
    func `the scripts do what the model says, whatever is asked in whatever order`(seed: UInt64) throws {
        print("queue differential seed \(seed)")
        var random = RandomQueueUse(harness: try QueueHarness(), seed: seed)
        for step in 1...3_000 {
            try random.step()
            if step % 20 == 0 {
                guard try random.harness.compareState() else { return }
            }
        }
        let met = random.harness.met
        let unmet = Self.answers.filter { met[$0] == nil }
        #expect(unmet.isEmpty, "seed \(seed) met \(met.sorted { $0.key < $1.key })")
        try random.harness.stats(limit: 3)
        _ = try random.harness.deadLetters(limit: 3)
    }
}

/// A fleet that enqueues, pulls, loses answers, stalls, repeats and dies at random.
struct RandomQueueUse {
    let harness: QueueHarness
    var generator: RandomSource
    private var knownPolls = ["p0", "p1", "p2"]

    init(harness: QueueHarness, seed: UInt64) {
        self.harness = harness
        generator = RandomSource(seed: seed)
        // Few retries and short times bring every rule about within a few hundred steps.
        harness.rules.retriesMax = 1 + Int(seed % 3)
        harness.rules.leasesPerWorkerMax = 25
        harness.rules.registryMs = 7_200_000
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    private mutating func isChosen(oneIn count: Int) -> Bool { number(1...count) == 1 }
    private mutating func worker() -> String { "w\(number(0...6))" }
    private mutating func anyTask() -> String { "t\(number(0...120))" }
    private mutating func platform() -> String { ["a", "b", "c", "d.d", "e-5"][number(0...4)] }

    /// A worker and a task it may hold; now and then one it does not.
    private mutating func report() -> QueueModel.Report {
        let leased = harness.model.items.compactMap { id, item in item.lease.map { (id, $0.worker, item.attempt) } }
            .sorted { $0.0 < $1.0 }
        guard let (id, holder, attempt) = leased.randomElement(using: &generator), !isChosen(oneIn: 4) else {
            let delayed = harness.model.items.filter { $0.value.dueMs != nil }.keys.sorted()
            let out = harness.model.items.filter { $0.value.lease == nil }.keys.sorted()
            let waiting = delayed.isEmpty || isChosen(oneIn: 2) ? out : delayed
            let id = (isChosen(oneIn: 2) ? waiting.randomElement(using: &generator) : nil) ?? anyTask()
            return QueueModel.Report(worker: worker(), taskID: id, attempt: isChosen(oneIn: 2) ? number(0...4) : nil)
        }
        let claimed = isChosen(oneIn: 3) ? nil : attempt - (isChosen(oneIn: 5) ? 1 : 0)
        return QueueModel.Report(worker: isChosen(oneIn: 8) ? worker() : holder, taskID: id, attempt: claimed)
    }

    private mutating func passTime() {
        switch number(1...60) {
        case 1...30: break
        case 31...45: harness.nowMs += number(0...3)
        case 46...53: harness.nowMs += number(1_000...45_000)
        case 54...57: harness.nowMs += [30_000, 60_000, 90_000, 300_000][number(0...3)] + number(-1...1)
        case 58: harness.nowMs += 3_600_000 + number(-1...1)
        case 59: harness.nowMs -= number(0...50)
        default: harness.nowMs += isChosen(oneIn: 10) ? 8_000_000 : 120_000
        }
    }

    mutating func step() throws {
        passTime()
        switch number(1...100) {
        case 1...20: try enqueue()
        case 21...42: try claim()
        case 43...50: try harness.complete((1...number(1...5)).map { _ in report() })
        case 51...58: try harness.finish((1...number(1...5)).map { _ in report() })
        case 59...66:
            let report = report()
            try harness.fail(
                report.worker, report.taskID, attempt: report.attempt, retry: !isChosen(oneIn: 6))
        case 67...74: try beat()
        case 75...80: try reconcile()
        case 81...91: try harness.reap(limit: isChosen(oneIn: 2) ? number(1...4) : 100)
        case 92...93: try harness.cancel(anyTask())
        case 94...96: try steer()
        default: try moveDead()
        }
    }

    private mutating func enqueue() throws {
        let tasks = (1...number(1...6)).map { _ in
            let id = anyTask()
            let body = QueueHarness.body(id, platform: platform(), priority: number(1...4), tier: number(1...4))
            return (id, isChosen(oneIn: 40) ? "{}" : body)
        }
        try harness.enqueue(tasks)
    }

    private mutating func claim() throws {
        let platforms = isChosen(oneIn: 3) ? (1...number(1...4)).map { _ in platform() } : []
        let poll = isChosen(oneIn: 2) ? knownPolls[number(0...2)] : ""
        try harness.claim(
            worker(), capacity: number(1...12), tierMax: isChosen(oneIn: 2) ? 4 : number(1...4), poll: poll,
            platforms: platforms)
    }

    private mutating func beat() throws {
        let worker = worker()
        if try harness.heartbeat(worker)[0] { _ = try harness.takeCommands(worker) }
    }

    private mutating func reconcile() throws {
        let worker = worker()
        var listed = harness.model.held(by: worker).map(\.id)
        listed = listed.filter { _ in !isChosen(oneIn: 3) }
        if isChosen(oneIn: 3) {
            let other = anyTask()
            if !listed.contains(other) { listed.append(other) }
        }
        try harness.reconcile(worker, listed: listed)
    }

    private mutating func steer() throws {
        switch number(1...3) {
        case 1: try harness.command("c\(number(0...9))", to: worker())
        case 2: try harness.commandAll("all", limit: number(1...4))
        default: try harness.stats(limit: number(1...4))
        }
    }

    private mutating func moveDead() throws {
        let ids = (0...number(0...5)).map { _ in anyTask() }
        switch number(1...5) {
        case 1: try harness.moveAllDead(requeue: true, limit: number(1...3))
        case 2: try harness.moveAllDead(requeue: false, limit: number(1...3))
        case 3: try harness.moveDead(requeue: true, ids: ids)
        case 4: try harness.moveDead(requeue: false, ids: ids)
        default: _ = try harness.deadLetters(limit: number(1...3))
        }
    }
}
