// Drives the model and the scripts with the same operations: every answer is compared, the whole state on request.
// One thread; time stands still until the test moves it.

import Testing

@testable import Gateway

final class QueueHarness {
    let redis: PrivateRedis
    let keys = QueueKeys(kind: "parcel", partition: 0)
    var model = QueueModel()
    var nowMs = 1_770_000_000_000
    private var hashes: [QueueScript: String] = [:]
    /// What has been done, newest last; shown where the two differ.
    private(set) var journal: [String] = []
    /// How often each answer came: a random run must have met them all.
    private(set) var met: [String: Int] = [:]

    init() throws {
        redis = try PrivateRedis()
        for script in QueueScript.allCases { hashes[script] = try redis("SCRIPT", "LOAD", script.source).text }
    }

    var rules: QueueRules {
        get { model.rules }
        set { model.rules = newValue }
    }

    func advance(seconds: Double) { nowMs += Int(seconds * 1_000) }

    /// Calls a script at the test's time.
    func run(_ script: QueueScript, _ arguments: [String]) throws -> Reply {
        journal.append("\(nowMs) \(script.rawValue) \(arguments.joined(separator: " "))")
        return try redis(["EVALSHA", hashes[script]!, "1", keys.prefix, "\(nowMs)"] + arguments)
    }

    func meet(_ answers: some Sequence<String>) {
        for answer in answers { met[answer, default: 0] += 1 }
    }

    func expectEqual<Value: Equatable>(_ redis: Value, _ model: Value, at location: SourceLocation = #_sourceLocation) {
        if redis != model {
            Issue.record(
                "Redis: \(redis)\nmodel: \(model)\nafter:\n\(journal.suffix(12).joined(separator: "\n"))",
                sourceLocation: location)
        }
    }

    /// - Returns: whether both hold the same, key for key.
    @discardableResult
    func compareState(at location: SourceLocation = #_sourceLocation) throws -> Bool {
        let found = try keyspace(of: redis, keys: keys)
        let wanted = model.keyspace(keys: keys)
        guard found != wanted else { return true }
        for key in Set(found.keys).union(wanted.keys).sorted() where found[key] != wanted[key] {
            Issue.record(
                """
                \(key)
                Redis: \(found[key] ?? ["nothing"])
                model: \(wanted[key] ?? ["nothing"])
                after:
                \(journal.suffix(40).joined(separator: "\n"))
                """, sourceLocation: location)
        }
        return false
    }

    static func body(_ id: String, platform: String = "beacon", priority: Int = 3, tier: Int = 1) -> String {
        #"{"priority":\#(priority),"tier":\#(tier),"platform":"\#(platform)","task_id":"\#(id)","target":{"n":1.0},"attempt":"#
    }
}

// MARK: - Operations on tasks

extension QueueHarness {
    @discardableResult
    func enqueue(_ tasks: [(id: String, body: String)]) throws -> [QueueModel.Enqueued] {
        let reply = try run(.enqueue, tasks.flatMap { [$0.id, $0.body] })
        let outcomes = model.enqueue(tasks, nowMs: nowMs)
        meet(outcomes.map { "enqueue \($0)" })
        expectEqual(reply.text, outcomes.map { "\($0.rawValue)" }.joined())
        return outcomes
    }

    @discardableResult
    func enqueue(_ ids: String..., platform: String = "beacon", priority: Int = 3, tier: Int = 1) throws
        -> [QueueModel.Enqueued]
    {
        try enqueue(ids.map { ($0, Self.body($0, platform: platform, priority: priority, tier: tier)) })
    }

    @discardableResult
    func claim(
        _ worker: String, capacity: Int = 10, tierMax: Int = 4, poll: String = "", platforms: [String] = []
    ) throws -> QueueModel.Delivery {
        let numbers = [rules.deliveryMs, rules.taskTimeoutMs, rules.leasesPerWorkerMax].map(String.init)
        let reply = try run(.claim, [worker, "\(capacity)", "\(tierMax)", poll] + numbers + platforms).array
        let delivery = model.claim(
            worker: worker, capacity: capacity, tierMax: tierMax, pollID: poll, platforms: platforms, nowMs: nowMs)
        meet(delivery.tasks.map { $0.attempt == 1 ? "claim first" : "claim later" })
        if delivery.isRepeated { meet(["claim repeated"]) }
        let wanted = delivery.tasks.flatMap { [$0.body, "\($0.attempt)"] }
        let sort = delivery.isRepeated ? "1" : delivery.isFull ? "2" : "0"
        expectEqual(reply.map(\.text), ["\(nowMs)", "\(delivery.dueMs)", sort] + wanted)
        return delivery
    }

    /// The ids claimed, in order.
    func pull(_ worker: String, capacity: Int = 10, tierMax: Int = 4, poll: String = "", platforms: [String] = [])
        throws -> [String]
    {
        try claim(worker, capacity: capacity, tierMax: tierMax, poll: poll, platforms: platforms).ids
    }

    @discardableResult
    func finish(_ reports: [QueueModel.Report]) throws -> [QueueModel.Finished] {
        let reply = try run(.finish, reports.flatMap(\.arguments))
        let places = reports.map { model.items[$0.taskID]?.place.name ?? "nowhere" }
        let outcomes = model.finish(reports, nowMs: nowMs)
        meet(zip(outcomes, places).map { "finish \($0) \($1)" })
        expectEqual(reply.text, outcomes.map { "\($0.rawValue)" }.joined())
        return outcomes
    }

    func finish(_ worker: String, _ id: String, attempt: Int? = nil) throws -> QueueModel.Finished {
        try finish([QueueModel.Report(worker: worker, taskID: id, attempt: attempt)])[0]
    }

    @discardableResult
    func complete(_ reports: [QueueModel.Report]) throws -> [QueueModel.Completed] {
        let reply = try run(.complete, reports.flatMap(\.arguments)).array.map(\.text)
        let outcomes = model.complete(reports, nowMs: nowMs)
        meet(outcomes.map { "complete \($0)".prefix { $0 != "(" } }.map(String.init))
        let bytes = outcomes.map { $0 == .notLeased ? "0" : $0 == .superseded ? "2" : "1" }.joined()
        expectEqual(
            reply,
            [bytes] + outcomes.map { if case .completed(let platform) = $0 { platform } else { "" } })
        return outcomes
    }

    func complete(_ worker: String, _ id: String, attempt: Int? = nil) throws -> QueueModel.Completed {
        try complete([QueueModel.Report(worker: worker, taskID: id, attempt: attempt)])[0]
    }

    @discardableResult
    func fail(_ worker: String, _ id: String, attempt: Int? = nil, retry: Bool = true) throws -> QueueModel.Failed {
        let report = QueueModel.Report(worker: worker, taskID: id, attempt: attempt)
        let error = #"{"reason":"blocked","message":"\#(id)"}"#
        let reply = try run(
            .fail, report.arguments + [retry ? "1" : "0", "\(rules.retriesMax)", "\(rules.retryBaseMs)", error])
        let outcome = model.fail(report, isRetrySuggested: retry, error: error, nowMs: nowMs)
        meet([String("fail \(outcome)".prefix { $0 != "(" })])
        let wanted =
            switch outcome {
            case .notLeased: ["not_leased", "0", "0", "0", ""]
            case .superseded: ["superseded", "0", "0", "0", ""]
            case .retried(let attempt, let afterMs, let platform):
                ["failed", "\(attempt)", "\(afterMs)", "0", platform]
            case .dead(let attempt, let platform): ["failed", "\(attempt)", "0", "1", platform]
            }
        expectEqual(reply.array.map(\.text), wanted)
        return outcome
    }

    @discardableResult
    func cancel(_ id: String) throws -> QueueModel.Cancelled {
        let reply = try run(.cancel, [id]).array.map(\.text)
        let outcome = model.cancel(id)
        meet([String("cancel \(outcome)".prefix { $0 != "(" })])
        switch outcome {
        case .unknown: expectEqual(reply, ["unknown", ""])
        case .dropped: expectEqual(reply, ["dropped", ""])
        case .cancelled(let holder): expectEqual(reply, ["cancelled", holder])
        }
        return outcome
    }

    @discardableResult
    func reap(limit: Int = 1_000) throws -> QueueModel.Reaped {
        let numbers = [
            limit, rules.leaseMs, rules.deliveryMs, rules.taskTimeoutMs, rules.retriesMax, rules.registryMs,
        ]
        let reply = try run(.reap, numbers.map(String.init)).array.map(\.text)
        let reaped = model.reap(limit: limit, nowMs: nowMs)
        meet(reaped.takenBack.map { "reap \($0.outcome)" })
        let head = [reaped.hasMore ? 1 : 0, reaped.promoted, reaped.checked, reaped.dropped].map(String.init)
        expectEqual(reply, head + reaped.takenBack.flatMap { [$0.platform, $0.outcome.rawValue] })
        return reaped
    }

    @discardableResult
    func reconcile(_ worker: String, listed: [String]) throws -> QueueModel.Reconciled {
        let reply = try run(.reconcile, [worker, "\(rules.deliveryMs)", "\(rules.retriesMax)"] + listed).array
        let reconciled = model.reconcile(worker: worker, listed: listed, nowMs: nowMs)
        meet(
            reconciled.takenBack.map { "reconcile \($0.outcome)" }
                + reconciled.lostTaskIDs.map { _ in "reconcile told" })
        expectEqual(reply[0].array.map(\.text), reconciled.lostTaskIDs)
        expectEqual(
            reply[1].array.map(\.text), reconciled.takenBack.flatMap { [$0.platform, $0.outcome.rawValue] })
        return reconciled
    }
}

// MARK: - Operations on the fleet and the dead letters

extension QueueHarness {
    @discardableResult
    func heartbeat(_ workers: String...) throws -> [Bool] {
        let beats = workers.map { (worker: $0, status: #"{"at":\#(nowMs)}"#) }
        let reply = try run(.heartbeats, beats.flatMap { [$0.worker, $0.status] })
        let commanded = model.heartbeats(beats, nowMs: nowMs)
        expectEqual(reply.text, commanded.map { $0 ? "1" : "0" }.joined())
        return commanded
    }

    @discardableResult
    func command(_ command: String, to worker: String) throws -> QueueModel.Commanded {
        let reply = try run(.command, [worker, command])
        let outcome = model.command(command, to: worker)
        expectEqual(reply.integer, outcome.rawValue)
        return outcome
    }

    @discardableResult
    func commandAll(_ command: String, limit: Int = 100) throws -> Int {
        var reached = 0
        var cursor = ""
        repeat {
            let reply = try run(.commandAll, ["\(rules.leaseMs)", command, cursor, "\(limit)"]).array
            reached += reply[0].integer
            cursor = reply[1].text
        } while !cursor.isEmpty
        expectEqual(reached, model.commandAll(command, nowMs: nowMs))
        return reached
    }

    func takeCommands(_ worker: String) throws -> [String] {
        let reply = try run(.takeCommands, [worker]).array.map(\.text)
        expectEqual(reply, model.takeCommands(worker))
        return reply
    }

    /// Dead letters by pages: [body, attempts, error, died_at_ms] each.
    func deadLetters(limit: Int = 100) throws -> [[String]] {
        var letters: [[String]] = []
        var cursor = ""
        repeat {
            let reply = try run(.deadList, [cursor, "\(limit)"]).array.map(\.text)
            expectEqual(reply[0], "\(model.dead.count)")
            cursor = reply[1]
            letters += stride(from: 2, to: reply.count, by: 4).map { Array(reply[$0..<$0 + 4]) }
        } while !cursor.isEmpty
        let wanted = model.dead.map { [$0.item.body, "\($0.item.attempt)", $0.error, "\($0.sequence / 1_000)"] }
        expectEqual(letters, wanted)
        return letters
    }

    @discardableResult
    func moveDead(requeue: Bool, ids: [String]) throws -> Int {
        guard !ids.isEmpty else { return 0 }
        let moved = try run(.deadMove, [requeue ? "requeue" : "delete", "100", ""] + ids).array[0].integer
        expectEqual(moved, requeue ? model.requeue(ids) : model.deleteDead(ids))
        return moved
    }

    @discardableResult
    func moveAllDead(requeue: Bool, limit: Int = 100) throws -> Int {
        var moved = 0
        var cutoff = ""
        var more = true
        while more {
            let reply = try run(.deadMove, [requeue ? "requeue" : "delete", "\(limit)", cutoff]).array
            moved += reply[0].integer
            cutoff = reply[1].text
            more = reply[2].integer == 1
        }
        let ids = model.dead.map(\.id)
        expectEqual(moved, requeue ? model.requeue(ids) : model.deleteDead(ids))
        return moved
    }

    @discardableResult
    func stats(limit: Int = 1_000) throws -> QueueModel.Stats {
        var stats = QueueModel.Stats()
        var offset = 0
        repeat {
            let reply = try run(.stats, ["\(rules.leaseMs)", "\(offset)", "\(limit)"]).array
            (stats.queued, stats.leased) = (reply[1].integer, reply[2].integer)
            (stats.delayed, stats.dead) = (reply[3].integer, reply[4].integer)
            expectEqual(reply[5].integer, model.workers.count)
            let sinceMs = nowMs - rules.leaseMs
            expectEqual(reply[6].integer, model.workers.values.count { $0.seenMs > sinceMs })
            offset = reply[7].integer
            let oldestMs = reply[8].integer
            if oldestMs > 0 { stats.oldestMs = stats.oldestMs == 0 ? oldestMs : min(stats.oldestMs, oldestMs) }
            for row in stride(from: 9, to: reply.count, by: 4) {
                stats.depth[reply[row].text, default: [:]][reply[row + 1].integer, default: 0] += reply[row + 2].integer
            }
        } while offset > 0
        expectEqual(stats, model.stats)
        return stats
    }
}

extension QueueModel.Report {
    var arguments: [String] { [worker, taskID, attempt.map(String.init) ?? ""] }
}

extension QueueModel.Delivery {
    var ids: [String] {
        tasks.map { task in String(task.body.split(separator: #""task_id":""#)[1].prefix { $0 != "\"" }) }
    }
    var attempts: [Int] { tasks.map(\.attempt) }
}

extension QueueModel.Place {
    var name: String {
        switch self {
        case .ready: "ready"
        case .delayed: "delayed"
        case .leased: "leased"
        case .dead: "dead"
        }
    }
}
