// One request from `send` to the last byte of its answer: finds a connection, watches the clock, holds what the reader
// has not taken. Owned by its caller's task and by the connection that carries it, on the reactor's thread.
// Limits: the request's timeouts; `connectAttemptsMax` addresses; one repeat over a fresh connection.
//
//     resolving ─► waiting ─► connecting ─► asked ─ head ─► answering ─► complete        any ─► failed
//         └───────────┴───────────┘ (another address, after a failure)   └ asked again, once, where a kept
//                                                                          connection was closed before it answered

/// `@unchecked Sendable`: a cancelled task refers to it from elsewhere; every member is for the reactor's thread.
final class HTTPClientExchange: TimerOwner, @unchecked Sendable {
    private enum Stage { case resolving, waiting, connecting, asked, answering, complete, failed(HTTPClientFailure) }
    typealias Answer = UnsafeContinuation<Result<HTTPClientResponse, HTTPClientFailure>, Never>

    let request: HTTPClientRequest
    private let client: HTTPClient
    private var stage = Stage.resolving
    private var continuation: Answer?
    private var reader: UnsafeContinuation<Void, Never>?
    private var connection: HTTPClientConnection?
    /// The pool whose queue it is in.
    private var queue: HTTPClientPool?
    private var address: HTTPClientAddress?
    private var triedAddresses: [HTTPClientAddress] = []
    private var lastReason = "the name has no address"
    /// A kept connection was closed under it: the next is new.
    private var isRepeat = false
    /// Of a body that is streamed, once its connection is there.
    private var sender: HTTPClientBodySender?
    /// Received and not yet read.
    var body = ByteBuffer()

    private var timer = TimerID.none
    private let startedAt: Instant
    /// When the present attempt to connect is given up.
    private var attemptDeadline = Instant.never
    /// When the upstream last took or sent something, or the reader made room.
    private var progressAt: Instant

    private var reactor: Reactor { client.reactor }

    init(_ request: HTTPClientRequest, client: HTTPClient) {
        self.request = request
        self.client = client
        startedAt = client.reactor.now
        progressAt = startedAt
    }

    func start(_ continuation: Answer) {
        self.continuation = continuation
        acquire()
    }

    // MARK: Finding a connection

    /// It waits for a name to be resolved.
    var awaitsAddresses: Bool { if case .resolving = stage { true } else { false } }

    /// Takes a connection, begins to open one, or waits.
    func acquire() {
        queue = nil
        let pools = request.endpoints.map { client.pool(of: $0) }
        for pool in pools { pool.resolveIfNeeded() }
        guard let (chosen, hasOthers) = choose(from: pools) else {
            if let pool = pools.first(where: \.isResolving), triedAddresses.isEmpty {
                return wait(in: pool, .resolving)
            }
            return finish(.connectFailed(lastReason))
        }
        let pool = chosen.pool
        if !isRepeat, let kept = pool.takeKept(of: chosen) ?? (pool.hasRoom ? nil : pool.takeAnyKept()) {
            return ask(kept)
        }
        if isRepeat, !pool.hasRoom { pool.closeOneKept() }
        if pool.hasRoom { return open(chosen, hasOthers: hasOthers) }
        wait(in: pool, .waiting)
    }

    /// The address to go to next, of those that were not tried.
    private func choose(from pools: [HTTPClientPool]) -> (HTTPClientAddress, hasOthers: Bool)? {
        // As it is with most services: nothing to choose from.
        if triedAddresses.isEmpty, pools.count == 1, pools[0].addresses.count == 1 {
            return (pools[0].addresses[0], false)
        }
        let candidates = pools.flatMap(\.addresses).filter { address in !triedAddresses.contains { $0 === address } }
        let chosen = HTTPClientAddress.choose(candidates, now: reactor.now, using: &reactor.random)
        return chosen.map { ($0, candidates.count > 1) }
    }

    private func wait(in pool: HTTPClientPool, _ stage: Stage) {
        guard pool.enqueue(self) else { return finish(.overloaded) }
        queue = pool
        self.stage = stage
        attemptDeadline = startedAt + request.timeouts.connect
        schedule()
    }

    private func open(_ chosen: HTTPClientAddress, hasOthers: Bool) {
        stage = .connecting
        triedAddresses.append(chosen)
        hold(chosen)
        // While there are others to try, one attempt takes no more than half of the time that is left.
        let end = startedAt + request.timeouts.connect
        let left = end - reactor.now
        let mayTryAnother = hasOthers && triedAddresses.count < client.limits.connectAttemptsMax
        attemptDeadline = mayTryAnother ? reactor.now + Interval(nanoseconds: left.nanoseconds / 2) : end
        let connection = chosen.pool.open(chosen, for: self)
        self.connection = connection
        if let error = connection.connect(for: self) { return connectFailed(chosen, error) }
        schedule()
    }

    func connected(_ connection: HTTPClientConnection) { ask(connection) }

    func connectFailed(_ address: HTTPClientAddress, _ error: SystemError) {
        client.counts.connectsFailed += 1
        address.pool.rest(address)
        lastReason = "\(address.text): \(error)"
        letGo()
        guard triedAddresses.count < client.limits.connectAttemptsMax else {
            finish(.connectFailed(lastReason))
            return address.pool.serve()
        }
        acquire()
        address.pool.serve()
    }

    private func ask(_ connection: HTTPClientConnection) {
        hold(connection.address)
        self.connection = connection
        stage = .asked
        progressAt = reactor.now
        connection.start(self)
        if connection.isReused { client.counts.reuses += 1 }
        if let stream = request.stream { sendBody(stream, over: connection) }
        schedule()
    }

    private func sendBody(_ stream: HTTPClientBodyStream, over connection: HTTPClientConnection) {
        let sender = HTTPClientBodySender(stream)
        self.sender = sender
        let way = Way(connection: connection)
        reactor.spawn { [self] in
            // `try?`: a source that ends early takes the request with it, unless that is being answered already.
            let isSent: Void? = try? await sender.run(
                write: { way.connection.write($0) },
                resumed: {
                    progressed()
                    schedule()
                })
            guard case .asked = stage else { return }
            if isSent == nil { return abandon(.cancelled) }
            // From here on it is the upstream that is waited for.
            progressed()
            schedule()
        }
    }

    /// `@unchecked Sendable`: carries a connection into a task of its own reactor.
    private struct Way: @unchecked Sendable { let connection: HTTPClientConnection }

    private func hold(_ address: HTTPClientAddress) {
        self.address?.load -= 1
        self.address = address
        address.load += 1
    }

    private func letGo() {
        connection = nil
        sender?.end()
        address?.load -= 1
        address = nil
    }

    // MARK: What the connection tells

    /// The upstream took or sent something.
    func progressed() { progressAt = reactor.now }

    func sent(unsentBytes: Int) { sender?.progressed(unsentBytes: unsentBytes) }

    /// Nothing of the request is still to be written.
    var isBodyWritten: Bool { sender?.isComplete ?? true }

    func headArrived(_ head: ResponseHeadView, bytes: borrowing ByteBuffer, fields: [HeaderField]) {
        stage = .answering
        progressAt = reactor.now
        let response = HTTPClientResponse(head, head: bytes, fields: fields, exchange: self)
        continuation.take()?.resume(returning: .success(response))
        schedule()
    }

    func bodyArrived() {
        if !body.isEmpty { wakeReader() }
    }

    /// The answer is complete; the connection has been taken back.
    func ended() {
        letGo()
        stage = .complete
        cancelTimer()
        wakeReader()
    }

    /// The connection is gone with the answer incomplete.
    func failed(_ failure: HTTPClientFailure) {
        guard let connection else { return finish(failure) }
        if failure == .resetBeforeResponse {
            if connection.isReused, !isRepeat, request.mayBeRepeated {
                isRepeat = true
                client.counts.repeats += 1
                letGo()
                return acquire()
            }
            if !connection.isReused { connection.address.pool.rest(connection.address) }
        }
        finish(failure)
    }

    // MARK: What the caller does

    func read(into buffer: inout ByteBuffer) async throws(HTTPClientFailure) -> Bool {
        precondition(reactor.executor.isCurrent, "read away from its reactor")
        while body.isEmpty {
            switch stage {
            case .complete: return false
            case .failed(let failure): throw failure
            case .resolving, .waiting, .connecting, .asked, .answering: await waitForBytes()
            }
        }
        // An empty buffer is traded for the full one: nothing is copied.
        if buffer.isEmpty { swap(&buffer, &body) } else { buffer.append(body.bytes) }
        body.clear()
        if let connection, !connection.isAwaitingPeer {
            progressAt = reactor.now
            connection.setReceiving(true)
            schedule()
        }
        return true
    }

    private func waitForBytes() async {
        precondition(reader == nil, "two readers of one response")
        let reactor = reactor
        await withTaskCancellationHandler {
            await withUnsafeContinuation { reader = $0 }
        } onCancel: {
            reactor.spawn { [self] in abandon(.cancelled) }
        }
    }

    private func wakeReader() { reader.take()?.resume() }

    /// The caller wants no more: closes the connection.
    func abandon(_ failure: HTTPClientFailure) {
        switch stage {
        case .complete, .failed: return
        case .resolving, .waiting, .connecting, .asked, .answering: break
        }
        let pool = address?.pool
        connection?.close()
        finish(failure)
        pool?.serve()
    }

    /// The response has no owner any more. Any thread.
    func responseDropped() {
        if reactor.executor.isCurrent { return abandon(.cancelled) }
        reactor.spawn { [self] in abandon(.cancelled) }
    }

    private func finish(_ failure: HTTPClientFailure) {
        queue?.forget(self)
        queue = nil
        letGo()
        cancelTimer()
        stage = .failed(failure)
        continuation.take()?.resume(returning: .failure(failure))
        wakeReader()
    }

    // MARK: Time

    private func schedule() {
        cancelTimer()
        timer = reactor.schedule(at: deadline.at, self, tag: 0)
    }

    private func cancelTimer() {
        reactor.cancel(timer)
        timer = .none
    }

    /// What is due next, and what it would be to miss it.
    private var deadline: (at: Instant, phase: HTTPClientFailure.Phase) {
        let end = startedAt + request.timeouts.total
        let next: (Instant, HTTPClientFailure.Phase)
        switch stage {
        case .resolving, .waiting, .connecting: next = (attemptDeadline, .connect)
        case .asked:
            let isSources = sender?.awaitsSource ?? false
            next = isSources ? (.never, .total) : (progressAt + request.timeouts.firstByte, .firstByte)
        case .answering:
            // While the reader is the slow one, only the whole has an end.
            let isUpstreams = connection?.isAwaitingPeer ?? true
            next = isUpstreams ? (progressAt + request.timeouts.idle, .idle) : (.never, .total)
        case .complete, .failed: next = (.never, .total)
        }
        return next.0 < end ? next : (end, .total)
    }

    func timerFired(tag: UInt64) {
        timer = .none
        let (at, phase) = deadline
        guard reactor.now >= at else { return schedule() }
        if case .connecting = stage, phase == .connect, let address {
            connection?.close()
            let isLast = reactor.now >= startedAt + request.timeouts.connect
            if !isLast { return connectFailed(address, .timedOut) }
            client.counts.connectsFailed += 1
            address.pool.rest(address)
        }
        abandon(.timedOut(phase))
    }
}
