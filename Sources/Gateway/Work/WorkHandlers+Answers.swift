// What the worker surface answers once a batch has landed. On the reactor's thread, inside the batch's call.

import Reactor

extension WorkHandlers: HeartbeatAnswering {
    func heartbeatLanded(_ exchange: SlotID, kind: WorkKind, worker: RawSpan, hasCommands: Bool) {
        if hasCommands { return takeCommands(exchange, kind, worker: worker.string, lost: nil) }
        server.respond(exchange, status: 200) { $0.append("{\"acknowledged\":true,\"commands\":[]}") }
    }

    func heartbeatFailed(_ exchange: SlotID, _ problem: Problem) { server.respond(exchange, problem) }

    func batchLanded(kind: WorkKind, count: Int, duration: Interval) {
        shard.observe(shared.metrics.batchSize.redis, Int64(count))
        shard.observe(shared.metrics.batchDuration.redis, duration.nanoseconds)
    }

    /// Fetches the commands that wait for a worker, in order, and answers its heartbeat with them.
    private func takeCommands(_ exchange: SlotID, _ kind: WorkKind, worker: String, lost: [String]?) {
        reactor.spawn { [self] in
            do throws(RedisFailure) {
                let reply = try await redis.call(
                    scripts[.takeCommands], keys: [.string(kind.queueKeys.prefix)], arguments: ["", .string(worker)])
                answerHeartbeat(exchange, commands: (reply.elements ?? []).compactMap(\.text), lost: lost)
            } catch {
                server.respond(exchange, Problem(error))
            }
        }
    }

    private func answerHeartbeat(_ exchange: SlotID, commands: [String], lost: [String]?) {
        server.respond(exchange, status: 200) { out in
            var json = JSONWriter()
            json.openObject(&out)
            json.key("acknowledged", &out)
            json.bool(true, &out)
            json.key("commands", &out)
            json.strings(commands, &out)
            if let lost {
                json.key("lost_task_ids", &out)
                json.strings(lost, &out)
            }
            json.closeObject(&out)
        }
    }

    /// A heartbeat that lists its tasks: says what it holds no longer, takes back what it does not list.
    func reconcile(_ exchange: SlotID, _ kind: WorkKind, worker: RawSpan, status: WorkerStatus, body: RawSpan) {
        var arguments: [RedisArgument] = [
            "", .string(worker.string), .integer(QueueRules(shared.configuration).deliveryMs),
            .integer(shared.configuration.maxRetries),
        ]
        var text = ByteBuffer(capacity: 128)
        var ids = JSONStrings(body, status.taskIDs ?? .empty)
        while let id = ids.next() {
            text.clear()
            text.append(id, from: body)
            arguments.append(.string(text.bytes.string))
        }
        let statusJSON = body.slice(status.document).array
        let (name, call) = (worker.string, arguments)
        reactor.spawn { [self] in
            await reconcile(exchange, kind, worker: name, statusJSON: statusJSON, call)
        }
    }

    private func reconcile(
        _ exchange: SlotID, _ kind: WorkKind, worker: String, statusJSON: [UInt8], _ arguments: [RedisArgument]
    ) async {
        let key = RedisArgument.string(kind.queueKeys.prefix)
        do throws(RedisFailure) {
            let waiting = try await redis.call(
                scripts[.heartbeats], keys: [key], arguments: ["", .string(worker), .bytes(statusJSON)])
            let reply = try await redis.call(scripts[.reconcile], keys: [key], arguments: arguments)
            let lost = reply.elements?.first?.elements?.compactMap(\.text) ?? []
            countReturned(kind, reply.elements?.last?.elements ?? [])
            if waiting.text == "1" {
                takeCommands(exchange, kind, worker: worker, lost: lost)
            } else {
                answerHeartbeat(exchange, commands: [], lost: lost)
            }
        } catch {
            server.respond(exchange, Problem(error))
        }
    }

    /// Counts tasks that went back to the queue or died: pairs of platform and outcome, as the scripts tell them.
    private func countReturned(_ kind: WorkKind, _ pairs: [RedisValue]) {
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            let status: TaskStatus = pairs[index + 1].text == "dead" ? .dead : .requeued
            count(kind, status, platform: pairs[index].text ?? "")
        }
    }
}

extension WorkHandlers: CompleteAnswering {
    func completeLanded(_ exchange: SlotID, kind: WorkKind, outcome: CompleteOutcome, platform: RawSpan) {
        if outcome == .completed { taskFinished(kind: kind, platform: platform) }
        server.respond(exchange, status: 200) { out in
            switch outcome {
            case .completed: out.append("{\"status\":\"ok\",\"success\":true}")
            case .notLeased: out.append("{\"status\":\"ok\",\"success\":false,\"reason\":\"not_leased\"}")
            case .superseded: out.append("{\"status\":\"ok\",\"success\":false,\"reason\":\"superseded\"}")
            }
        }
    }

    func completeFailed(_ exchange: SlotID, _ problem: Problem) { server.respond(exchange, problem) }
}

extension WorkHandlers: ResultAnswering {
    func resultsSettled(_ submission: borrowing ResultSubmission, kind: WorkKind) {
        let exchange = submission.exchange
        if let problem = submission.problem { return server.respond(exchange, problem) }
        let results = shared.metrics.results[Int(kind.rawValue)]
        shard.add(results.inserted, submission.inserted)
        shard.add(results.updated, submission.updated)
        shard.add(results.stale, submission.stale)
        shard.add(results.failed, submission.failed)
        server.respond(exchange, status: 200) { submission.writeAnswer(to: &$0) }
    }

    func chunkCommitted(kind: WorkKind, rows: Int, duration: Interval) {
        shard.observe(shared.metrics.batchSize.postgres, Int64(rows))
        shard.observe(shared.metrics.batchDuration.postgres, duration.nanoseconds)
    }

    func taskFinished(kind: WorkKind, platform: RawSpan) {
        count(kind, .completed, platform: platform)
    }
}

extension WorkHandlers: PullAnswering {
    func pullLanded(_ exchange: SlotID, kind: WorkKind, reply: RedisReply) {
        let count = (reply.count - 3) / 2
        server.respond(exchange, status: 200) { out in
            out.append("{\"tasks\":[")
            for task in 0..<count {
                if task > 0 { out.append(UInt8(ascii: ",")) }
                out.append(reply[3 + 2 * task].bytes)
                out.append(decimal: reply[4 + 2 * task].integer ?? 0)
                out.append(UInt8(ascii: "}"))
            }
            endPull(retryAfterSeconds: 0, &out)
        }
        retryAdvice[Int(kind.rawValue)].found()
        if reply[2].integer == 0 { countLeased(kind, reply, tasks: count) }
    }

    func pullEmpty(_ exchange: SlotID, kind: WorkKind, dueInMs: Int?, hasWaited: Bool) {
        let seconds = retryAdvice[Int(kind.rawValue)].seconds(
            now: reactor.now, dueInMs: dueInMs, hasWaited: hasWaited, using: &reactor.random)
        server.respond(exchange, status: 200) { out in
            out.append("{\"tasks\":[")
            endPull(retryAfterSeconds: seconds, &out)
        }
    }

    private func endPull(retryAfterSeconds: Int, _ out: inout ByteBuffer) {
        out.append("],\"retry_after\":")
        out.append(decimal: retryAfterSeconds)
        out.append(",\"lease_seconds\":")
        out.append(decimal: shared.configuration.leaseMs / 1000)
        out.append("}")
    }

    /// Counts the delivered tasks by platform, which stands at the start of every body.
    private func countLeased(_ kind: WorkKind, _ reply: RedisReply, tasks: Int) {
        for task in 0..<tasks {
            guard let platform = TaskBody.platform(of: reply[3 + 2 * task].bytes) else { continue }
            count(kind, .leased, platform: platform)
        }
    }

    func pullFailed(_ exchange: SlotID, _ problem: Problem) { server.respond(exchange, problem) }
}
