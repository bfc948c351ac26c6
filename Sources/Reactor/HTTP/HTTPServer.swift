// HTTP/1.1 over the streams of one reactor: accepts, reads requests, keeps answers in order, cuts off the slow.
// Owned by its reactor's thread. Limits: `HTTPLimits`. Source: RFC 9110, RFC 9112.
//
// The logic is split by what happens: +Accepting, +Receiving (bytes to requests), +Bodies, +Responding (answers to
// bytes), +Streaming (answers in pieces), +Sending (bytes to the kernel), +Deadlines.

/// The server of one reactor, for all its listeners.
///
/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
public final class HTTPServer: @unchecked Sendable {
    public let reactor: Reactor
    public let limits: HTTPLimits
    let counter: ConnectionCounter
    unowned(unsafe) let handler: any RequestHandler
    let connections: Slab<HTTPConnection>
    let exchanges: Slab<Exchange>
    // Unchecked: every request uses these three, and what they call while they change knows nothing of the server.
    @exclusivity(unchecked) var headers: HeaderTable
    @exclusivity(unchecked) var ids = RequestIDSource()
    @exclusivity(unchecked) var date = HTTPDate()
    let headLimits: HeadLimits
    /// Connections with something to flush or resume at the end of the turn.
    var dirty: [SlotID] = []
    var dirtyNow: [SlotID] = []
    var listeners: [SlotID] = []
    /// By the tags of listeners that speak TLS.
    private(set) var secureListeners: [UInt32: CurrentTLSContext] = [:]
    /// Listeners that may still tell of connections although they accept no more.
    private var listenersEnding = 0
    private var stopped: (() -> Void)?
    private var drained: (() -> Void)?
    private(set) var isDraining = false
    /// While draining: how long a connection may be silent before it is closed. Zero: the idle are closed at once.
    private(set) var drainPatience = Interval.zero
    /// Connections accepted since the start, and refused for want of room.
    public internal(set) var acceptedCount = 0
    public internal(set) var refusedCount = 0
    /// Connections that are being told that there is no room.
    var refusalCount = 0

    /// Creates a server. Have it join the reactor's turn, `reactor.join(server)`, after all whose flights its handler
    /// fills: while those are on their way, it sends the answers.
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
        headers = HeaderTable(capacity: limits.headerCountMax)
        connections = Slab(countMax: limits.connectionsMax + limits.refusalsMax)
        // One for each connection whatever the others do, and a shared stock for pipelining.
        exchanges = Slab(countMax: limits.connectionsMax + limits.pipelinedStock)
    }

    /// Open connections of this reactor, those included that are being refused or linger.
    public var connectionCount: Int { connections.count }
    /// Requests of this reactor that are not answered yet.
    public var exchangeCount: Int { exchanges.count }

    // MARK: start

    /// Serves a listening socket. `tag` comes back as the connection's listener.
    /// - Returns: false when the reactor has no room for it.
    public func listen(_ descriptor: consuming Descriptor, tag: UInt32) -> Bool {
        listen(descriptor, owner: self, tag: tag)
    }

    /// Serves a listening socket that several reactors have no socket of their own for: its connections are dealt out to
    /// `servers` in turn, of which this is one.
    public func listen(_ descriptor: consuming Descriptor, tag: UInt32, dealingTo servers: [HTTPServer]) -> Bool {
        listen(descriptor, owner: ConnectionDealer(of: self, to: servers), tag: tag)
    }

    private func listen(_ descriptor: consuming Descriptor, owner: any ListenerOwner, tag: UInt32) -> Bool {
        guard let id = reactor.poller.addListener(descriptor, owner: owner, tag: tag) else { return false }
        listeners.append(id)
        return true
    }

    /// Has connections of a listener speak TLS, by what the context is when they come.
    public func secure(tag: UInt32, by context: CurrentTLSContext) { secureListeners[tag] = context }

    // MARK: drain and close

    /// Accepts no more. `completion` comes when the last connection that was accepted is here.
    public func stopAccepting(_ completion: @escaping () -> Void) {
        for listener in listeners where reactor.poller.retire(listener) { listenersEnding += 1 }
        listeners = []
        stopped = completion
        tellIfStopped()
    }

    public func listeningEnded(tag: UInt32) {
        listenersEnding -= 1
        tellIfStopped()
    }

    private func tellIfStopped() {
        guard listenersEnding == 0 else { return }
        stopped.take()?()
        tellIfDrained()
    }

    /// Accepts no more and lets requests finish; `completion` follows the last connection.
    /// - Parameter patience: zero closes idle connections at once. Otherwise each connection's next answer closes it, and one
    ///   that asks for nothing for so long is closed too: for clients that can go on elsewhere without noticing.
    public func drain(patience: Interval = .zero, _ completion: @escaping () -> Void) {
        isDraining = true
        drainPatience = patience
        drained = completion
        if !listeners.isEmpty { stopAccepting {} }
        var next = connections.firstLive()
        while let index = next {
            if patience > .zero { rearm(index) } else { drainNow(index) }
            next = connections.firstLive(from: index + 1)
        }
        tellIfDrained()
    }

    private func drainNow(_ index: UInt32) {
        let connection = connections.at(index)
        let isIdle = connection.pointee.exchangeCount == 0 && connection.pointee.phase == .head
        if isIdle, connection.pointee.stream.unsentBytes == 0 { close(index) } else { endReading(index) }
    }

    /// Closes every connection at once, whatever it owes.
    public func close() {
        closeListeners()
        var next = connections.firstLive()
        while let index = next {
            close(index)
            next = connections.firstLive(from: index)
        }
    }

    private func closeListeners() {
        for listener in listeners { reactor.poller.remove(listener) }
        listeners = []
    }

    private func tellIfDrained() {
        guard isDraining, listenersEnding == 0, connections.count == 0, let completion = drained else { return }
        drained = nil
        completion()
    }

    /// Closes one connection: its buffers go back, its open exchanges become orphans that nobody can answer.
    func close(_ index: UInt32) {
        reactor.buffers.give(exchange(&connections.at(index).pointee.input, for: ByteBuffer()))
        reactor.cancel(connections.at(index).pointee.timer)
        leaveBody(.connectionClosed, index)
        let connection = connections.remove(index)
        if connection.isRefusal {
            refusalCount -= 1
        } else {
            counter.left(connection.peer)
            handler.connectionChanged(listener: connection.listener, isOpen: false)
        }
        let first = connection.firstExchange
        HTTPServer.closeStream(connection)
        abandon(from: first)
        tellIfDrained()
    }

    /// One that owes an answer, or the rest of it, ends as what it is: cut off.
    private static func closeStream(_ connection: consuming HTTPConnection) {
        let owesNothing = connection.firstExchange == .max
        connection.stream.close(saysGoodbye: owesNothing)
    }

    /// Removes exchanges that will not be sent any more: those of a closed connection, or behind a closing answer.
    func abandon(from first: UInt32) {
        var next = first
        while next != .max {
            let id = exchanges.id(at: next)
            let exchange = exchanges.remove(next)
            next = exchange.next
            let wasAnswered = exchange.state == .answered
            let note = exchange.note
            HTTPServer.giveBack(exchange, to: reactor.buffers)
            if !wasAnswered { handler.abandoned(id, note: note) }
        }
    }

    private static func giveBack(_ exchange: consuming Exchange, to buffers: BufferPool) { buffers.give(exchange.held) }

    /// Takes no further request from a connection; it closes when it owes nothing.
    func endReading(_ index: UInt32) {
        let connection = connections.at(index)
        connection.pointee.readsNoMore = true
        if connection.pointee.phase == .head { connection.pointee.arrivalStart = .never }
        markDirty(index)
    }

    /// Has the end of this turn look at a connection: something to send, to resume, or to close.
    func markDirty(_ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.isDirty { return }
        connection.pointee.isDirty = true
        dirty.append(connections.id(at: index))
        reactor.turnAgain()
    }
}
