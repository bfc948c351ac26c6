// Heartbeats and completions gathered on one reactor, against a real Redis: all are answered, in order, in as many calls
// as the bounds need; what is over the bound is refused.

import Testing

@testable import Gateway
@testable import Reactor

@Suite struct BatchTests {
    /// Runs `body` on the thread of a reactor whose Redis client is connected to an empty database.
    private func onReactor<Value: Sendable>(
        _ limits: RedisLimits = RedisLimits(),
        _ body: @escaping @Sendable (BatchFixture) async throws -> Value
    ) async throws -> Value {
        let url = try freshRedisURL()
        let reactor = try testReactor(descriptorsMax: 64)
        let thread = ReactorThread(reactor) { _ in }
        let task = Task(executorPreference: reactor.executor) { try await body(try BatchFixture(reactor, url, limits)) }
        let result = await task.result
        reactor.stop()
        thread.join()
        return try result.get()
    }

    @Test func `completions beyond one call's bound go out in several, each answered in its order`() async throws {
        let log = try await onReactor { fixture in
            try await fixture.connect()
            try await fixture.lease(100)
            for number in 0..<2500 {
                // Every 25th is held by this worker.
                let task = number % 25 == 0 ? "t-\(number / 25)" : "unknown-\(number)"
                #expect(fixture.complete(task, number))
            }
            try await fixture.untilAnswered(2500)
            return fixture.answers.log
        }
        #expect(log == (0..<2500).map { "\($0) \($0 % 25 == 0 ? "completed b" : "notLeased ")" })
    }

    @Test func `heartbeats of one turn are one batch, and a worker with commands is told so`() async throws {
        let (log, batches) = try await onReactor { fixture in
            try await fixture.connect()
            _ = try await fixture.redis.command("SADD", .string(fixture.keys.commanded), "w-7")
            for number in 0..<3000 { #expect(fixture.heartbeat("w-\(number)", number)) }
            try await fixture.untilAnswered(3000)
            return (fixture.answers.log, fixture.answers.batches)
        }
        #expect(log == (0..<3000).map { "\($0) \($0 == 7 ? "commands" : "quiet")" })
        #expect(batches == [3000])
    }

    @Test func `one more than the bound is refused, and those taken up are answered`() async throws {
        let (refused, answered) = try await onReactor { fixture in
            var refused = [0, 0]
            for number in 0..<HeartbeatBatch.heartbeatsMax + 5 where !fixture.heartbeat("w", number) { refused[0] += 1 }
            for number in 0..<CompleteBatch.waitingMax + 7 where !fixture.complete("t", number) { refused[1] += 1 }
            // There is no connection yet: what was taken up is answered at the turn's end.
            try await fixture.untilAnswered(HeartbeatBatch.heartbeatsMax + CompleteBatch.waitingMax)
            return (refused, fixture.answers.log)
        }
        #expect(refused == [5, 7])
        #expect(answered.allSatisfy { $0.hasSuffix("503") })
    }

    @Test func `while Redis has its fill batches go on gathering, and are answered when it has room`() async throws {
        var limits = RedisLimits()
        limits.flightsMax = 1
        let (early, log, batches) = try await onReactor(limits) { fixture in
            try await fixture.connect()
            try await fixture.lease(1)
            // The one flight: for a while nothing else is taken.
            let redis = fixture.redis
            let blocked = Task(executorPreference: fixture.reactor.executor) {
                try await redis.command("BLPOP", "nothing", "0.3")
            }
            try await fixture.until("full") { fixture.redis.isFull }
            for number in 0..<10 {
                #expect(fixture.heartbeat("w-\(number)", number))
                #expect(fixture.complete("t-\(number)", 100 + number))
                await fixture.reactor.sleep(.milliseconds(1))
            }
            let early = fixture.answers.log.count
            _ = try await blocked.value
            try await fixture.untilAnswered(20)
            return (early, fixture.answers.log, fixture.answers.batches)
        }
        #expect(early == 0)
        #expect(Set(log).isSuperset(of: (0..<10).map { "\($0) quiet" }))
        #expect(log.contains("100 completed b") && log.contains("109 notLeased "))
        #expect(batches == [10])
    }

    @Test func `the policy of a batch: nothing departs while one is out, all that gathered goes when it lands`() {
        #expect(!BatchGate.mayDepart(gathered: 0, inFlight: 0))
        #expect(BatchGate.mayDepart(gathered: 1, inFlight: 0))
        #expect(!BatchGate.mayDepart(gathered: 1000, inFlight: 1))
        #expect(BatchGate.mayDepart(gathered: 1, inFlight: 1, flightsMax: 2))
        #expect(!BatchGate.mayDepart(gathered: 1, inFlight: 2, flightsMax: 2))
    }
}

/// The two batches of one kind on a reactor, and what they answered. Every member is for the reactor's thread.
private final class BatchFixture {
    let reactor: Reactor
    let redis: RedisClient
    let keys = WorkKind.parcel.queueKeys
    let answers = BatchAnswers()
    private let scripts = QueueScripts()
    private let heartbeats: HeartbeatBatch
    private let completes: CompleteBatch

    init(_ reactor: Reactor, _ url: String, _ limits: RedisLimits) throws {
        self.reactor = reactor
        let endpoint = try RedisEndpoint(url)
        redis = try RedisClient(reactor: reactor, endpoint: endpoint, scripts: scripts.all, limits: limits)
        heartbeats = HeartbeatBatch(kind: .parcel, reactor: reactor, redis: redis, answering: answers)
        completes = CompleteBatch(kind: .parcel, redis: redis, scripts: scripts, answering: answers)
        reactor.join(heartbeats)
        reactor.join(completes)
        reactor.join(redis)
    }

    func connect() async throws {
        redis.start()
        try await until("connected") { redis.isConnected }
    }

    /// Has worker `w` hold tasks `t-0` … on platform `b`.
    func lease(_ count: Int) async throws {
        let tasks = (0..<count).flatMap { number in
            [
                RedisArgument.string("t-\(number)"),
                .string("{\"priority\":3,\"tier\":1,\"platform\":\"b\",\"task_id\":\"t-\(number)\",\"attempt\":"),
            ]
        }
        _ = try await redis.call(scripts[.enqueue], keys: [.string(keys.prefix)], arguments: [""] + tasks)
        let arguments: [RedisArgument] = [
            "", "w", .integer(count), .integer(4), "", .integer(90_000), .integer(3_600_000), .integer(1000),
        ]
        _ = try await redis.call(scripts[.claim], keys: [.string(keys.prefix)], arguments: arguments)
    }

    func complete(_ task: String, _ number: Int) -> Bool {
        completes.add(
            SlotID(index: UInt32(number), generation: 1), worker: Array("w".utf8).span.bytes,
            task: Array(task.utf8).span.bytes, attempt: nil)
    }

    func heartbeat(_ worker: String, _ number: Int) -> Bool {
        heartbeats.add(
            SlotID(index: UInt32(number), generation: 1), worker: Array(worker.utf8).span.bytes,
            status: Array("{}".utf8).span.bytes)
    }

    func untilAnswered(_ count: Int) async throws { try await until("\(count) answers") { answers.log.count == count } }

    func until(_ what: String, _ condition: () -> Bool) async throws {
        let end = reactor.now + .seconds(30)
        while !condition() {
            guard reactor.now < end else { throw StartFailure(description: "never came true: \(what)") }
            await reactor.sleep(.milliseconds(1))
        }
    }
}

private final class BatchAnswers: HeartbeatAnswering, CompleteAnswering {
    private(set) var log: [String] = []
    private(set) var batches: [Int] = []

    func heartbeatLanded(_ exchange: SlotID, kind: WorkKind, worker: RawSpan, hasCommands: Bool) {
        log.append("\(exchange.index) \(hasCommands ? "commands" : "quiet")")
    }
    func heartbeatFailed(_ exchange: SlotID, _ problem: Problem) { log.append("\(exchange.index) \(problem.status)") }
    func batchLanded(kind: WorkKind, count: Int, duration: Interval) { batches.append(count) }
    func completeLanded(_ exchange: SlotID, kind: WorkKind, outcome: CompleteOutcome, platform: RawSpan) {
        log.append("\(exchange.index) \(outcome) \(platform.string)")
    }
    func completeFailed(_ exchange: SlotID, _ problem: Problem) { log.append("\(exchange.index) \(problem.status)") }
}
