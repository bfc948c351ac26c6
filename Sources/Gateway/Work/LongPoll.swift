// Pulls of one kind that wait for work: they ask the queue, stand in the waiting room while it has nothing for them, and
// ask again when a wake of any gateway says so. Owned by its reactor.
// Limits: those of WaitingRoom; a pull for which there is no room is answered without waiting. Nobody polls meanwhile:
// besides wakes one question a filter goes out every `probeTicks` seconds, in case word was lost. With `flightsMax` flights
// out at Redis newcomers stand in line until replies have come: a burst of any size waits, and is not refused.
//
//      take ─► line ─► claim ─► tasks? ─yes─► answer
//                         ▲        └no─► room ─► deadline, drain ─► empty answer
//                         └── wake ──────┘  └──► client gone ─────► forgotten, claims nothing

import Reactor

final class LongPoll: RedisFlightOwner, TimerOwner, TurnParticipant {
    /// A quarter of Redis' own bound: batches and tasks find room beside any number of pulls, and these alone are no overload
    /// (`Overload.fillBounds`).
    static let flightsMax = 1024
    static let tick = Interval.seconds(1)
    static let probeTicks = 5
    /// Redis away for as many ticks: those who wait are told so.
    static let awayTicksMax = 2
    /// Seconds after which they should come back, spread.
    static let awayRetrySeconds = 1...5
    /// Soonest look for a delayed task that is due.
    static let dueMin = Interval.milliseconds(10)

    private struct Seat {
        var exchange = SlotID.none
        /// It asked to wait, and not only for its turn.
        var mayWait = true
        /// The claim as Redis gets it, time after time.
        var command: [UInt8] = []
        var deadline = TimerID.none
        /// Its time is up, but a question is out: what comes back decides.
        var isLate = false
    }

    private static let tickTag = UInt64.max
    private static let dueTag = UInt64.max - 1

    let kind: WorkKind
    private let reactor: Reactor
    private let server: HTTPServer
    private let redis: RedisClient
    private unowned let answering: any PullAnswering
    private var room = WaitingRoom()
    /// By a waiter's index in the room.
    private var seats: [Seat] = []
    /// Newcomers whose first question is not sent yet. Some may have gone meanwhile.
    private var line = Ring<WaitingRoom.WaiterID>(countMax: WaitingRoom.waitersMax)
    /// Waiter by the index of its exchange; -1 is none.
    private var waiterOf: [Int32] = []
    private var tickTimer = TimerID.none
    private var ticks = 0
    private var awayTicks = 0
    private var dueTimer = TimerID.none
    private var dueAt: Instant?
    private var isDraining = false

    init(kind: WorkKind, reactor: Reactor, server: HTTPServer, redis: RedisClient, answering: any PullAnswering) {
        self.kind = kind
        self.reactor = reactor
        self.server = server
        self.redis = redis
        self.answering = answering
    }

    /// Workers that wait here.
    var count: Int { room.count }

    /// Whether a newcomer has to stand in line.
    var hasLine: Bool { !line.isEmpty || (redis.isConnected && !hasTurn) }
    private var hasTurn: Bool { redis.flightCount < Self.flightsMax && !redis.isFull }

    /// Takes a pull that may wait.
    /// - Parameters:
    ///   - wait: how long; zero: only for its turn.
    ///   - filter: equal for pulls that can be given the same tasks.
    ///   - command: its claim, as sent to Redis.
    /// - Returns: false where it cannot wait: nothing was done.
    func take(_ exchange: SlotID, wait: Interval, filter: [UInt8], command: [UInt8]) -> Bool {
        guard !isDraining, !line.isFull, let id = room.enter(filter: filter) else { return false }
        if id.index == seats.count { seats.append(Seat()) }
        let deadline = reactor.schedule(at: reactor.now + wait, self, tag: Self.word(id))
        seats[id.index] = Seat(exchange: exchange, mayWait: wait > .zero, command: command, deadline: deadline)
        let slot = Int(exchange.index)
        if slot >= waiterOf.count {
            waiterOf.append(contentsOf: repeatElement(-1, count: slot + 1 - waiterOf.count))
        }
        waiterOf[slot] = Int32(id.index)
        if tickTimer == .none { tickTimer = reactor.schedule(at: reactor.now + Self.tick, self, tag: Self.tickTag) }
        if hasLine { line.append(id) } else { askFirst(id) }
        return true
    }

    private func askFirst(_ id: WaitingRoom.WaiterID) {
        if ask(id) { return }
        let exchange = seats[id.index].exchange
        leave(id)
        answering.pullFailed(exchange, .redisAway)
    }

    /// Those in line ask as far as there is room. Where Redis is gone they are told so.
    func turnEnded() {
        while !line.isEmpty, hasTurn || !redis.isConnected {
            let id = line.removeFirst()
            guard room.isHere(id) else { continue }
            let exchange = seats[id.index].exchange
            if server.isPeerThere(exchange) {
                askFirst(id)
            } else {
                leave(id)
                answering.pullEmpty(exchange, kind: kind, dueInMs: nil, hasWaited: true)
            }
        }
    }

    // MARK: What happens

    /// About `tasks` tasks became ready somewhere.
    func woken(tasks: Int) {
        room.wake(tasks: tasks)
        askWhoShould()
    }

    /// Word may have been lost: one question a filter tells.
    func probe() {
        room.probe()
        askWhoShould()
    }

    /// The client of an exchange has gone.
    func abandoned(_ exchange: SlotID) {
        guard exchange.index < waiterOf.count, waiterOf[Int(exchange.index)] >= 0 else { return }
        let index = Int(waiterOf[Int(exchange.index)])
        guard seats[index].exchange == exchange, let id = room.waiter(at: index) else { return }
        leave(id)
        askWhoShould()
    }

    /// Answers everybody, those with a question out when it comes back; nobody waits from now on.
    func drain() {
        isDraining = true
        for id in room.everybody { late(id) }
    }

    func timerFired(tag: UInt64) {
        switch tag {
        case Self.tickTag: ticked()
        case Self.dueTag:
            dueTimer = .none
            dueAt = nil
            probe()
        default:
            if let id = waiter(tag) { late(id) }
        }
    }

    private func ticked() {
        tickTimer = .none
        guard room.count > 0 else { return }
        tickTimer = reactor.schedule(at: reactor.now + Self.tick, self, tag: Self.tickTag)
        ticks += 1
        awayTicks = redis.isConnected ? 0 : awayTicks + 1
        if awayTicks >= Self.awayTicksMax { return failEverybody() }
        if ticks % Self.probeTicks == 0 { probe() }
    }

    private func failEverybody() {
        for id in room.everybody {
            let exchange = seats[id.index].exchange
            leave(id)
            var problem = Problem.redisAway
            problem.retryAfterSeconds = Int.random(in: Self.awayRetrySeconds, using: &reactor.random)
            answering.pullFailed(exchange, problem)
        }
    }

    /// A waiter's time is up.
    private func late(_ id: WaitingRoom.WaiterID) {
        guard !room.isAsking(id) else {
            seats[id.index].isLate = true
            return
        }
        let seat = seats[id.index]
        let exchange = seat.exchange
        leave(id)
        if redis.isConnected {
            answering.pullEmpty(exchange, kind: kind, dueInMs: dueInMs, hasWaited: seat.mayWait)
        } else {
            answering.pullFailed(exchange, .redisAway)
        }
    }

    /// Until the next delayed task is due; nil where none is known.
    private var dueInMs: Int? {
        dueAt.map { max(0, Int(($0 - reactor.now).nanoseconds / 1_000_000)) }
    }

    // MARK: Questions

    private func askWhoShould() {
        while let id = room.next() {
            let exchange = seats[id.index].exchange
            guard server.isPeerThere(exchange) else {
                leave(id)
                // One that only ended its sending takes the answer; for one that is gone it does nothing.
                answering.pullEmpty(exchange, kind: kind, dueInMs: dueInMs, hasWaited: true)
                continue
            }
            guard ask(id) else {
                // Redis is away or full: the tick goes on.
                room.answered(id, tasks: 0)
                return
            }
        }
    }

    private func ask(_ id: WaitingRoom.WaiterID) -> Bool {
        let command = seats[id.index].command
        return redis.submit(owner: self, tag: Self.word(id), replies: 1, isScripted: true) { out in
            out.append(command.rawBytes)
        }
    }

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        // Gone meanwhile: what it was given returns when its worker stays silent.
        guard let id = waiter(tag) else { return askWhoShould() }
        let exchange = seats[id.index].exchange
        guard reply.kind == .array, reply.count >= 3 else {
            leave(id)
            answering.pullFailed(exchange, .unavailable("Redis refused the pull: \(reply.bytes.string)"))
            return askWhoShould()
        }
        let tasks = (reply.count - 3) / 2
        if tasks > 0 {
            room.answered(id, tasks: tasks)
            leave(id)
            answering.pullLanded(exchange, kind: kind, reply: reply)
        } else {
            noteDue(reply[1].integer ?? 0)
            emptyHanded(id, holdsAllItMay: reply[2].integer == 2)
        }
        askWhoShould()
    }

    private func emptyHanded(_ id: WaitingRoom.WaiterID, holdsAllItMay: Bool) {
        // Not told to the room: it says nothing of what there is for others.
        if holdsAllItMay {
            let exchange = seats[id.index].exchange
            leave(id)
            return answering.pullEmpty(exchange, kind: kind, dueInMs: nil, hasWaited: false)
        }
        room.answered(id, tasks: 0)
        if seats[id.index].isLate || isDraining { late(id) }
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) {
        guard let id = waiter(tag) else { return }
        let exchange = seats[id.index].exchange
        leave(id)
        answering.pullFailed(exchange, failure == .overloaded ? .overloaded : .redisAway)
    }

    /// Looks again when the next delayed task is due.
    private func noteDue(_ dueMs: Int) {
        guard dueMs > 0 else { return }
        let inMs = dueMs - Int(redis.fleetMilliseconds(reactor.now))
        let at = reactor.now + max(Self.dueMin, .milliseconds(Int64(inMs)))
        if let known = dueAt, known <= at { return }
        reactor.cancel(dueTimer)
        dueAt = at
        dueTimer = reactor.schedule(at: at, self, tag: Self.dueTag)
    }

    // MARK: Seats

    private func leave(_ id: WaitingRoom.WaiterID) {
        reactor.cancel(seats[id.index].deadline)
        waiterOf[Int(seats[id.index].exchange.index)] = -1
        seats[id.index] = Seat()
        room.leave(id)
    }

    private static func word(_ id: WaitingRoom.WaiterID) -> UInt64 {
        UInt64(id.generation) << 32 | UInt64(UInt32(id.index))
    }

    private func waiter(_ word: UInt64) -> WaitingRoom.WaiterID? {
        let index = Int(UInt32(truncatingIfNeeded: word))
        let id = WaitingRoom.WaiterID(index: index, generation: UInt32(truncatingIfNeeded: word >> 32))
        return room.isHere(id) ? id : nil
    }
}
