// One session of PostgreSQL: connects without blocking, prepares its statements, connects again when it is lost.
// Owned by a client of one reactor. Limits: `connectTimeout` from the first packet to ready; waiting times of `Backoff`;
// one cancellation at a time. Source: PostgreSQL documentation, chapter 34 "libpq", sections 34.1, 34.4, 34.5, 34.7.
//
//      closed ─start─► resolving ─► connecting ─► preparing ─► ready
//                          ▲                                     │
//                          └────────── waiting ◄── lost or refused ┘

import CReactor

/// What a session tells its owner.
protocol PostgresConnectionOwner: AnyObject {
    /// The statements are prepared; flights may be sent.
    func connectionReady()
    /// The next result of what was sent. The owner clears it.
    func connectionReturned(_ result: OpaquePointer)
    /// A session that was ready is gone. Another attempt is scheduled already.
    func connectionLost(_ failure: PostgresFailure)
}

/// `@unchecked Sendable`: only helper threads' answers carry a reference, and only back to the reactor's thread.
final class PostgresConnection: WatchOwner, TimerOwner, @unchecked Sendable {
    static let connectTimeout = Interval.seconds(5)
    /// What a commit means, whatever the server, the database or the role are set to: on disk when it is answered.
    /// `remote_apply`, which is more than that, stays. Source: PostgreSQL documentation, section 20.5.1.
    private static let durability = """
        SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
        """

    /// `broken`: found unusable in the middle of a call; told at the next turn.
    private enum State { case closed, waiting, resolving, connecting, preparing, ready, broken }

    let reactor: Reactor
    private let target: PostgresTarget
    private let statements: PostgresStatements
    /// The statements' names as C strings, alive as long as this.
    private let names: [UnsafeMutablePointer<CChar>]
    private unowned let owner: any PostgresConnectionOwner
    private var state = State.closed
    /// libpq's session; nil while there is none.
    private var session: OpaquePointer?
    private var watch = SlotID.none
    private var timer = TimerID.none
    private var backoff = Backoff()
    private var preparedCount = 0
    private var isCancelling = false
    /// Changes with every attempt: what belongs to an earlier one is recognised.
    private var epoch: UInt64 = 0

    private(set) var lastFailure: PostgresFailure?
    /// Sessions that were ready and got lost.
    private(set) var lossCount = 0

    /// - Parameter owner: outlives the connection.
    init(
        reactor: Reactor, target: PostgresTarget, statements: PostgresStatements, owner: any PostgresConnectionOwner
    ) {
        self.reactor = reactor
        self.target = target
        self.statements = statements
        self.owner = owner
        names = statements.list.map { strdup($0.name) }
    }

    deinit { for name in names { free(name) } }

    var isReady: Bool { state == .ready }

    /// Begins to connect, and connects again until `close`.
    func start() {
        precondition(state == .closed, "started twice")
        connect()
    }

    /// Ends the session for good; the owner is told nothing more.
    func close() {
        state = .closed
        disconnect()
    }

    /// Drops a session that is of no use any more; the owner is told if it was ready.
    func drop(_ failure: PostgresFailure) {
        guard state != .closed, state != .waiting else { return }
        let wasReady = state == .ready || state == .broken
        disconnect()
        lastFailure = failure
        state = .waiting
        timer = reactor.schedule(at: reactor.now + backoff.next(using: &reactor.random), self, tag: epoch)
        guard wasReady else { return }
        lossCount += 1
        owner.connectionLost(failure)
    }

    /// Has the session dropped at the next turn: for failures found while an owner is calling.
    private func breakDown() {
        guard state == .ready else { return }
        state = .broken
        lastFailure = sessionFailure()
        timer = reactor.schedule(at: reactor.now, self, tag: epoch)
    }

    private func disconnect() {
        epoch += 1
        reactor.cancel(timer)
        timer = .none
        unwatch()
        if let session { PQfinish(session) }
        session = nil
    }

    /// What libpq says of the session, as a failure.
    private func sessionFailure() -> PostgresFailure {
        let text = session.flatMap { PQerrorMessage($0) }.map { String(cString: $0) } ?? ""
        let line = text.split(separator: "\n").joined(separator: " ")
        return line.isEmpty ? .unavailable : PostgresFailure(.unavailable, message: line)
    }

    // MARK: Connecting

    private func connect() {
        let hosts = target.namesToResolve
        guard !hosts.isEmpty else { return begin(addresses: nil) }
        state = .resolving
        let asked = epoch
        let attempt = UInt32(truncatingIfNeeded: backoff.attempts)
        Resolver.resolve(hosts, attempt: attempt, reactor: reactor) { [weak self] answers in
            guard let self, state == .resolving, epoch == asked else { return }
            begin(addresses: answers)
        }
    }

    private func begin(addresses: [String?]?) {
        state = .connecting
        timer = reactor.schedule(at: reactor.now + Self.connectTimeout, self, tag: epoch)
        var hostAddresses: String?
        if let addresses {
            guard let list = target.hostAddresses(resolved: addresses) else {
                return drop(PostgresFailure(.unavailable, message: "the host name of PostgreSQL cannot be resolved"))
            }
            hostAddresses = list
        }
        session = target.startSession(hostAddresses: hostAddresses)
        guard let session, PQstatus(session) != CONNECTION_BAD else { return drop(sessionFailure()) }
        cr_pg_silence(session)
        // libpq: behave as if PQconnectPoll had last asked to wait for writing.
        watchSocket(.writable)
    }

    /// libpq may change its socket at any step, hence the watch is renewed at each, and ends before libpq closes it.
    private func stepConnecting() {
        guard let session else { return }
        unwatch()
        switch PQconnectPoll(session) {
        case PGRES_POLLING_READING: watchSocket(.readable)
        case PGRES_POLLING_WRITING: watchSocket(.writable)
        case PGRES_POLLING_OK: prepare(session)
        default: drop(sessionFailure())
        }
    }

    private func watchSocket(_ interest: Readiness) {
        guard let session, let id = reactor.poller.addWatch(PQsocket(session), interest: interest, owner: self, tag: 0)
        else { return drop(PostgresFailure(.unavailable, message: "no room to watch the socket of PostgreSQL")) }
        watch = id
    }

    private func unwatch() {
        reactor.poller.remove(watch)
        watch = .none
    }

    private func prepare(_ session: OpaquePointer) {
        state = .preparing
        preparedCount = 0
        watchSocket(.readable)
        guard state == .preparing else { return }
        var isSent = PQsetnonblocking(session, 1) == 0 && PQenterPipelineMode(session) == 1
        isSent = isSent && PQsendQueryParams(session, Self.durability, 0, nil, nil, nil, nil, 0) == 1
        for (name, statement) in zip(names, statements.list) where isSent {
            isSent = PQsendPrepare(session, name, statement.sql, 0, nil) == 1
        }
        guard isSent, PQpipelineSync(session) == 1 else { return drop(sessionFailure()) }
        flush()
    }

    private func prepared(_ result: OpaquePointer) {
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK: break
        case PGRES_COMMAND_OK: preparedCount += 1
        case PGRES_PIPELINE_SYNC where preparedCount == statements.list.count: becomeReady()
        default:
            var failure = PostgresFailure(result: result)
            if preparedCount < statements.list.count {
                failure.message += " (preparing \(statements.list[preparedCount].name))"
            }
            drop(failure)
        }
    }

    private func becomeReady() {
        reactor.cancel(timer)
        timer = .none
        backoff.reset()
        lastFailure = nil
        state = .ready
        owner.connectionReady()
    }

    func timerFired(tag: UInt64) {
        guard tag == epoch else { return }
        timer = .none
        switch state {
        case .waiting: connect()
        case .connecting, .preparing: drop(.timedOut)
        case .broken: drop(lastFailure ?? .unavailable)
        case .closed, .resolving, .ready: break
        }
    }

    // MARK: Sending and receiving

    /// Sends one prepared statement as a transaction of its own. False: nothing was sent.
    func send(_ statement: StatementID, _ parameters: borrowing PostgresParameters) -> Bool {
        guard let session, state == .ready else { return false }
        let isSent = parameters.withPointers { values, lengths, formats in
            PQsendQueryPrepared(
                session, names[statement.index], Int32(parameters.count), values, lengths, formats, 1)
        }
        return endFlight(session, isSent: isSent == 1)
    }

    /// Sends a statement given as text; its rows come as text too. False: nothing was sent.
    func send(_ sql: String, _ parameters: [PostgresValue]) -> Bool {
        guard let session, state == .ready else { return false }
        let isSent = PostgresValue.withPointers(parameters) { types, values, lengths, formats in
            PQsendQueryParams(session, sql, Int32(parameters.count), types, values, lengths, formats, 0)
        }
        return endFlight(session, isSent: isSent == 1)
    }

    /// The synchronisation ends the implicit transaction: only when it comes back is the flight committed.
    private func endFlight(_ session: OpaquePointer, isSent: Bool) -> Bool {
        guard isSent, PQpipelineSync(session) == 1 else {
            breakDown()
            return false
        }
        flush()
        return state == .ready
    }

    /// Sends what libpq holds; waits for the socket where the kernel takes no more.
    private func flush() {
        guard let session else { return }
        switch PQflush(session) {
        case 0: reactor.poller.setWatch(watch, interest: .readable)
        case 1: reactor.poller.setWatch(watch, interest: [.readable, .writable])
        default: state == .ready ? breakDown() : drop(sessionFailure())
        }
    }

    func ready(_ readiness: Readiness, tag: UInt32) {
        guard let session else { return }
        if state == .connecting { return stepConnecting() }
        var isAlive = true
        if readiness.contains(.readable) || readiness.contains(.hangUp) { isAlive = PQconsumeInput(session) == 1 }
        if isAlive, readiness.contains(.writable) { flush() }
        let current = epoch
        readResults(session)
        if !isAlive, epoch == current { drop(sessionFailure()) }
    }

    /// Passes on every result that has arrived whole. Stops when the session goes under an owner's hands.
    private func readResults(_ session: OpaquePointer) {
        let current = epoch
        var endCount = 0
        while epoch == current, PQisBusy(session) == 0 {
            guard let result = PQgetResult(session) else {
                // The end of one statement's results; two in a row: there is no further statement.
                endCount += 1
                if endCount > 1 { return }
                continue
            }
            endCount = 0
            if state == .preparing { prepared(result) } else { owner.connectionReturned(result) }
        }
    }

    // MARK: Cancelling

    /// Asks the server to end what this session runs, from a thread of its own: libpq's request blocks. At most one
    /// at a time; more are left to the server, which notices the closed connection when it next writes.
    func cancelRunning() {
        guard let session, !isCancelling, let request = PQgetCancel(session) else { return }
        isCancelling = true
        // The connection stays alive until the answer, which comes within the kernel's connect timeout.
        Cancellation.send(request) { [self] in
            reactor.spawn { [self] in isCancelling = false }
        }
    }
}

/// A cancel request on its way.
private final class Cancellation {
    private let request: OpaquePointer
    private let ended: @Sendable () -> Void

    private init(_ request: OpaquePointer, _ ended: @escaping @Sendable () -> Void) {
        self.request = request
        self.ended = ended
    }

    deinit { PQfreeCancel(request) }

    /// Takes `request` over; `ended` is called on whatever thread.
    static func send(_ request: OpaquePointer, ended: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Cancellation(request, ended))
        var thread = pthread_t()
        let status = cr_thread_start(
            &thread, "pg-cancel", -1,
            { context in
                let cancellation = Unmanaged<Cancellation>.fromOpaque(context!).takeRetainedValue()
                withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
                    // A refusal changes nothing: the session is dropped either way.
                    _ = PQcancel(cancellation.request, text.baseAddress, Int32(text.count))
                }
                cancellation.ended()
                return nil
            }, context.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            context.release()
            ended()
        }
    }
}
