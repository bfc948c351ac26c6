// Connections that ask once, so that they are no strangers, and then say nothing; at the end each asks once more.
// Owned by one reactor's thread; its owner is told of each step. Limits: `connectingMax` being opened or asking at once.
//
//     opening ─► (all have answered or failed) holding ─► (time is up) asking ─► done

import Reactor

final class IdleHold: StreamOwner, TimerOwner {
    static let connectingMax = 256
    private static let tickEvery = Interval.milliseconds(50)

    struct Settings: Sendable {
        var target: Target
        var connections: Int
        var hold: Interval
        var timeout: Interval
        var sources: [String] = []
        var headers: [(String, String)] = []
    }

    enum Phase { case opening, holding, asking, done }

    struct Counts: Sendable {
        var opened = 0
        var failed = 0
        /// Closed by the server while nothing was said.
        var closed = 0
        var survived = 0
    }

    private struct Connection: ~Copyable {
        var stream: Stream?
        var reader = AnswerReader()
        /// When it asked what is not answered yet.
        var askedAt: Instant?
    }

    private let reactor: Reactor
    private let settings: Settings
    /// Of an https target.
    private let peer: TLSPeer?
    private let connections: Slab<Connection>
    private let request: [UInt8]
    private var table = HeaderTable(capacity: 200)
    private(set) var phase = Phase.opening
    private(set) var counts = Counts()
    /// The next connection that this phase has not come to.
    private var next: UInt32 = 0
    private var outstanding = 0
    private let changed: (IdleHold) -> Void

    /// - Parameter changed: called when a phase begins, and now and then while they open.
    init(reactor: Reactor, settings: Settings, changed: @escaping (IdleHold) -> Void) {
        self.reactor = reactor
        self.settings = settings
        self.changed = changed
        peer = settings.target.makePeer()
        let text = RequestText("GET", settings.target.path, target: settings.target, headers: settings.headers)
        request = text.bytes + Array("\r\n".utf8)
        connections = Slab(countMax: settings.connections)
        for _ in 0..<settings.connections { _ = connections.insert(Connection()) }
    }

    func start() {
        goOn()
        tick()
    }

    /// Ends the holding at once.
    func endHold() {
        if phase == .opening { next = UInt32(settings.connections) }
        if phase == .holding { ask() }
    }

    func timerFired(tag: UInt64) {
        if tag == 1, phase == .holding { ask() }
        if tag == 0 { tick() }
    }

    /// Gives up what takes too long.
    private func tick() {
        guard phase != .done else { return }
        if phase != .holding {
            connections.forEachIndex { slot in
                if let at = connections.at(slot).pointee.askedAt, reactor.now - at > settings.timeout { lose(slot) }
            }
        }
        changed(self)
        _ = reactor.schedule(at: reactor.now + Self.tickEvery, self, tag: 0)
    }

    private func ask() {
        phase = .asking
        next = 0
        changed(self)
        goOn()
    }

    /// Has the next connections open or ask, as many as may at once.
    private func goOn() {
        while outstanding < Self.connectingMax, next < UInt32(settings.connections) {
            let slot = next
            next += 1
            if phase == .opening {
                open(slot)
            } else if connections.at(slot).pointee.stream != nil {
                send(slot)
            }
        }
        guard outstanding == 0, next == UInt32(settings.connections) else { return }
        switch phase {
        case .opening:
            phase = .holding
            changed(self)
            _ = reactor.schedule(at: reactor.now + settings.hold, self, tag: 1)
        case .asking:
            phase = .done
            connections.forEachIndex { close($0) }
            changed(self)
        case .holding, .done: break
        }
    }

    private func open(_ slot: UInt32) {
        outstanding += 1
        connections.at(slot).pointee.askedAt = reactor.now
        do throws(SystemError) {
            connections.at(slot).pointee.stream = try settings.target.connect(
                slot, from: settings.sources, reactor: reactor, owner: self, peer: peer)
        } catch {
            outstanding -= 1
            connections.at(slot).pointee.askedAt = nil
            counts.failed += 1
        }
    }

    private func send(_ slot: UInt32) {
        let connection = connections.at(slot)
        if phase == .asking { outstanding += 1 }
        connection.pointee.askedAt = reactor.now
        connection.pointee.stream!.write { $0.append(bytes: request) }
        if case .failed = connection.pointee.stream!.flush() { lose(slot) }
    }

    func connected(tag slot: UInt32) {
        send(slot)
    }

    func received(_ bytes: RawSpan, tag slot: UInt32) {
        let connection = connections.at(slot)
        guard connection.pointee.stream != nil else { return }
        connection.pointee.reader.kept.append(bytes)
        var kept = exchange(&connection.pointee.reader.kept, for: ByteBuffer())
        var offset = 0
        do throws(HTTPFailure) {
            let answer = try connection.pointee.reader.next(
                kept.bytes, from: &offset, readsBodies: false, isToHEAD: false, limits: ResponseLimits(), table: &table)
            kept.consume(offset)
            if !kept.isEmpty { connection.pointee.reader.kept = kept }
            guard let answer else { return }
            answered(slot, isGood: answer.status < 400 && answer.keepAlive)
        } catch {
            lose(slot)
        }
    }

    private func answered(_ slot: UInt32, isGood: Bool) {
        guard connections.at(slot).pointee.askedAt != nil, isGood else { return lose(slot) }
        connections.at(slot).pointee.askedAt = nil
        outstanding -= 1
        if phase == .asking { counts.survived += 1 } else { counts.opened += 1 }
        goOn()
    }

    /// The connection is gone, or as good as.
    private func lose(_ slot: UInt32) {
        let connection = connections.at(slot)
        guard connection.pointee.stream != nil else { return }
        let wasAsking = connection.pointee.askedAt != nil
        close(slot)
        if wasAsking {
            outstanding -= 1
            if phase == .opening { counts.failed += 1 }
            goOn()
        } else if phase == .opening || phase == .holding {
            counts.closed += 1
        }
    }

    private func close(_ slot: UInt32) {
        if let stream = connections.at(slot).pointee.stream.take() { stream.close() }
        connections.at(slot).pointee.askedAt = nil
    }

    func receiveEnded(tag slot: UInt32) { lose(slot) }
    func failed(_ error: SystemError, tag slot: UInt32) { lose(slot) }

    func sent(_ count: Int, tag slot: UInt32) {
        guard connections.at(slot).pointee.stream != nil else { return }
        if case .failed = connections.at(slot).pointee.stream!.sent(count) { lose(slot) }
    }
}
