// Completions of one kind and reactor, gathered into one call of the queue's `complete` script.
// Owned by its reactor. Limits: `flightMax` completions a call (the script's own bound), `waitingMax` gathered. Where Redis
// has its fill they go on gathering.

import Reactor

/// Who answers completions once Redis has decided.
protocol CompleteAnswering: AnyObject {
    func completeLanded(_ exchange: SlotID, kind: WorkKind, outcome: CompleteOutcome, platform: RawSpan)
    func completeFailed(_ exchange: SlotID, _ problem: Problem)
}

/// What the queue says of a worker's word that it has done a task.
enum CompleteOutcome: UInt8 {
    case notLeased = 0x30
    case completed = 0x31
    /// A later attempt is out.
    case superseded = 0x32
}

final class CompleteBatch: RedisFlightOwner, TurnParticipant {
    static let flightMax = 1000
    static let waitingMax = 16_384

    private struct Entry {
        var exchange: SlotID
        var worker: ByteRange
        var task: ByteRange
        var attempt: Int?
    }

    private let kind: WorkKind
    private let redis: RedisClient
    private unowned let answering: any CompleteAnswering
    private let keys: QueueKeys
    private let script: RedisScript
    private var gathering = BatchLoad<Entry>()
    private var flying = BatchLoad<Entry>()
    /// Entries of `flying` before this one are answered; a load larger than a flight goes out in several.
    private var landed = 0
    private var inFlight = 0

    init(kind: WorkKind, redis: RedisClient, scripts: QueueScripts, answering: any CompleteAnswering) {
        self.kind = kind
        self.redis = redis
        self.answering = answering
        keys = kind.queueKeys
        script = scripts[.complete]
    }

    var fill: Double { Double(gathering.entries.count) / Double(Self.waitingMax) }

    /// Takes a completion up; false when there is no room.
    func add(_ exchange: SlotID, worker: RawSpan, task: RawSpan, attempt: Int?) -> Bool {
        guard gathering.entries.count < Self.waitingMax else { return false }
        let entry = Entry(
            exchange: exchange, worker: gathering.keep(worker), task: gathering.keep(task), attempt: attempt)
        gathering.entries.append(entry)
        return true
    }

    func turnEnded() {
        guard inFlight == 0, !redis.isFull else { return }
        if flying.entries.isEmpty {
            guard BatchGate.mayDepart(gathered: gathering.entries.count, inFlight: 0) else { return }
            swap(&gathering, &flying)
            landed = 0
        }
        depart()
    }

    private func depart() {
        inFlight = min(Self.flightMax, flying.entries.count - landed)
        let load = exchange(&flying, for: BatchLoad())
        let isSent = redis.submit(owner: self, tag: 0, replies: 1, isScripted: true) { encode(load, &$0) }
        flying = load
        if !isSent { failAll(redis.isConnected ? .overloaded : .redisAway) }
    }

    private func encode(_ load: borrowing BatchLoad<Entry>, _ out: inout ByteBuffer) {
        out.beginScript(script, keyCount: 1, argumentCount: 1 + 3 * inFlight)
        out.argument(keys.prefix)
        out.argument("" as StaticString)
        for position in landed..<landed + inFlight {
            let entry = load.entries[position]
            out.argument(load.bytes.bytes.slice(entry.worker))
            out.argument(load.bytes.bytes.slice(entry.task))
            if let attempt = entry.attempt { out.argument(attempt) } else { out.argument("" as StaticString) }
        }
    }

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        guard reply.count == inFlight + 1 else {
            return failAll(.unavailable("Redis refused the completion: \(reply.bytes.string)"))
        }
        let outcomes = reply[0].bytes
        for position in 0..<inFlight {
            let outcome = CompleteOutcome(rawValue: outcomes.byte(at: position)) ?? .notLeased
            answering.completeLanded(
                flying.entries[landed + position].exchange, kind: kind, outcome: outcome,
                platform: reply[position + 1].bytes)
        }
        landed += inFlight
        inFlight = 0
        // What is left departs at the turn's end.
        if landed == flying.entries.count { flying.clear() }
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) {
        failAll(failure == .overloaded ? .overloaded : .redisAway)
    }

    private func failAll(_ problem: Problem) {
        for entry in flying.entries[landed...] { answering.completeFailed(entry.exchange, problem) }
        flying.clear()
        inFlight = 0
    }
}
