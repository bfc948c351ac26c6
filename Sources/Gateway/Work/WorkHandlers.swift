// The worker surface of one reactor: takes requests apart, hands them to the batches, answers when these have landed.
// Owned by its reactor. The hot path (heartbeat, results, complete, pull) runs through batches without a task.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class WorkHandlers: @unchecked Sendable {
    let shared: SharedState
    let reactor: Reactor
    let server: HTTPServer
    let redis: RedisClient
    var scripts: QueueScripts { shared.scripts }
    let shard: MetricsShard
    private(set) var enqueue: EnqueueHandler!
    let rawFiles: RawFileHandler
    /// Set before the first request.
    var proxies: ProxyHandlers!
    private var heartbeats: [HeartbeatBatch] = []
    private var completes: [CompleteBatch] = []
    private var resultBatches: [ResultBatch] = []
    private var puller: WorkPull!
    /// Pulls that wait, by kind.
    private var polls: [LongPoll] = []
    private var wake: WakeChannel!
    /// What workers that got nothing are told, by kind.
    var retryAdvice = WorkKind.allCases.map { _ in RetryAdvice() }
    private var platforms: LabelCache
    /// Reused by every results request of the reactor.
    private var items: [ParcelResult] = []
    private var taskID = ByteBuffer(capacity: 128)

    init(
        shared: SharedState, reactor: Reactor, server: HTTPServer, redis: RedisClient, postgres: [PostgresClient],
        shard: MetricsShard
    ) throws(RedisFailure) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.redis = redis
        let scripts = shared.scripts
        platforms = LabelCache(shared.metrics.platforms)
        self.shard = shard
        rawFiles = RawFileHandler(reactor: reactor, server: server, files: shared.rawFiles)
        enqueue = EnqueueHandler(reactor: reactor, server: server, redis: redis, scripts: scripts)
        polls = WorkKind.allCases.map {
            LongPoll(kind: $0, reactor: reactor, server: server, redis: redis, answering: self)
        }
        wake = try WakeChannel(
            reactor: reactor, endpoint: shared.configuration.redis, polls: polls,
            heard: { [unowned self] kind in retryAdvice[Int(kind.rawValue)].found() })
        puller = WorkPull(
            redis: redis, scripts: scripts, configuration: shared.configuration, polls: polls, answering: self)
        for kind in WorkKind.allCases {
            heartbeats.append(HeartbeatBatch(kind: kind, reactor: reactor, redis: redis, answering: self))
            completes.append(CompleteBatch(kind: kind, redis: redis, scripts: scripts, answering: self))
            resultBatches.append(
                ResultBatch(
                    kind: kind, reactor: reactor, postgres: postgres, redis: redis, scripts: scripts,
                    statements: shared.resultStatements[Int(kind.rawValue)], answering: self))
        }
    }

    /// What acts at a turn's end, in order; the clients that send must come after these.
    var turnParticipants: [any TurnParticipant] { heartbeats + completes + resultBatches + polls }

    /// How full the fullest of the batches is, 0 to 1.
    var fill: Double {
        var fill = 0.0
        for index in heartbeats.indices {
            fill = max(fill, heartbeats[index].fill, completes[index].fill, resultBatches[index].fill)
        }
        return fill
    }

    // MARK: Life

    func start() { wake.start() }

    /// Answers the pulls that wait; none waits from now on.
    func drain() {
        for poll in polls { poll.drain() }
    }

    func close() { wake.close() }

    /// The client of an unanswered request has gone.
    func abandoned(_ exchange: SlotID) {
        for poll in polls { poll.abandoned(exchange) }
    }

    /// Counts what became of tasks of a platform.
    func count(_ kind: WorkKind, _ status: TaskStatus, platform: RawSpan, _ tasks: Int = 1) {
        shard.add(shared.metrics.tasks(kind, status, platform: platform, in: &platforms), tasks)
    }

    func count(_ kind: WorkKind, _ status: TaskStatus, platform: String) {
        var name = ByteBuffer(capacity: 64)
        name.append(platform)
        count(kind, status, platform: name.bytes)
    }

    // MARK: Heartbeat

    func heartbeat(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan) {
        let exchange = request.exchange
        let status: WorkerStatus
        do throws(JSONFailure) {
            status = try WorkerStatus.decode(request.body)
        } catch {
            return server.respond(exchange, Problem(error))
        }
        shard.add(shared.metrics.heartbeats[Int(kind.rawValue)], 1)
        guard redis.isConnected else { return server.respond(exchange, .redisAway) }
        if status.taskIDs != nil {
            return reconcile(exchange, kind, worker: worker, status: status, body: request.body)
        }
        let isTaken = heartbeats[Int(kind.rawValue)].add(
            exchange, worker: worker, status: request.body.slice(status.document))
        if !isTaken { server.respond(exchange, .overloaded) }
    }

    // MARK: Results

    func results(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan) {
        do throws(JSONFailure) {
            try ParcelResult.decode(request.body, key: kind.resultKey, into: &items)
        } catch {
            return server.respond(request.exchange, Problem(error))
        }
        let problem = resultBatches[Int(kind.rawValue)].add(
            items, of: request.body, worker: worker, exchange: request.exchange, arrivedUs: request.wallMicroseconds)
        if let problem { server.respond(request.exchange, problem) }
    }

    // MARK: Pull

    func pull(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan) {
        puller.pull(request.exchange, kind, worker: worker, query: request.query)
    }

    // MARK: Complete and fail

    func complete(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan, task: ByteRange) {
        let exchange = request.exchange
        do throws(JSONFailure) {
            let body = try CompleteBody.decode(request.body)
            guard readTaskID(request.path.slice(task)) else { return server.respond(exchange, Self.badTaskID) }
            let isTaken = completes[Int(kind.rawValue)].add(
                exchange, worker: worker, task: taskID.bytes, attempt: body.attempt)
            if !isTaken { server.respond(exchange, .overloaded) }
        } catch {
            server.respond(exchange, Problem(error))
        }
    }

    func fail(_ request: borrowing Request, _ kind: WorkKind, worker: RawSpan, task: ByteRange) {
        let exchange = request.exchange
        do throws(JSONFailure) {
            let body = try FailBody.decode(request.body)
            guard readTaskID(request.path.slice(task)) else { return server.respond(exchange, Self.badTaskID) }
            let report = FailReport(body, of: request.body)
            let (workerText, taskText) = (worker.string, taskID.bytes.string)
            reactor.spawn { [self] in
                await fail(exchange, kind, worker: workerText, task: taskText, report)
            }
        } catch {
            server.respond(exchange, Problem(error))
        }
    }

    private static var badTaskID: Problem { .invalidRequest("the task id in the path has a broken percent-escape") }

    private func readTaskID(_ segment: RawSpan) -> Bool {
        taskID.clear()
        // `try?`: which byte of the escape is wrong helps nobody; the caller answers 400.
        return (try? RequestTarget.decode(segment.range, of: segment, plusIsSpace: false, into: &taskID)) != nil
    }

    private func fail(
        _ exchange: SlotID, _ kind: WorkKind, worker: String, task: String, _ report: FailReport
    ) async {
        do throws(RedisFailure) {
            let reply = try await redis.call(
                scripts[.fail], keys: [.string(kind.queueKeys.prefix)],
                arguments: [
                    "", .string(worker), .string(task), .string(report.attempt.map { String($0) } ?? ""),
                    .integer(report.isRetrySuggested ? 1 : 0), .integer(shared.configuration.maxRetries),
                    .integer(shared.configuration.retryBaseMs), .bytes(report.errorJSON),
                ])
            let newProxy = await proxies.replaceBlocked(
                report, kind, worker: worker, taskPlatform: reply.elements?.last?.text)
            answerFail(exchange, kind, reply, newProxy)
        } catch {
            server.respond(exchange, Problem(error))
        }
    }

    private func answerFail(_ exchange: SlotID, _ kind: WorkKind, _ reply: RedisValue, _ newProxy: ProxyInfo?) {
        guard let parts = reply.elements, parts.count == 5, let outcome = parts[0].text, let attempt = parts[1].number,
            let delayMs = parts[2].number, let isDead = parts[3].number, let platform = parts[4].text
        else { return server.respond(exchange, .internalError) }
        let failed = outcome == "failed"
        if failed { count(kind, isDead == 1 ? .dead : .failed, platform: platform) }
        server.respond(exchange, status: 200) { out in
            out.append("{\"success\":")
            out.append(failed ? "true" : "false")
            if !failed {
                out.append(",\"reason\":")
                out.append(jsonString: outcome)
            }
            out.append(",\"should_retry\":")
            out.append(failed && isDead == 0 ? "true" : "false")
            out.append(",\"retry_after\":")
            out.append(decimal: (delayMs + 999) / 1000)
            out.append(",\"attempt\":")
            out.append(decimal: attempt)
            out.append(",\"moved_to_dlq\":")
            out.append(isDead == 1 ? "true" : "false")
            if let newProxy {
                out.append(",\"new_proxy\":")
                var json = JSONWriter()
                newProxy.write(&json, &out)
            }
            out.append("}")
        }
    }
}

/// What of a fail's body outlives its request.
struct FailReport: Sendable {
    var attempt: Int?
    var isRetrySuggested: Bool
    /// The proxy that the task was blocked with; nil where the reason is another.
    var blockedPort: Int?
    /// As the worker names it.
    var platform: String?
    /// `{"reason":…,"message":…}`, as dead letters show it.
    var errorJSON: [UInt8]

    init(_ body: FailBody, of bytes: RawSpan) {
        attempt = body.attempt
        isRetrySuggested = body.isRetrySuggested
        if body.reason == .blocked { blockedPort = body.proxyPort }
        platform = body.platform.map { name in
            var text = ByteBuffer(capacity: Int(name.range.count))
            text.append(name, from: bytes)
            return text.bytes.string
        }
        var json = ByteBuffer(capacity: 128)
        json.append("{\"reason\":\"")
        json.append(body.reason.name)
        json.append("\",\"message\":")
        if let message = body.message {
            var text = ByteBuffer(capacity: 128)
            text.append(message, from: bytes)
            json.append(jsonString: text.bytes)
        } else {
            json.append("null")
        }
        json.append("}")
        errorJSON = json.bytes.array
    }
}
