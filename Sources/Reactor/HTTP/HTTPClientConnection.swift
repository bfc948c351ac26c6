// One connection to an upstream: carries one request at a time, then waits in its pool for the next. Owned by its pool,
// on the reactor's thread. Limits: the client's. The exchange decides about time; this tells it what happens.
//
//     connecting ─► busy ─ answer complete ─► kept ─► busy …          any ─► closed
//
// TLS, when there is any, sits inside Stream: it is connected once the server has proved who it is.

final class HTTPClientConnection: StreamOwner, TimerOwner {
    private enum State { case connecting, busy, kept, closed }

    let address: HTTPClientAddress
    private let client: HTTPClient
    private var state = State.connecting
    private var stream: Stream?
    private var exchange: HTTPClientExchange?
    private var receiver: ResponseReceiver
    private var isReceiving = true
    private var peerEnded = false
    private var timer = TimerID.none
    /// It has carried a request before the present one.
    private(set) var isReused = false
    private(set) var keptSince = Instant(nanoseconds: 0)

    private var reactor: Reactor { client.reactor }
    private var pool: HTTPClientPool { address.pool }

    init(_ address: HTTPClientAddress, client: HTTPClient) {
        self.address = address
        self.client = client
        receiver = ResponseReceiver(limits: client.limits.response, isToHEAD: false)
    }

    // MARK: Life

    /// Starts to connect; the exchange is told the outcome, not from inside this call.
    /// - Returns: why that is impossible; nil where it goes on.
    func connect(for exchange: HTTPClientExchange) -> SystemError? {
        self.exchange = exchange
        do throws(SystemError) {
            let descriptor = try Descriptor.connect(host: address.text, port: address.pool.endpoint.port)
            stream = Stream(
                descriptor, connecting: true, owner: self, tag: 0, reactor: reactor,
                tls: address.pool.peer.map { .client($0) })
            if stream == nil { throw .tooManyConnections }
            return nil
        } catch {
            self.exchange = nil
            close()
            return error
        }
    }

    func connected(tag: UInt32) {
        guard state == .connecting, let exchange else { return }
        if stream?.wasResumed == true { client.counts.resumptions += 1 }
        address.restsUntil = Instant(nanoseconds: .min)
        exchange.connected(self)
    }

    /// Whether a kept connection is of use. The poller tells soon; this asks the kernel now.
    var isPeerThere: Bool {
        guard state == .kept, let stream = stream?.id else { return false }
        return reactor.poller.peerIsThere(stream)
    }

    /// Closes without telling the exchange.
    func close() {
        guard state != .closed else { return }
        state = .closed
        reactor.cancel(timer)
        timer = .none
        exchange = nil
        if let stream = stream.take() { stream.close() }
        pool.closed(self)
    }

    /// Closes and tells the exchange why.
    func fail(_ failure: HTTPClientFailure) {
        let exchange = exchange
        close()
        exchange?.failed(failure)
    }

    // MARK: Request

    /// Sends the exchange's request. On a kept connection: takes it out of use.
    func start(_ exchange: HTTPClientExchange) {
        reactor.cancel(timer)
        timer = .none
        isReused = state == .kept
        state = .busy
        self.exchange = exchange
        receiver = ResponseReceiver(limits: client.limits.response, isToHEAD: exchange.request.method == .head)
        stream!.write { exchange.request.write(to: pool.endpoint, &$0) }
        settle(stream!.flush())
    }

    func sent(_ count: Int, tag: UInt32) {
        guard stream != nil else { return }
        exchange?.progressed()
        settle(stream!.sent(count))
        exchange?.sent(unsentBytes: stream?.unsentBytes ?? 0)
    }

    /// Sends more of the exchange's request.
    /// - Returns: bytes that wait to be taken.
    func write(_ body: (inout ByteBuffer) -> Void) -> Int {
        guard stream != nil else { return 0 }
        stream!.write(body)
        settle(stream!.flush())
        return stream?.unsentBytes ?? 0
    }

    private func settle(_ outcome: Stream.FlushOutcome) {
        // Told at the next turn: a caller that starts a request is not failed from inside its call. An upstream that
        // refuses a body may have answered before it closed; what it sent is still to be read.
        guard case .failed = outcome else { return }
        timer = reactor.schedule(at: reactor.now, self, tag: 0)
    }

    // MARK: Response

    func received(_ bytes: RawSpan, tag: UInt32) {
        guard stream != nil else { return }
        guard state == .busy, let exchange else { return close() }
        var failure: HTTPFailure?
        let hadHead = receiver.head != nil
        do throws(HTTPFailure) {
            // The client outlives its connections' calls, and its table with it.
            try receiver.receive(bytes, table: &client.table.pointee, body: &exchange.body)
        } catch {
            failure = error
        }
        if let failure { return fail(.protocolViolation(failure)) }
        advance(exchange, hadHead: hadHead)
    }

    /// Tells the exchange what is new, in order: head, body, end.
    private func advance(_ exchange: HTTPClientExchange, hadHead: Bool) {
        let isComplete = receiver.isComplete
        if !hadHead, let head = receiver.head {
            exchange.headArrived(head, bytes: receiver.takeHeadBytes(), fields: receiver.fields)
        }
        if isComplete { return complete(exchange) }
        exchange.progressed()
        exchange.bodyArrived()
        if exchange.body.count >= client.limits.waitingBytesMax { setReceiving(false) }
    }

    private func complete(_ exchange: HTTPClientExchange) {
        let keepAlive = receiver.head?.keepAlive ?? false
        let isSent = exchange.isBodyWritten && stream?.unsentBytes == 0
        let isClean = keepAlive && !receiver.hasLeftover && !peerEnded && isSent
        self.exchange = nil
        if isClean, !address.isRetired, !client.isClosed {
            state = .kept
            keptSince = reactor.now
            setReceiving(true)
            timer = reactor.schedule(at: reactor.now + client.limits.keptTimeout, self, tag: 0)
            exchange.ended()
            pool.keep(self)
        } else {
            let pool = pool
            close()
            exchange.ended()
            pool.serve()
        }
    }

    /// Stops and resumes receiving: the reader's pace.
    func setReceiving(_ receiving: Bool) {
        guard isReceiving != receiving, stream != nil else { return }
        isReceiving = receiving
        stream!.setReceiving(receiving)
    }

    /// Whether silence is the upstream's: it is asked for more.
    var isAwaitingPeer: Bool { isReceiving }

    func receiveEnded(tag: UInt32) {
        guard state == .busy, let exchange else { return lost() }
        peerEnded = true
        receiver.end()
        if receiver.isComplete { return complete(exchange) }
        lost()
    }

    func failed(_ error: SystemError, tag: UInt32) {
        if state == .connecting, let exchange {
            close()
            return exchange.connectFailed(address, error)
        }
        lost()
    }

    private func lost() {
        let pool = pool
        fail(receiver.hasBegun ? .resetDuringResponse : .resetBeforeResponse)
        pool.serve()
    }

    func timerFired(tag: UInt64) {
        timer = .none
        switch state {
        case .kept:
            client.counts.expirations += 1
            let pool = pool
            close()
            pool.serve()
        case .busy: lost()
        case .connecting, .closed: break
        }
    }
}
