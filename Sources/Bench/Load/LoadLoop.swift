// One thread's load: its connections, what is sent over them and when, and what is measured. On a reactor's thread, which
// owns it. This file has its life and its pace; `+Connections` opens and closes, `+Answers` takes what comes.
// Nothing is allocated per request. Limits: LoadSettings; `connectingMax` connections being opened at once.
//
//     closed loop: an answer ─► the next request          open loop: a planned time ─► a request on a free connection
//     own plan: the scenario says when (`nextDue`), the rest is as in the open loop

import Reactor

/// What all loops of a run have in common.
struct LoadSettings: Sendable {
    var target: Target
    var connections = 64
    /// Requests that one connection has out.
    var pipeline = 1
    var warmup = Interval.zero
    /// nil: until `requests` are sent, or the scenario has finished.
    var duration: Interval?
    /// Measured requests of all loops; nil: as many as fit.
    var requests: Int?
    /// nil: a closed loop.
    var shape: Schedule.Shape?
    var timeout = Interval.seconds(10)
    /// Local addresses that connections take turns to come from; empty: the system's choice.
    var sources: [String] = []
}

final class LoadLoop: StreamOwner, TimerOwner, TurnParticipant {
    /// Connections that are being opened at once: a burst beyond a server's backlog costs seconds.
    static let connectingMax = 256
    /// A send later than its plan by more than this counts as late.
    static let lateAfter = Interval.milliseconds(1)
    static let tickEvery = Interval.milliseconds(50)

    enum Phase { case connecting, waiting, warmup, measuring, draining, done }

    let reactor: Reactor
    let settings: LoadSettings
    let share: LoopShare
    let scenario: any Scenario
    let meter: Meter
    let recorder: Recorder
    /// Of an https target.
    let peer: TLSPeer?
    let connections: Slab<LoadConnection>
    let responseLimits = ResponseLimits()
    var table = HeaderTable(capacity: 200)
    /// Connections that have room for a request, in turn.
    var listed: Ring<UInt32>
    var phase = Phase.connecting
    /// Connections that were tried once, and those that are being opened.
    var triedCount = 0
    var connectingCount = 0
    var inFlightCount = 0
    /// Why the last connection could not be made.
    var connectError: SystemError?
    private(set) var measuringFrom = Instant(nanoseconds: .max)
    private(set) var measuringUntil = Instant(nanoseconds: .max)
    private var schedule: Schedule?
    /// Measured requests that may still be sent.
    private var sendsLeft: Int
    private var secondsTold = 0
    private var hasToldEnd = false
    /// What is due has had to wait for a connection, and is not made up for yet.
    private var isStarved = false
    private var startsAt = Instant(nanoseconds: 0)
    private let ready: (LoadLoop) -> Void
    private let done: (LoadLoop) -> Void
    /// Whether requests follow a plan, the loop's or the scenario's.
    let isPlanned: Bool
    let readsBodies: Bool
    let sendsHEAD: Bool

    /// - Parameters:
    ///   - ready: called once every connection was tried.
    ///   - done: called at the end, when the recorder has everything.
    init(
        reactor: Reactor, settings: LoadSettings, share: LoopShare, scenario: any Scenario, recorder: Recorder,
        ready: @escaping (LoadLoop) -> Void, done: @escaping (LoadLoop) -> Void
    ) {
        self.reactor = reactor
        self.settings = settings
        self.share = share
        self.scenario = scenario
        self.recorder = recorder
        self.ready = ready
        self.done = done
        peer = settings.target.makePeer()
        isPlanned = settings.shape != nil || scenario.hasOwnPlan
        readsBodies = scenario.readsBodies
        sendsHEAD = scenario.sendsHEAD
        meter = Meter(kindCount: scenario.kinds.count, hasPlan: isPlanned)
        sendsLeft = settings.requests.map { share.part(of: $0) } ?? .max
        let count = max(1, share.part(of: settings.connections))
        connections = Slab(countMax: count)
        listed = Ring(countMax: count)
        for _ in 0..<count { _ = connections.insert(LoadConnection(pipeline: settings.pipeline)) }
    }

    // MARK: Life

    /// Opens the connections. Called once, on the reactor's thread.
    func start() {
        reactor.waitExactly()
        reactor.join(self)
        reactor.turned = { [unowned self] worked, waited in
            guard phase == .measuring else { return }
            meter.worked.nanoseconds += worked.nanoseconds
            meter.waited.nanoseconds += waited.nanoseconds
        }
        tick()
        openMore()
    }

    func wasTried() {
        triedCount += 1
        guard triedCount == connections.count, phase == .connecting else { return }
        phase = .waiting
        ready(self)
    }

    var openCount: Int {
        var count = 0
        connections.forEachIndex { if connections.at($0).pointee.state == .open { count += 1 } }
        return count
    }

    /// Has the loop begin to send: at the same instant as all others.
    func begin(at start: Instant) {
        startsAt = start
        _ = reactor.schedule(at: start, self, tag: 2)
    }

    private func beginNow() {
        guard phase == .waiting else { return }
        let start = startsAt
        phase = .warmup
        measuringFrom = start + settings.warmup
        if let duration = settings.duration { measuringUntil = measuringFrom + duration }
        if let shape = settings.shape {
            schedule = Schedule(
                shape, start: start, lead: settings.warmup, loopIndex: share.index, loopCount: share.count)
        }
        scenario.begin(at: start)
        for edge in [measuringFrom, measuringUntil] where edge.nanoseconds < .max {
            _ = reactor.schedule(at: edge, self, tag: 1)
        }
        connections.forEachIndex { slot in
            if !isPlanned { fill(slot, .read()) } else { list(slot) }
        }
    }

    /// Ends early: what is out is still waited for.
    func interrupt() {
        switch phase {
        case .connecting, .waiting: finish(reactor.now)
        case .warmup, .measuring: stopSending()
        case .draining, .done: break
        }
    }

    func timerFired(tag: UInt64) {
        if tag == 0 { tick() }
        if tag == 2 { beginNow() }
    }

    private func tick() {
        guard phase != .done else { return }
        expire(reactor.now)
        _ = reactor.schedule(at: reactor.now + Self.tickEvery, self, tag: 0)
    }

    func turnEnded() {
        advance(reactor.now)
        guard isPlanned, phase == .warmup || phase == .measuring else {
            reactor.wakeUpAt = nil
            return
        }
        sendWhatIsDue()
    }

    /// Moves on where the time or the work has come to it.
    private func advance(_ now: Instant) {
        if phase == .warmup, now >= measuringFrom {
            phase = .measuring
            scenario.resetFigures()
            recorder.measuringStarts(at: measuringFrom)
        }
        if phase == .measuring {
            while now >= measuringFrom + .seconds(Double(secondsTold + 1)) { tellSecond() }
            if now >= measuringUntil || sendsLeft <= 0 || scenario.isFinished { stopSending() }
        }
        if phase == .draining, inFlightCount == 0 { finish(now) }
    }

    private func stopSending() {
        // Behind all that was sent in this turn.
        let now = min(measuringUntil, .read())
        if phase == .warmup {
            measuringFrom = now
            recorder.measuringStarts(at: now)
        }
        measuringUntil = now
        if let schedule, sendsLeft > 0 { countDropped(schedule) }
        if scenario.hasOwnPlan, !scenario.isFinished { meter.tally.dropped += scenario.overdueCount(before: now) }
        phase = .draining
        // A run that ends by its count ends with its last answer.
        if settings.duration != nil || inFlightCount == 0 { tellEnd(measuringUntil) }
    }

    private func tellEnd(_ now: Instant) {
        if !hasToldEnd { recorder.measuringEnds(at: now) }
        hasToldEnd = true
    }

    /// Sends that were planned for the measured time and not made.
    private func countDropped(_ schedule: Schedule) {
        guard measuringFrom < measuringUntil else { return }
        var all = schedule.count(in: measuringFrom..<measuringUntil)
        if let requests = settings.requests { all = min(all, share.part(of: requests)) }
        meter.tally.dropped += max(0, all - measuredSends)
    }

    /// Measured requests sent so far.
    private(set) var measuredSends = 0

    private func tellSecond() {
        recorder.add(meter, second: secondsTold)
        secondsTold += 1
    }

    private func finish(_ now: Instant) {
        guard phase != .done else { return }
        if phase != .draining {
            recorder.measuringStarts(at: now)
        }
        tellEnd(now)
        phase = .done
        tellSecond()
        recorder.add(scenario.figures)
        closeAll()
        reactor.wakeUpAt = nil
        done(self)
    }

    // MARK: Sending

    /// Closed loop: as many requests as the connection may have out.
    func fill(_ slot: UInt32, _ now: Instant) {
        let connection = connections.at(slot)
        guard phase == .warmup || phase == .measuring, connection.pointee.hasRoom else { return }
        while connection.pointee.hasRoom, sendsLeft > 0 { send(slot, planned: now, now) }
        flush(slot)
    }

    /// Open loop: what its plan says should be out by now, as far as connections are free.
    private func sendWhatIsDue() {
        var now = Instant.read()
        while let due = schedule?.next ?? scenario.nextDue, sendsLeft > 0, due < measuringUntil {
            if due > now {
                now = .read()
                if due > now {
                    isStarved = false
                    reactor.wakeUpAt = due
                    return
                }
            }
            guard let slot = takeListed() else {
                isStarved = true
                break
            }
            _ = schedule?.take()
            send(slot, planned: due, now)
            flush(slot)
            list(slot)
            now = .read()
        }
        // Nothing is due, or an answer must free a connection first.
        reactor.wakeUpAt = nil
    }

    private func send(_ slot: UInt32, planned: Instant, _ now: Instant) {
        let connection = connections.at(slot)
        var ticket = Ticket()
        connection.pointee.stream!.write(expecting: scenario.requestBytes) { out in
            ticket = scenario.write(to: &out, now: now)
        }
        connection.pointee.inFlight.append(InFlight(ticket: ticket, reference: planned, sentAt: now))
        inFlightCount += 1
        guard isMeasured(planned) else { return }
        meter.tally.sent += 1
        measuredSends += 1
        if settings.requests != nil { sendsLeft -= 1 }
        guard isPlanned, now - planned > Self.lateAfter else { return }
        meter.tally.late += 1
        if isStarved { meter.tally.starved += 1 }
    }

    func isMeasured(_ reference: Instant) -> Bool { reference >= measuringFrom && reference < measuringUntil }
}
