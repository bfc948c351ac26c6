// HTTP/1.1 over the streams of one reactor: accepts, reads requests, keeps answers in order, cuts off the slow.
// Owned by its reactor's thread. Limits: `HTTPLimits`. Source: RFC 9110, RFC 9112.
//
// The logic is split by what happens: +Receiving (bytes to requests), +Responding (answers to bytes), +Deadlines.

import CReactor

/// The server of one reactor, for all its listeners.
///
/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
public final class HTTPServer: @unchecked Sendable {
    public let reactor: Reactor
    public let limits: HTTPLimits
    let counter: ConnectionCounter
    unowned(unsafe) let handler: any RequestHandler
    var connections: Slab<HTTPConnection>
    var exchanges: Slab<Exchange>
    let headers: UnsafeMutablePointer<HeaderTable>
    let headLimits: HeadLimits
    var ids = RequestIDSource()
    var date = HTTPDate()
    /// Connections with something to flush or resume at the end of the turn.
    var dirty: [SlotID] = []
    var dirtyNow: [SlotID] = []
    private var listeners: [SlotID] = []
    private var drained: (() -> Void)?
    private(set) var isDraining = false
    /// Connections accepted since the start, and refused for want of room.
    public private(set) var acceptedCount = 0
    public private(set) var refusedCount = 0

    /// - Parameters:
    ///   - handler: outlives the server.
    ///   - counter: shared by the process's reactors.
    public init(reactor: Reactor, limits: HTTPLimits, counter: ConnectionCounter, handler: any RequestHandler) {
        self.reactor = reactor
        self.limits = limits
        self.counter = counter
        self.handler = handler
        headLimits = HeadLimits(
            uriBytesMax: limits.uriBytesMax, headerBytesMax: limits.headerBytesMax,
            headerCountMax: limits.headerCountMax)
        headers = .allocate(capacity: 1)
        headers.initialize(to: HeaderTable(capacity: limits.headerCountMax))
        connections = Slab(countMax: limits.connectionsMax + limits.refusalsMax)
        exchanges = Slab(countMax: limits.connectionsMax + 16 * limits.pipelineMax)
    }

    /// Open connections of this reactor.
    public var connectionCount: Int { connections.count }

    // MARK: start

    /// Serves a listening socket. `tag` comes back as the connection's listener.
    /// - Returns: false when the reactor has no room for it.
    public func listen(_ descriptor: consuming Descriptor, tag: UInt32) -> Bool {
        guard let id = reactor.poller.addListener(descriptor, owner: self, tag: tag) else { return false }
        listeners.append(id)
        return true
    }

    // MARK: drain and close

    /// Accepts no more, closes idle connections, lets those with requests finish; `completion` follows the last one.
    public func drain(_ completion: @escaping () -> Void) {
        isDraining = true
        drained = completion
        for listener in listeners { reactor.poller.remove(listener) }
        listeners = []
        connections.forEachIndex { index in
            let connection = connections.at(index)
            connection.pointee.closesWhenAnswered = true
            if connection.pointee.exchangeCount == 0, connection.pointee.phase == .head {
                close(index)
            }
        }
        tellIfDrained()
    }

    /// Closes every connection at once, whatever it owes.
    public func close() {
        for listener in listeners { reactor.poller.remove(listener) }
        listeners = []
        connections.forEachIndex { close($0) }
    }

    private func tellIfDrained() {
        guard isDraining, connections.count == 0, let completion = drained else { return }
        drained = nil
        completion()
    }

    /// Closes one connection: its buffers go back, its open exchanges become orphans that nobody can answer.
    func close(_ index: UInt32) {
        let peer = connections.at(index).pointee.peer
        reactor.cancel(connections.at(index).pointee.timer)
        if case .stream(let body) = connections.at(index).pointee.sink { body.fail(.connectionClosed) }
        var next = connections.at(index).pointee.firstExchange
        var connection = connections.remove(index)
        reactor.buffers.give(exchange(&connection.input, for: ByteBuffer()))
        reactor.buffers.give(exchange(&connection.body, for: ByteBuffer()))
        reactor.buffers.give(exchange(&connection.headCopy, for: ByteBuffer()))
        HTTPServer.closeStream(connection)
        counter.left(peer)
        while next != .max {
            let id = exchanges.id(at: next)
            let note = exchanges.at(next).pointee.note
            let wasAnswered = exchanges.at(next).pointee.isAnswered
            next = exchanges.at(next).pointee.next
            HTTPServer.giveBack(exchanges.remove(id.index), to: reactor.buffers)
            if !wasAnswered { handler.abandoned(id, note: note) }
        }
        tellIfDrained()
    }

    private static func closeStream(_ connection: consuming HTTPConnection) { connection.stream.close() }

    static func giveBack(_ exchange: consuming Exchange, to buffers: BufferPool) { buffers.give(exchange.response) }

    func markDirty(_ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.isDirty { return }
        connection.pointee.isDirty = true
        dirty.append(connections.id(at: index))
    }
}

// MARK: - Accepting

extension HTTPServer: ListenerOwner, TimerOwner {
    /// How long a listener rests when the process is out of descriptors.
    static let acceptRest = Interval.milliseconds(100)

    public func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        let admitted = counter.admit(peer)
        if !admitted {
            refusedCount += 1
            return refuse(descriptor)
        }
        acceptedCount += 1
        guard adopt(descriptor, peer: peer, tag: tag) else { return counter.left(peer) }
    }

    private func adopt(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) -> Bool {
        // The stream's tag must be the connection's slot, and the connection needs the stream: the slot comes first.
        let placeholder = HTTPConnection(
            stream: Stream(id: .none, reactor: reactor), peer: peer, listener: tag, now: reactor.now)
        guard let slot = connections.insert(placeholder) else { return false }
        guard let id = reactor.poller.addStream(descriptor, connecting: false, owner: self, tag: slot.index) else {
            connections.remove(slot.index)
            return false
        }
        connections.at(slot.index).pointee.stream = Stream(id: id, reactor: reactor)
        rearm(slot.index)
        return true
    }

    /// Tells a client that there is no room. One send into an empty socket buffer; if even that fails, it just closes.
    private func refuse(_ descriptor: consuming Descriptor) {
        let problem = Problem.unavailable("too many connections", retryAfterSeconds: 1)
        var answer = ByteBuffer(capacity: 512)
        var body = ByteBuffer(capacity: 256)
        problem.write(to: &body, requestID: ids.next())
        answer.append("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n")
        answer.append("Connection: close\r\nContent-Length: ")
        answer.append(decimal: body.count)
        answer.append("\r\n\r\n")
        answer.append(body.bytes)
        let number = descriptor.number
        answer.bytes.withUnsafeBytes { _ = cr_send(number, $0.baseAddress, $0.count) }
        cr_end_sending(number)
    }

    public func acceptFailed(_ error: SystemError, tag: UInt32) {
        for listener in listeners { reactor.poller.setReceiving(listener, false) }
        _ = reactor.schedule(at: reactor.now + Self.acceptRest, self, tag: Self.acceptRestTag)
    }

    static let acceptRestTag = UInt64.max

    public func timerFired(tag: UInt64) {
        if tag == Self.acceptRestTag {
            for listener in listeners { reactor.poller.setReceiving(listener, true) }
        } else {
            deadlineReached(SlotID(word: tag))
        }
    }
}
