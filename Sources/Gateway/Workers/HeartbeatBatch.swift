// Heartbeats of one kind and reactor, gathered into one flight to Redis: status, last seen, and who has commands.
// Owned by its reactor. Limits: `heartbeatsMax` gathered (then 503); one flight out at a time. Where Redis has its fill they
// go on gathering.
//
//   add ─► gathering ─(turn ends, no flight out)─► flying ─► HSET, ZADD seen, ZADD fleet, SMISMEMBER ─► answers

import Reactor

/// Who answers heartbeats once Redis has them.
protocol HeartbeatAnswering: AnyObject {
    /// The heartbeat is in Redis. `hasCommands`: some wait for this worker.
    func heartbeatLanded(_ exchange: SlotID, kind: WorkKind, worker: RawSpan, hasCommands: Bool)
    func heartbeatFailed(_ exchange: SlotID, _ problem: Problem)
    /// A flight has landed: for metrics.
    func batchLanded(kind: WorkKind, count: Int, duration: Interval)
}

final class HeartbeatBatch: RedisFlightOwner, TurnParticipant {
    static let heartbeatsMax = 16_384

    /// Its bytes in the load are the two arguments `worker` and `status` as Redis reads them, one behind the other: the
    /// load's bytes as a whole are the tail of the HSET.
    private struct Entry {
        var exchange: SlotID
        var workerArgument: ByteRange
        var worker: ByteRange
    }

    let kind: WorkKind
    private let redis: RedisClient
    private let reactor: Reactor
    private unowned let answering: any HeartbeatAnswering
    private let keys: (status: String, seen: String, fleet: String, commanded: String)
    private var gathering = BatchLoad<Entry>()
    private var flying = BatchLoad<Entry>()
    private var departed: Instant
    /// The time of a flight as an argument: the same for each of its workers.
    private var score = ByteBuffer(capacity: 32)
    /// A command of the flight was refused: its heartbeats are not acknowledged.
    private var refusal: Problem?

    init(kind: WorkKind, reactor: Reactor, redis: RedisClient, answering: any HeartbeatAnswering) {
        self.kind = kind
        self.reactor = reactor
        self.redis = redis
        self.answering = answering
        let queue = kind.queueKeys
        keys = (queue.status, queue.seen, queue.fleet, queue.commanded)
        departed = reactor.now
    }

    var fill: Double { Double(gathering.entries.count) / Double(Self.heartbeatsMax) }

    /// Takes a heartbeat up; false when there is no room.
    func add(_ exchange: SlotID, worker: RawSpan, status: RawSpan) -> Bool {
        guard gathering.entries.count < Self.heartbeatsMax else { return false }
        // One access to the load, not one a line: each is checked for exclusivity when it happens.
        Self.append(exchange, worker, status, to: &gathering)
        return true
    }

    private static func append(
        _ exchange: SlotID, _ worker: RawSpan, _ status: RawSpan, to load: inout BatchLoad<Entry>
    ) {
        let start = load.bytes.count
        load.bytes.argument(worker)
        let end = load.bytes.count
        load.bytes.argument(status)
        load.entries.append(
            Entry(
                exchange: exchange, workerArgument: ByteRange(offset: start, count: end - start),
                worker: ByteRange(offset: end - 2 - worker.byteCount, count: worker.byteCount)))
    }

    func turnEnded() {
        guard BatchGate.mayDepart(gathered: gathering.entries.count, inFlight: flying.entries.count), !redis.isFull
        else { return }
        swap(&gathering, &flying)
        departed = reactor.now
        refusal = nil
        // One up: our idea of Redis' time may lag a little, and who is heard in the millisecond of its delivery has
        // confirmed it.
        let seenMs = Int(redis.fleetMilliseconds(reactor.now)) + 1
        // Taken out while it is read: a span must not see its buffer change hands.
        let load = exchange(&flying, for: BatchLoad())
        let isSent = redis.submit(owner: self, tag: 0, replies: 4) { encode(load, seenMs, &$0) }
        flying = load
        if !isSent { failAll(redis.isConnected ? .overloaded : .redisAway) }
    }

    private func encode(_ load: borrowing BatchLoad<Entry>, _ seenMs: Int, _ out: inout ByteBuffer) {
        let count = load.entries.count
        let bytes = load.bytes.bytes
        out.beginCommand(2 + 2 * count)
        out.argument("HSET" as StaticString)
        out.argument(keys.status)
        out.append(bytes)
        out.beginCommand(3 + 2 * count)
        out.argument("ZADD" as StaticString)
        out.argument(keys.seen)
        out.argument("GT" as StaticString)
        score.clear()
        score.argument(seenMs)
        for entry in load.entries {
            out.append(score.bytes)
            out.append(bytes.slice(entry.workerArgument))
        }
        // Always, not only for newcomers: a worker that ZADD above has just made known would be lost from the
        // registry's pages if the process died between the two.
        out.beginCommand(2 + 2 * count)
        out.argument("ZADD" as StaticString)
        out.argument(keys.fleet)
        for entry in load.entries {
            out.append("$1\r\n0\r\n")
            out.append(bytes.slice(entry.workerArgument))
        }
        out.beginCommand(2 + count)
        out.argument("SMISMEMBER" as StaticString)
        out.argument(keys.commanded)
        for entry in load.entries { out.append(bytes.slice(entry.workerArgument)) }
    }

    // MARK: Replies

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        if reply.isError, refusal == nil {
            refusal = .unavailable("Redis refused the heartbeat: \(reply.bytes.string)")
        }
        guard index == 3 else { return }
        if let refusal { return failAll(refusal) }
        var load = exchange(&flying, for: BatchLoad())
        answering.batchLanded(kind: kind, count: load.entries.count, duration: reactor.now - departed)
        for position in 0..<load.entries.count {
            let entry = load.entries[position]
            answering.heartbeatLanded(
                entry.exchange, kind: kind, worker: load.bytes.bytes.slice(entry.worker),
                hasCommands: reply[position].integer == 1)
        }
        load.clear()
        flying = load
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) {
        failAll(failure == .overloaded ? .overloaded : .redisAway)
    }

    private func failAll(_ problem: Problem) {
        for entry in flying.entries { answering.heartbeatFailed(entry.exchange, problem) }
        flying.clear()
    }
}
