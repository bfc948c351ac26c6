// One connection to Redis: connects, introduces itself, connects again when it is lost. Knows nothing of commands.
// Owned by a client or a subscriber of one reactor. Limits: `connectTimeout` from the first packet to ready; waiting
// times of `Backoff`; at most one name is being resolved.
//
//      closed ─start─► resolving ─► connecting ─► introducing ─► ready
//                          ▲                                       │
//                          └────────── waiting ◄── lost or refused ┘

import CReactor

/// What a connection tells its owner.
protocol RedisConnectionOwner: AnyObject {
    /// The connection is introduced; commands may be written.
    func connectionReady()
    /// A reply to something that the owner has written.
    func connectionReplied(_ reply: RedisReply)
    /// A connection that was ready is gone. Another attempt is scheduled already.
    func connectionLost(_ failure: RedisFailure)
}

/// `@unchecked Sendable`: only the resolver's answer carries a reference, and only back to the reactor's thread.
final class RedisConnection: StreamOwner, TimerOwner, @unchecked Sendable {
    static let connectTimeout = Interval.seconds(5)

    private enum State { case closed, waiting, resolving, connecting, introducing, ready }

    /// What the replies before `ready` answer, in order.
    private enum Step { case authenticate, select, name, role, script, clock }

    let reactor: Reactor
    let endpoint: RedisEndpoint
    private let scripts: [RedisScript]
    private unowned let owner: any RedisConnectionOwner
    private let peer: TLSPeer?
    private let reader = RedisReader()
    private var state = State.closed
    private var stream: Stream?
    private var timer = TimerID.none
    private var backoff = Backoff()
    private var steps: [Step] = []
    private var stepsDone = 0
    private var clockAsked: Instant
    /// Changes with every connection and attempt: what belongs to an earlier one is recognised.
    private var epoch: UInt64 = 0

    private(set) var clock: FleetClock
    private(set) var lastFailure: RedisFailure?
    /// The same in words, with the kernel's reason where that is known.
    private(set) var lastReason: String?
    /// Connections that were ready and got lost.
    private(set) var lossCount = 0

    /// - Parameter owner: outlives the connection.
    init(
        reactor: Reactor, endpoint: RedisEndpoint, scripts: [RedisScript], owner: any RedisConnectionOwner
    ) throws(RedisFailure) {
        switch (endpoint.usesTLS, endpoint.tls, endpoint.address) {
        case (false, _, _): peer = nil
        case (true, let contexts?, .tcp(let host, _)): peer = TLSPeer(contexts, host: host)
        case (true, _, _): throw .unsupported("TLS to Redis (rediss://) needs a host and a TLS context")
        }
        self.reactor = reactor
        self.endpoint = endpoint
        self.scripts = scripts
        self.owner = owner
        clockAsked = reactor.now
        clock = FleetClock(now: reactor.now, wallMicroseconds: reactor.wallMicroseconds)
    }

    var isReady: Bool { state == .ready }
    var unsentBytes: Int { stream?.unsentBytes ?? 0 }

    /// Begins to connect, and connects again until `close`.
    func start() {
        precondition(state == .closed, "started twice")
        connect()
    }

    /// Closes the connection for good; the owner is told nothing more.
    func close() {
        state = .closed
        disconnect()
    }

    /// Drops a connection that can no longer be trusted; the owner is told if it was ready.
    func drop(_ failure: RedisFailure, reason: String? = nil) {
        guard state != .closed, state != .waiting else { return }
        let wasReady = state == .ready
        disconnect()
        lastFailure = failure
        lastReason = reason ?? failure.description
        state = .waiting
        timer = reactor.schedule(at: reactor.now + backoff.next(using: &reactor.random), self, tag: epoch)
        guard wasReady else { return }
        lossCount += 1
        owner.connectionLost(failure)
    }

    private func disconnect() {
        epoch += 1
        reactor.cancel(timer)
        timer = .none
        if let stream = stream.take() { stream.close() }
    }

    // MARK: Connecting

    private func connect() {
        switch endpoint.address {
        case .unix(let path):
            opened { () throws(SystemError) in try Descriptor.connect(path: path) }
        case .tcp(let host, let port) where Resolver.isNumeric(host):
            opened { () throws(SystemError) in try Descriptor.connect(host: host, port: port) }
        case .tcp(let host, let port):
            state = .resolving
            let asked = epoch
            let attempt = UInt32(truncatingIfNeeded: backoff.attempts)
            Resolver.resolve([host], attempt: attempt, reactor: reactor) { [weak self] answers in
                self?.resolved(answers[0], port, asked)
            }
        }
    }

    private func resolved(_ address: String?, _ port: UInt16, _ asked: UInt64) {
        guard state == .resolving, epoch == asked else { return }
        opened { () throws(SystemError) in
            guard let address else { throw SystemError(number: EHOSTUNREACH) }
            return try Descriptor.connect(host: address, port: port)
        }
    }

    private func opened(_ open: () throws(SystemError) -> Descriptor) {
        state = .connecting
        do throws(SystemError) {
            let descriptor = try open()
            stream = Stream(
                descriptor, connecting: true, owner: self, tag: 0, reactor: reactor, tls: peer.map { .client($0) })
            if stream == nil { throw .tooManyConnections }
            reader.reset()
            timer = reactor.schedule(at: reactor.now + Self.connectTimeout, self, tag: epoch)
        } catch {
            failed(error, tag: 0)
        }
    }

    func timerFired(tag: UInt64) {
        guard tag == epoch else { return }
        timer = .none
        switch state {
        case .waiting: connect()
        case .connecting, .introducing: drop(.timedOut)
        case .closed, .resolving, .ready: break
        }
    }

    // MARK: Introducing

    func connected(tag: UInt32) {
        state = .introducing
        steps.removeAll(keepingCapacity: true)
        stepsDone = 0
        write { buffer in introduce(&buffer) }
        flush()
    }

    private func introduce(_ buffer: inout ByteBuffer) {
        if let password = endpoint.password {
            steps.append(.authenticate)
            buffer.beginCommand(endpoint.user == nil ? 2 : 3)
            buffer.argument("AUTH" as StaticString)
            if let user = endpoint.user { buffer.argument(user) }
            buffer.argument(password)
        }
        if endpoint.database != 0 {
            steps.append(.select)
            buffer.beginCommand(2)
            buffer.argument("SELECT" as StaticString)
            buffer.argument(endpoint.database)
        }
        steps.append(.name)
        buffer.beginCommand(3)
        buffer.argument("CLIENT" as StaticString)
        buffer.argument("SETNAME" as StaticString)
        buffer.argument(endpoint.clientName)
        steps.append(.role)
        buffer.beginCommand(1)
        buffer.argument("ROLE" as StaticString)
        for script in scripts {
            steps.append(.script)
            script.appendLoad(to: &buffer)
        }
    }

    private func introduced(_ reply: RedisReply) {
        let step = steps[stepsDone]
        stepsDone += 1
        if reply.isError {
            let isOptional = step == .name || step == .role || step == .clock
            // An ACL may forbid what is optional; a server that loads or has lost its master is not ready at all.
            guard isOptional, reply.bytes.begins(with: "NOPERM") || reply.bytes.begins(with: "ERR") else {
                return drop(.refused(reply.bytes.string))
            }
        } else if step == .role, reply.count > 0, !reply[0].bytes.equals("master") {
            return drop(.refused("READONLY it is a replica"))
        } else if step == .clock {
            setClock(reply, sent: clockAsked)
        }
        guard stepsDone == steps.count else { return }
        if step == .clock { return becomeReady() }
        // A round trip of its own, so that nothing but the way there and back is measured.
        steps.append(.clock)
        clockAsked = .read()
        write { buffer in Self.appendTime(to: &buffer) }
        flush()
    }

    private func becomeReady() {
        reactor.cancel(timer)
        timer = .none
        backoff.reset()
        lastFailure = nil
        lastReason = nil
        state = .ready
        owner.connectionReady()
    }

    static func appendTime(to buffer: inout ByteBuffer) {
        buffer.beginCommand(1)
        buffer.argument("TIME" as StaticString)
    }

    /// Takes the reply to a `TIME` that was asked for at `sent`.
    func setClock(_ reply: RedisReply, sent: Instant) {
        guard reply.count == 2, let seconds = reply[0].integer, let micros = reply[1].integer else { return }
        clock.set(serverMicroseconds: Int64(seconds) * 1_000_000 + Int64(micros), sent: sent, received: .read())
    }

    // MARK: Bytes

    /// Lends the outgoing buffer; what is written leaves with the next `flush`. Only while connected.
    func write(_ body: (inout ByteBuffer) -> Void) {
        precondition(stream != nil, "written to no connection")
        stream!.write(body)
    }

    func flush() {
        guard stream != nil else { return }
        settle(stream!.flush())
    }

    private func settle(_ outcome: Stream.FlushOutcome) {
        if case .failed(let error) = outcome { failed(error, tag: 0) }
    }

    func sent(_ count: Int, tag: UInt32) {
        guard stream != nil else { return }
        settle(stream!.sent(count))
    }

    func received(_ bytes: RawSpan, tag: UInt32) {
        guard stream != nil else { return }
        reader.feed(bytes)
        let current = epoch
        while epoch == current {
            switch reader.next() {
            case .incomplete: return
            case .failed(let reason): return drop(.protocolViolation(reason))
            case .reply: dispatch()
            }
        }
    }

    private func dispatch() {
        let reader = reader
        if state == .ready { owner.connectionReplied(reader.reply) } else { introduced(reader.reply) }
    }

    func receiveEnded(tag: UInt32) { drop(.unavailable, reason: "Redis closed the connection") }

    func failed(_ error: SystemError, tag: UInt32) { drop(.unavailable, reason: error.description) }
}
