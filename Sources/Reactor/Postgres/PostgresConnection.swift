// One connection to PostgreSQL: connects without blocking, prepares its statements, connects again when it is lost.
// Knows nothing of flights. Owned by a client of one reactor. Limits: the client's connect timeout; waiting times of
// `Backoff`; at most one name is being resolved.
//
//      closed ─start─► resolving ─► connecting ─► preparing ─► ready
//                          ▲                                     │
//                          └───────── waiting ◄── lost or refused┘

import CReactor

/// What a connection tells its owner.
protocol PostgresConnectionOwner: AnyObject {
    /// Connected and prepared: statements may be sent.
    func connectionReady()
    /// A result, which the owner clears.
    func connectionReceived(_ result: OpaquePointer)
    /// A connection that was ready is gone. Another attempt is scheduled already.
    func connectionLost()
}

/// `@unchecked Sendable`: only the resolver's answer carries a reference, and only back to the reactor's thread.
final class PostgresConnection: WatchOwner, TimerOwner, @unchecked Sendable {
    private enum State { case closed, waiting, resolving, connecting, preparing, ready }

    private let reactor: Reactor
    private let url: String
    private let statements: [PostgresStatement]
    private let timeout: Interval
    private unowned let owner: any PostgresConnectionOwner
    private var state = State.closed
    /// libpq's connection; nil while there is none.
    private(set) var session: OpaquePointer?
    private var watch = SlotID.none
    private var watchedSocket: Int32 = -1
    private var interest = Readiness()
    private var timer = TimerID.none
    private var backoff = Backoff()
    private var preparedCount = 0
    /// Changes with every attempt: an answer to an earlier one is recognised.
    private var epoch: UInt64 = 0
    private(set) var lastFailure: String?
    /// Connections that were ready and got lost.
    private(set) var lossCount = 0

    init(
        reactor: Reactor, url: String, statements: [PostgresStatement], timeout: Interval,
        owner: any PostgresConnectionOwner
    ) {
        self.reactor = reactor
        self.url = url
        self.statements = statements
        self.timeout = timeout
        self.owner = owner
    }

    var isReady: Bool { state == .ready }

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
    func drop(_ reason: String) {
        guard state != .closed, state != .waiting else { return }
        let wasReady = state == .ready
        lastFailure = reason
        state = .waiting
        disconnect()
        var generator = SystemRandomNumberGenerator()
        timer = reactor.schedule(at: reactor.now + backoff.next(using: &generator), self, tag: 0)
        guard wasReady else { return }
        lossCount += 1
        owner.connectionLost()
    }

    private func disconnect() {
        epoch += 1
        reactor.cancel(timer)
        timer = .none
        unwatch()
        PQfinish(session)
        session = nil
    }

    func timerFired(tag: UInt64) {
        timer = .none
        if state == .waiting { connect() } else { drop("no connection within the connect timeout") }
    }

    // MARK: Connecting

    private func connect() {
        state = .resolving
        timer = reactor.schedule(at: reactor.now + timeout, self, tag: 0)
        // libpq would resolve names on this thread, blocking it: they become numeric addresses beforehand.
        let hosts = Self.hosts(of: url)
        if hosts.allSatisfy({ $0.isEmpty || $0.hasPrefix("/") || $0.hasPrefix("@") || Resolver.isNumeric($0) }) {
            return begin(addresses: nil)
        }
        let asked = epoch
        Resolver.resolve(hosts, attempt: UInt32(truncatingIfNeeded: backoff.attempts), reactor: reactor) {
            [weak self] answers in
            guard let self, self.state == .resolving, self.epoch == asked else { return }
            self.begin(addresses: answers.map { $0 ?? "" }.joined(separator: ","))
        }
    }

    private static func hosts(of url: String) -> [String] {
        guard let options = PQconninfoParse(url, nil) else { return [] }
        defer { PQconninfoFree(options) }
        var option = options
        var hosts: [String] = []
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                // An address given in the URL needs no other.
                if strcmp(keyword, "hostaddr") == 0 { return [] }
                if strcmp(keyword, "host") == 0 {
                    hosts = String(cString: value).split(separator: ",", omittingEmptySubsequences: false).map {
                        String($0)
                    }
                }
            }
            option += 1
        }
        return hosts
    }

    private func begin(addresses: String?) {
        state = .connecting
        var keywords = ["dbname", "fallback_application_name"]
        var values = [url, "taxlien-gateway"]
        if let addresses {
            keywords.append("hostaddr")
            values.append(addresses)
        }
        session = withCStrings(keywords) { keywords in
            withCStrings(values) { values in PQconnectStartParams(keywords, values, 1) }
        }
        guard let session, PQstatus(session) != CONNECTION_BAD else { return dropWithReason() }
        cr_pg_silence(session)
        setInterest(.writable)
    }

    /// Calls `body` with a NULL-terminated array of C strings.
    private func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { UnsafePointer<CChar>($0) } + [nil])
    }

    private func dropWithReason() {
        guard let session else { return drop("out of memory") }
        let message = String(cString: PQerrorMessage(session))
        drop(message.split(separator: "\n").joined(separator: "; "))
    }

    private func continueConnecting() {
        switch PQconnectPoll(session) {
        case PGRES_POLLING_READING: setInterest(.readable)
        case PGRES_POLLING_WRITING: setInterest(.writable)
        case PGRES_POLLING_OK: prepare()
        default: dropWithReason()
        }
    }

    private func prepare() {
        guard let session, PQsetnonblocking(session, 1) == 0, PQenterPipelineMode(session) == 1 else {
            return dropWithReason()
        }
        state = .preparing
        preparedCount = 0
        for statement in statements {
            guard PQsendPrepare(session, statement.name, statement.sql, 0, nil) == 1 else { return dropWithReason() }
        }
        guard PQpipelineSync(session) == 1 else { return dropWithReason() }
        setInterest(.readable)
        flush()
    }

    private func prepared(_ result: OpaquePointer) {
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK:
            preparedCount += 1
        case PGRES_PIPELINE_SYNC:
            guard preparedCount == statements.count else { return }
            state = .ready
            lastFailure = nil
            backoff.reset()
            reactor.cancel(timer)
            timer = .none
            owner.connectionReady()
        default:
            drop("a statement cannot be prepared (is the schema migrated?): \(PostgresFailure(result))")
        }
    }

    // MARK: Events

    func ready(_ readiness: Readiness, tag: UInt32) {
        switch state {
        case .connecting: continueConnecting()
        case .preparing, .ready:
            if readiness.contains(.writable) { flush() }
            if !readiness.isDisjoint(with: [.readable, .hangUp]) { receive() }
        case .closed, .waiting, .resolving: break
        }
    }

    private func receive() {
        guard PQconsumeInput(session) == 1 else { return dropWithReason() }
        // NULL ends the results of one statement, and stands for "nothing yet" too: two in a row are the latter.
        var nulls = 0
        while let session, state == .ready || state == .preparing, PQisBusy(session) == 0, nulls < 2 {
            guard let result = PQgetResult(session) else {
                nulls += 1
                continue
            }
            nulls = 0
            if state == .preparing { prepared(result) } else { owner.connectionReceived(result) }
        }
        if let session, PQstatus(session) == CONNECTION_BAD { dropWithReason() }
    }

    /// Sends what libpq holds, as far as the kernel takes it.
    func flush() {
        guard let session else { return }
        switch PQflush(session) {
        case 0: setInterest(.readable)
        case 1: setInterest([.readable, .writable])
        default: dropWithReason()
        }
    }

    /// Asks the server to stop the statement that runs now. Opens a connection for it: only for what is lost anyway.
    func cancelStatement() {
        guard let session, let request = PQgetCancel(session) else { return }
        let context = UnsafeMutableRawPointer(request)
        var thread = pthread_t()
        let status = cr_thread_start(
            &thread, "pg-cancel", -1,
            { context in
                // libpq's cancel blocks until the server has closed that connection.
                var text = [CChar](repeating: 0, count: 256)
                PQcancel(OpaquePointer(context), &text, 256)
                PQfreeCancel(OpaquePointer(context))
                return nil
            }, context)
        if status == 0 { pthread_detach(thread) } else { PQfreeCancel(request) }
    }

    private func setInterest(_ wanted: Readiness) {
        let socket = PQsocket(session)
        if socket == watchedSocket {
            guard wanted != interest else { return }
            reactor.poller.setWatch(watch, interest: wanted)
        } else {
            // While it connects libpq may go on to another address, with another socket.
            unwatch()
            guard let id = reactor.poller.addWatch(socket, interest: wanted, owner: self, tag: 0) else {
                return drop("no room to watch the connection")
            }
            watch = id
            watchedSocket = socket
        }
        interest = wanted
    }

    private func unwatch() {
        guard watchedSocket >= 0 else { return }
        reactor.poller.remove(watch)
        watch = .none
        watchedSocket = -1
    }
}
