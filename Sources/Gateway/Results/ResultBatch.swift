// The group commit of one kind and reactor: results gather into chunks, a chunk is one statement and one commit, its
// tasks are completed in Redis, and only then are its requests answered.
// Owned by its reactor. Limits: `waitingRowsMax` and `waitingBytesMax` not yet answered (then 503), `writingMax`
// statements out on a session, `deadlockRetriesMax` repeats of one that lost a deadlock.
//
//   add ─► gathering ─► ready ─(statement free)─► PostgreSQL: commit ─► Redis: finish ─► answers
//                         └──────── refused: split in halves, until the guilty row stands alone

import Reactor

/// Who answers results requests once their fate is known.
protocol ResultAnswering: AnyObject {
    func resultsSettled(_ submission: borrowing ResultSubmission, kind: WorkKind)
    /// A chunk has been committed: for metrics.
    func chunkCommitted(kind: WorkKind, rows: Int, duration: Interval)
    /// A result has completed its task.
    func taskFinished(kind: WorkKind, platform: RawSpan)
}

final class ResultBatch: TurnParticipant {
    /// Two on a session: PostgreSQL has the next full chunk when it has done one, and chunks still grow under load.
    static let writingMax = 2

    private struct Session {
        let client: PostgresClient
        var load = SessionLoad()
    }

    static let waitingRowsMax = 16_384
    static let waitingBytesMax = 128 * 1024 * 1024
    static let deadlockRetriesMax = 3

    let kind: WorkKind
    let reactor: Reactor
    /// Sessions that take statements in turn.
    private var sessions: [Session]
    let redis: RedisClient
    let statements: ResultStatements
    let finishScript: RedisScript
    let keyPrefix: String
    unowned let answering: any ResultAnswering
    var submissions = Slab<ResultSubmission>(countMax: ResultBatch.waitingRowsMax)
    var flights: [ResultFlight] = []
    private var idle: [ResultFlight] = []
    private var gathering: ResultFlight?
    private var ready = Ring<ResultFlight>(countMax: ResultBatch.waitingRowsMax)
    /// Committed while Redis had its fill: they go on when it has room.
    private var unfinished = Ring<ResultFlight>(countMax: ResultBatch.waitingRowsMax)
    private var waitingRows = 0
    private var waitingBytes = 0
    /// Ends the wait of the chunk that gathers.
    private var patienceTimer = TimerID.none
    var parameters = PostgresParameters()

    init(
        kind: WorkKind, reactor: Reactor, postgres: [PostgresClient], redis: RedisClient, scripts: QueueScripts,
        statements: ResultStatements, answering: any ResultAnswering
    ) {
        self.kind = kind
        self.reactor = reactor
        sessions = postgres.map { Session(client: $0) }
        self.redis = redis
        self.statements = statements
        self.answering = answering
        finishScript = scripts[.finish]
        keyPrefix = kind.queueKeys.prefix
    }

    var fill: Double {
        max(
            Double(waitingRows) / Double(Self.waitingRowsMax), Double(waitingBytes) / Double(Self.waitingBytesMax))
    }

    // MARK: Gathering

    /// Takes up all items of a request. Items that storage would refuse fail at once, alone.
    /// - Returns: nil, or why the request cannot be taken up; then nothing of it was.
    func add(
        _ results: [ParcelResult], of body: RawSpan, worker: RawSpan, exchange: SlotID, arrivedUs: Int64
    ) -> Problem? {
        guard sessions.contains(where: \.client.isConnected) else { return .postgresAway }
        guard redis.isConnected else { return .redisAway }
        guard waitingRows + results.count <= Self.waitingRowsMax,
            waitingBytes + body.byteCount <= Self.waitingBytesMax,
            let submission = submissions.insert(ResultSubmission(exchange: exchange, items: results.count))
        else { return .overloaded }
        waitingRows += results.count
        for item in results.indices {
            if let problem = results[item].problem {
                fail(results[item], item, problem, of: body, submission)
            } else {
                let flight = openFlight()
                let before = flight.chunk.bytes.count
                flight.chunk.add(
                    results[item], of: body, worker: worker, submission: submission, item: item, arrivedUs: arrivedUs)
                waitingBytes += flight.chunk.bytes.count - before
            }
        }
        answerIfSettled(submission)
        return nil
    }

    private func openFlight() -> ResultFlight {
        if let gathering {
            if !gathering.chunk.isFull { return gathering }
            close(gathering)
        }
        if let reused = idle.popLast() {
            gathering = reused
            return reused
        }
        let new = ResultFlight(id: flights.count)
        flights.append(new)
        gathering = new
        return new
    }

    private func close(_ flight: ResultFlight) {
        gathering = nil
        flight.close(now: reactor.now)
        ready.append(flight)
    }

    private func fail(
        _ result: ParcelResult, _ item: Int, _ problem: ItemProblem, of body: RawSpan, _ submission: SlotID
    ) {
        var names = ByteBuffer(capacity: 256)
        names.append(result.taskID, from: body)
        let taskCount = names.count
        names.append(result.recordID, from: body)
        var message = ByteBuffer(capacity: 256)
        problem.appendMessage(to: &message)
        unsafe submissions.at(submission.index).pointee.note(
            item: item, taskID: names.bytes.extracting(0..<taskCount),
            recordID: names.bytes.extracting(taskCount..<names.count), key: kind.resultKey, code: problem.code,
            message: message.bytes)
        unsafe submissions.at(submission.index).pointee.count(.failed)
        waitingRows -= 1
    }

    // MARK: Writing

    /// Lets chunks depart while sessions are free: a full one to a session that has room, any when no statement is out.
    /// Two half-filled chunks at a time cost PostgreSQL more than one after the other: see ARCHITECTURE.md, section 9.
    func turnEnded() {
        while !unfinished.isEmpty, !redis.isFull { finish(unfinished.removeFirst()) }
        while true {
            if let gathering, gathering.chunk.isFull { close(gathering) }
            guard let session = leastBusy() else { return }
            if ready.isEmpty {
                guard let gathering,
                    BatchGate.mayDepart(
                        gathered: gathering.chunk.rows.count, inFlight: sessions[session].load.writing),
                    !gathersOn()
                else { return }
                close(gathering)
            }
            let flight = ready.removeFirst()
            flight.session = session
            sessions[session].load.began(now: reactor.now)
            write(flight)
        }
    }

    /// The session with the fewest statements out, if it has room; a connected one where there is any.
    private func leastBusy() -> Int? {
        var best: Int?
        for index in sessions.indices where sessions[index].client.isConnected {
            if best == nil || sessions[index].load.writing < sessions[best!].load.writing { best = index }
        }
        // With none connected the first takes what waits, and fails it.
        let chosen = best ?? 0
        return sessions[chosen].load.writing < Self.writingMax ? chosen : nil
    }

    /// Whether what is out gets on, so that the chunk that gathers had better wait for its end. Wakes itself when that
    /// may have changed.
    private func gathersOn() -> Bool {
        var patient: Instant?
        for session in sessions {
            guard let end = session.load.patienceEnd, end > reactor.now else { continue }
            patient = patient.map { max($0, end) } ?? end
        }
        guard let patient else { return false }
        if patienceTimer == .none { patienceTimer = reactor.schedule(at: patient, self, tag: 0) }
        return true
    }

    /// Sends the flight's next group; with none left, goes on to Redis.
    private func write(_ flight: ResultFlight) {
        guard let group = flight.groups.last else {
            sessions[flight.session].load.ended()
            return finish(flight)
        }
        let statement = statements.encode(flight.chunk, group, into: &parameters)
        let isSent = sessions[flight.session].client.submit(
            owner: self, tag: UInt64(flight.id), statement: statement, parameters: parameters)
        if !isSent { giveUp(flight, .postgresAway) }
    }

    private func giveUp(_ flight: ResultFlight, _ problem: Problem) {
        flight.settleUnknown()
        flight.chunk.settleSuperseded()
        sessions[flight.session].load.ended()
        release(flight, problem)
    }

    // MARK: Finishing

    private func finish(_ flight: ResultFlight) {
        flight.prepareFinish()
        guard !flight.finishing.isEmpty else { return release(flight, nil) }
        guard !redis.isFull else { return unfinished.append(flight) }
        let isSent = redis.submit(owner: self, tag: UInt64(flight.id), replies: 1, isScripted: true) { out in
            encodeFinish(flight, &out)
        }
        if !isSent { release(flight, .redisAway) }
    }

    private func encodeFinish(_ flight: ResultFlight, _ out: inout ByteBuffer) {
        out.beginScript(finishScript, keyCount: 1, argumentCount: 1 + 3 * flight.finishing.count)
        out.argument(keyPrefix)
        out.argument("" as StaticString)
        for index in flight.finishing {
            let row = flight.chunk.rows[Int(index)]
            out.argument(flight.chunk.bytes.bytes.slice(row.worker))
            out.argument(flight.chunk.bytes.bytes.slice(row.taskID))
            if let attempt = row.attempt { out.argument(Int(attempt)) } else { out.argument("" as StaticString) }
        }
    }

    // MARK: Answering

    /// Counts every row for its request and answers those that are complete.
    /// - Parameter problem: why rows that are stored, or may be, cannot be acknowledged.
    private func release(_ flight: ResultFlight, _ problem: Problem?) {
        waitingBytes -= flight.chunk.bytes.count
        for index in flight.chunk.rows.indices {
            let row = flight.chunk.rows[index]
            if row.outcome == .pending {
                // Its winner failed: now it must be tried itself.
                let retry = openFlight()
                let before = retry.chunk.bytes.count
                retry.chunk.add(row, of: flight.chunk.bytes.bytes)
                waitingBytes += retry.chunk.bytes.count - before
                continue
            }
            waitingRows -= 1
            let submission = unsafe submissions.at(row.submission.index)
            unsafe submission.pointee.count(row.outcome)
            if row.outcome != .failed, let problem { unsafe submission.pointee.problem = problem }
            answerIfSettled(row.submission)
        }
        flight.clear()
        idle.append(flight)
    }

    private func answerIfSettled(_ id: SlotID) {
        guard submissions.isLive(id), unsafe submissions.at(id.index).pointee.pending == 0 else { return }
        let submission = submissions.remove(id.index)
        answering.resultsSettled(submission, kind: kind)
    }
}

// MARK: - The end of patience

extension ResultBatch: TimerOwner {
    /// The turn that this begins ends with another look at what gathers.
    func timerFired(tag: UInt64) { patienceTimer = .none }
}

// MARK: - PostgreSQL's answers

extension ResultBatch: PostgresFlightOwner {
    func completed(_ rows: PostgresRows, tag: UInt64) {
        let flight = flights[Int(tag)]
        sessions[flight.session].load.advanced(now: reactor.now)
        guard let group = flight.groups.last else { preconditionFailure("an answer to no statement") }
        for index in 0..<rows.count {
            let position = group.lowerBound + Int(rows.int16(index, 0)) - 1
            flight.chunk.settle(Int(flight.chunk.order[position]), rows.bool(index, 1) ? .inserted : .updated)
        }
        flight.settleStale()
        answering.chunkCommitted(kind: kind, rows: group.count, duration: reactor.now - flight.departed)
        write(flight)
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) {
        let flight = flights[Int(tag)]
        if failure.sqlClass == "40", flight.deadlockRetries < Self.deadlockRetriesMax {
            flight.deadlockRetries += 1
            return write(flight)
        }
        guard failure.isDataFault else {
            return giveUp(flight, .unavailable("PostgreSQL could not store the results: \(failure)"))
        }
        if let guilty = flight.split() { blame(guilty, of: flight, failure) }
        write(flight)
    }

    private func blame(_ index: Int, of flight: ResultFlight, _ failure: PostgresFailure) {
        let row = flight.chunk.rows[index]
        var message = ByteBuffer(capacity: 256)
        message.append(failure.message)
        var chunk = exchange(&flight.chunk, for: ResultChunk())
        unsafe submissions.at(row.submission.index).pointee.note(
            item: Int(row.item), taskID: chunk.bytes.bytes.slice(row.taskID),
            recordID: chunk.bytes.bytes.slice(row.recordID), key: kind.resultKey, code: "STORAGE_REFUSED",
            message: message.bytes)
        chunk.settle(index, .failed)
        flight.chunk = chunk
    }
}

// MARK: - Redis' answers

extension ResultBatch: RedisFlightOwner {
    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        let flight = flights[Int(tag)]
        let outcomes = reply.bytes
        guard !reply.isError, outcomes.byteCount == flight.finishing.count else {
            return release(flight, .unavailable("Redis refused to complete the tasks: \(outcomes.string)"))
        }
        let chunk = exchange(&flight.chunk, for: ResultChunk())
        tellFinished(chunk, flight.finishing, outcomes)
        flight.chunk = chunk
        release(flight, nil)
    }

    private func tellFinished(_ chunk: borrowing ResultChunk, _ finishing: [UInt8], _ outcomes: RawSpan) {
        for position in finishing.indices where outcomes.byte(at: position) == UInt8(ascii: "1") {
            let platform = chunk.rows[Int(finishing[position])].platform
            answering.taskFinished(kind: kind, platform: chunk.bytes.bytes.slice(platform))
        }
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) { release(flights[Int(tag)], .redisAway) }
}
