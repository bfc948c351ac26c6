// Pulls: one call of the queue's `claim` script for each, its reply spliced into the answer as it stands.
// Owned by its reactor. Limits: `pullsMax` out at once (then 503), `platformsMax` platforms a request. In a burst larger than
// `LongPoll.flightsMax` a pull stands in line with those that wait, so that Redis' flights are left to others too.

import Reactor

/// The parameters of `GET /internal/work`.
struct WorkQuery {
    static let platformsMax = 64
    static let capacities = 1...100
    static let waitSecondsMax = 30.0
    static let pollIDBytesMax = 64

    var capacity = 10
    var maxTier = 4
    var waitSeconds = 0.0

    /// Reads the parameters; those of any length go to `lists`, which is cleared first.
    /// - Throws: a 400 that names the parameter.
    static func read(_ query: RawSpan, lists: inout WorkQueryLists) throws(Problem) -> WorkQuery {
        var result = WorkQuery()
        lists.clear()
        if query.isEmpty { return result }
        // Taken out while it is used: its bytes are read while the lists grow.
        var value = exchange(&lists.value, for: ByteBuffer())
        do throws(Problem) {
            try read(query, &result, lists: &lists, value: &value)
        } catch {
            lists.value = value
            throw error
        }
        lists.value = value
        return result
    }

    private static func read(
        _ query: RawSpan, _ result: inout WorkQuery, lists: inout WorkQueryLists, value: inout ByteBuffer
    ) throws(Problem) {
        var items = QueryItems(query.range)
        while let item = items.next(in: query) {
            value.clear()
            do {
                try RequestTarget.decode(item.value, of: query, plusIsSpace: true, into: &value)
            } catch {
                throw .invalidRequest(
                    "the query has a broken percent-escape", .text("parameter", query.slice(item.name).string))
            }
            if RequestTarget.isName(item.name, "capacity", query) {
                result.capacity = try integer(value.bytes, "capacity", capacities)
            } else if RequestTarget.isName(item.name, "max_tier", query) {
                result.maxTier = try integer(value.bytes, "max_tier", TaskDocument.tiers)
            } else if RequestTarget.isName(item.name, "wait", query) {
                result.waitSeconds = try seconds(value.bytes)
            } else if RequestTarget.isName(item.name, "poll_id", query) {
                guard isPollID(value.bytes) else {
                    throw .invalidRequest("poll_id: expected 1 to 64 visible characters", .text("parameter", "poll_id"))
                }
                lists.pollID.clear()
                lists.pollID.append(value.bytes)
            } else if RequestTarget.isName(item.name, "platforms", query)
                || RequestTarget.isName(item.name, "platforms[]", query)
            {
                try addPlatforms(value.bytes, &lists)
            }
        }
    }

    private static func integer(_ text: RawSpan, _ name: StaticString, _ range: ClosedRange<Int>) throws(Problem) -> Int
    {
        guard isPlainNumber(text), let value = Int(text.string), range.contains(value) else {
            throw .invalidRequest(
                "\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound)",
                .text("parameter", "\(name)"))
        }
        return value
    }

    private static func seconds(_ text: RawSpan) throws(Problem) -> Double {
        guard isPlainNumber(text), let value = Double(text.string), value <= waitSecondsMax else {
            throw .invalidRequest("wait: expected seconds from 0 to 30", .text("parameter", "wait"))
        }
        return value
    }

    /// Digits, and points, of which the caller's conversion allows as many as it wants: no sign, exponent, hexadecimal.
    private static func isPlainNumber(_ text: RawSpan) -> Bool {
        for offset in 0..<text.byteCount {
            switch text.byte(at: offset) {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): continue
            default: return false
            }
        }
        return true
    }

    private static func isPollID(_ text: RawSpan) -> Bool {
        guard (1...pollIDBytesMax).contains(text.byteCount) else { return false }
        for offset in 0..<text.byteCount where text.byte(at: offset) <= 0x20 || text.byte(at: offset) > 0x7E {
            return false
        }
        return true
    }

    private static func addPlatforms(_ list: RawSpan, _ lists: inout WorkQueryLists) throws(Problem) {
        var start = 0
        for end in 0...list.byteCount where end == list.byteCount || list.byte(at: end) == UInt8(ascii: ",") {
            let name = list.extracting(start..<end)
            start = end + 1
            // Empty ones are passed over, and count: what is sent is bounded, not what is left of it.
            guard lists.nameCount < platformsMax else {
                throw .invalidRequest("platforms: expected at most 64", .text("parameter", "platforms"))
            }
            lists.nameCount += 1
            if name.isEmpty { continue }
            guard TaskBody.isPlatform(name) else {
                throw .invalidRequest(
                    "platforms: expected names of 1 to 64 characters of [A-Za-z0-9._:-]",
                    .text("parameter", "platforms"))
            }
            lists.platforms.append(name)
            lists.platforms.append(0)
            lists.platformCount += 1
        }
    }
}

/// The parameters of any length, in buffers that are used again.
struct WorkQueryLists: ~Copyable {
    /// Names one after the other, each ended by a NUL.
    var platforms = ByteBuffer()
    var platformCount = 0
    /// Names as they were sent, empty ones among them.
    fileprivate var nameCount = 0
    var pollID = ByteBuffer()
    /// The parameter being read, decoded.
    fileprivate var value = ByteBuffer()

    mutating func clear() {
        platforms.clear()
        pollID.clear()
        platformCount = 0
        nameCount = 0
    }
}

/// Who answers pulls.
protocol PullAnswering: AnyObject {
    /// The claim landed: element 3 on of `reply` are body and attempt of each task.
    func pullLanded(_ exchange: SlotID, kind: WorkKind, reply: RedisReply)
    /// There was nothing. `dueInMs`: until the next delayed task is due, nil where none is known.
    func pullEmpty(_ exchange: SlotID, kind: WorkKind, dueInMs: Int?, hasWaited: Bool)
    func pullFailed(_ exchange: SlotID, _ problem: Problem)
}

final class WorkPull: RedisFlightOwner {
    static let pullsMax = 65_536
    /// Tasks that one worker may hold: a worker that never completes cannot drain the queue into its own leases.
    static let leasesMax = 1000

    private struct Pull {
        var exchange: SlotID
        var kind: WorkKind
    }

    private let redis: RedisClient
    private let rules: QueueRules
    private unowned let answering: any PullAnswering
    /// By kind: where pulls with `wait` go.
    private let polls: [LongPoll]
    private let script: RedisScript
    private let prefixes: [String]
    private var pulls = Slab<Pull>(countMax: WorkPull.pullsMax)
    private var lists = WorkQueryLists()

    init(
        redis: RedisClient, scripts: QueueScripts, configuration: GatewayConfiguration, polls: [LongPoll],
        answering: any PullAnswering
    ) {
        self.redis = redis
        self.polls = polls
        rules = QueueRules(configuration)
        self.answering = answering
        script = scripts[.claim]
        prefixes = WorkKind.allCases.map(\.queueKeys.prefix)
    }

    /// Claims tasks for a worker.
    func pull(_ asked: SlotID, _ kind: WorkKind, worker: RawSpan, query: RawSpan) {
        let parameters: WorkQuery
        do {
            parameters = try WorkQuery.read(query, lists: &lists)
        } catch {
            return answering.pullFailed(asked, error)
        }
        if parameters.waitSeconds > 0 || polls[Int(kind.rawValue)].hasLine, wait(asked, kind, worker, parameters) {
            return
        }
        guard let slot = pulls.insert(Pull(exchange: asked, kind: kind)) else {
            return answering.pullFailed(asked, .overloaded)
        }
        let read = exchange(&lists, for: WorkQueryLists())
        let isSent = redis.submit(owner: self, tag: slot.word, replies: 1, isScripted: true) { out in
            encode(kind, worker, parameters, read, &out)
        }
        lists = read
        if isSent { return }
        pulls.remove(slot.index)
        answering.pullFailed(asked, redis.isConnected ? .overloaded : .redisAway)
    }

    /// Hands a pull to the long polls; false where it cannot wait.
    private func wait(_ asked: SlotID, _ kind: WorkKind, _ worker: RawSpan, _ query: WorkQuery) -> Bool {
        var command = ByteBuffer(capacity: 512)
        let read = exchange(&lists, for: WorkQueryLists())
        encode(kind, worker, query, read, &command)
        let filter = Self.filter(query, read)
        lists = read
        return polls[Int(kind.rawValue)].take(
            asked, wait: .seconds(query.waitSeconds), filter: filter, command: command.bytes.array)
    }

    /// Equal for pulls that can be given the same tasks: the tier, and the platforms in order.
    private static func filter(_ query: WorkQuery, _ lists: borrowing WorkQueryLists) -> [UInt8] {
        let names = lists.platforms.bytes.array.split(separator: 0).sorted { $0.lexicographicallyPrecedes($1) }
        return [UInt8(query.maxTier)] + names.joined(separator: [0])
    }

    private func encode(
        _ kind: WorkKind, _ worker: RawSpan, _ query: WorkQuery, _ lists: borrowing WorkQueryLists,
        _ out: inout ByteBuffer
    ) {
        out.beginScript(script, keyCount: 1, argumentCount: 8 + lists.platformCount)
        out.argument(prefixes[Int(kind.rawValue)])
        out.argument("" as StaticString)
        out.argument(worker)
        out.argument(query.capacity)
        out.argument(query.maxTier)
        out.argument(lists.pollID.bytes)
        out.argument(rules.deliveryMs)
        out.argument(rules.taskTimeoutMs)
        out.argument(Self.leasesMax)
        var start = 0
        for end in 0..<lists.platforms.count where lists.platforms.bytes.byte(at: end) == 0 {
            out.argument(lists.platforms.bytes.extracting(start..<end))
            start = end + 1
        }
    }

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        let pull = pulls.remove(SlotID(word: tag).index)
        guard reply.kind == .array, reply.count >= 3 else {
            return answering.pullFailed(pull.exchange, .unavailable("Redis refused the pull: \(reply.bytes.string)"))
        }
        if reply.count > 3 { return answering.pullLanded(pull.exchange, kind: pull.kind, reply: reply) }
        let (nowMs, dueMs) = (reply[0].integer ?? 0, reply[1].integer ?? 0)
        answering.pullEmpty(
            pull.exchange, kind: pull.kind, dueInMs: dueMs > 0 ? max(0, dueMs - nowMs) : nil, hasWaited: false)
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) {
        let pull = pulls.remove(SlotID(word: tag).index)
        answering.pullFailed(pull.exchange, failure == .overloaded ? .overloaded : .redisAway)
    }
}
