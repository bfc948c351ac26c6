// The addresses of one endpoint, their open connections, and the requests that wait for one. Owned by its client, on the
// reactor's thread. Limits: `connectionsMax` connections, `waitersMax` requests waiting, Resolver.addressesMax addresses.

/// One numeric address of an endpoint.
final class HTTPClientAddress {
    let text: String
    unowned let pool: HTTPClientPool
    /// Connections not in use, the one used last at the end.
    var kept: [HTTPClientConnection] = []
    /// Requests on their way to it.
    var load = 0
    var restsUntil = Instant(nanoseconds: .min)
    /// The name no longer has it: its connections close when they are done.
    var isRetired = false

    init(_ text: String, pool: HTTPClientPool) {
        self.text = text
        self.pool = pool
    }

    /// Chooses between addresses: the lighter of two drawn at random from those that do not rest; where all rest, the
    /// one whose rest ends first. Source: Mitzenmacher, "The power of two choices", 2001.
    static func choose(
        _ addresses: [HTTPClientAddress], now: Instant, using generator: inout some RandomNumberGenerator
    ) -> HTTPClientAddress? {
        let awake = addresses.filter { $0.restsUntil <= now }
        guard awake.count > 1 else {
            return awake.first ?? addresses.min { $0.restsUntil < $1.restsUntil }
        }
        let first = Int.random(in: 0..<awake.count, using: &generator)
        let step = Int.random(in: 1..<awake.count, using: &generator)
        let (one, other) = (awake[first], awake[(first + step) % awake.count])
        return other.load < one.load ? other : one
    }
}

/// `@unchecked Sendable`: the answer of a resolver carries it to its reactor; every member is for the reactor's thread.
final class HTTPClientPool: @unchecked Sendable {
    let endpoint: HTTPClientEndpoint
    unowned let client: HTTPClient
    /// Of an `https` endpoint.
    let peer: TLSPeer?
    private(set) var addresses: [HTTPClientAddress] = []
    /// Connections open or being opened.
    private(set) var connections: [ObjectIdentifier: HTTPClientConnection] = [:]
    private var waiting: [HTTPClientExchange] = []
    private(set) var isResolving = false
    private var resolvedAt = Instant(nanoseconds: .min)
    private var askedAt = Instant(nanoseconds: .min)
    private var isClosed = false
    private let isNumeric: Bool

    private var reactor: Reactor { client.reactor }
    private var limits: HTTPClientLimits { client.limits }

    init(_ endpoint: HTTPClientEndpoint, client: HTTPClient) {
        self.endpoint = endpoint
        self.client = client
        let tls = endpoint.isSecure ? client.tls : nil
        peer = tls.map { TLSPeer($0, host: endpoint.host, application: TLSPeer.http11) }
        isNumeric = Resolver.isNumeric(endpoint.host)
    }

    var openCount: Int { connections.count }
    var keptCount: Int { addresses.reduce(0) { $0 + $1.kept.count } }
    var waitingCount: Int { waiting.count }
    var hasRoom: Bool { connections.count < limits.connectionsMax }

    func close() {
        isClosed = true
        for exchange in waiting { exchange.abandon(.cancelled) }
        waiting = []
        for connection in Array(connections.values) { connection.fail(.cancelled) }
    }

    // MARK: Addresses

    /// Asks for the addresses where they are unknown or old.
    func resolveIfNeeded() {
        guard !isClosed, !isResolving else { return }
        if isNumeric {
            if addresses.isEmpty { addresses = [HTTPClientAddress(endpoint.host, pool: self)] }
            return
        }
        let now = reactor.now
        guard now >= Self.later(resolvedAt, limits.resolveInterval),
            now >= Self.later(askedAt, limits.resolveIntervalMin)
        else { return }
        isResolving = true
        askedAt = now
        Resolver.resolveAll(endpoint.host, reactor: reactor) { [weak self] texts in self?.resolved(texts) }
    }

    /// The beginning of time has no later.
    private static func later(_ instant: Instant, _ interval: Interval) -> Instant {
        instant.nanoseconds == .min ? instant : instant + interval
    }

    private func resolved(_ texts: [String]) {
        isResolving = false
        guard !isClosed else { return }
        // A name that is unknown for the moment leaves the addresses as they are.
        if !texts.isEmpty {
            resolvedAt = reactor.now
            let old = addresses
            addresses = texts.map { text in
                old.first { $0.text == text } ?? HTTPClientAddress(text, pool: self)
            }
            for address in old where !texts.contains(address.text) { retire(address) }
        }
        let unresolved = waiting.filter(\.awaitsAddresses)
        waiting.removeAll(where: \.awaitsAddresses)
        for exchange in unresolved { exchange.acquire() }
        serve()
    }

    private func retire(_ address: HTTPClientAddress) {
        address.isRetired = true
        for connection in address.kept { connection.close() }
    }

    /// An address failed: it rests, and the name is asked for again.
    func rest(_ address: HTTPClientAddress) {
        address.restsUntil = reactor.now + limits.restTime
        resolvedAt = Instant(nanoseconds: .min)
    }

    // MARK: Connections

    /// The kept connection of an address that was used last and whose peer is still there.
    func takeKept(of address: HTTPClientAddress) -> HTTPClientConnection? {
        while let connection = address.kept.popLast() {
            if connection.isPeerThere { return connection }
            connection.close()
        }
        return nil
    }

    /// A kept connection of any of its addresses.
    func takeAnyKept() -> HTTPClientConnection? {
        for address in addresses {
            if let connection = takeKept(of: address) { return connection }
        }
        return nil
    }

    /// Closes the kept connection used longest ago, to make room.
    func closeOneKept() {
        let oldest = addresses.compactMap(\.kept.first).min { $0.keptSince < $1.keptSince }
        oldest?.close()
    }

    func open(_ address: HTTPClientAddress, for exchange: HTTPClientExchange) -> HTTPClientConnection {
        let connection = HTTPClientConnection(address, client: client)
        connections[ObjectIdentifier(connection)] = connection
        client.counts.connectionsOpened += 1
        return connection
    }

    /// A connection's answer is complete: it waits for its next request.
    func keep(_ connection: HTTPClientConnection) {
        connection.address.kept.append(connection)
        serve()
    }

    /// A connection is gone.
    func closed(_ connection: HTTPClientConnection) {
        connections[ObjectIdentifier(connection)] = nil
        connection.address.kept.removeAll { $0 === connection }
    }

    // MARK: Waiting

    /// False where too many wait.
    func enqueue(_ exchange: HTTPClientExchange) -> Bool {
        guard waiting.count < limits.waitersMax else { return false }
        waiting.append(exchange)
        return true
    }

    func forget(_ exchange: HTTPClientExchange) { waiting.removeAll { $0 === exchange } }

    /// Gives those who waited longest what there is now.
    func serve() {
        var count = waiting.count
        while count > 0, let first = waiting.first, !first.awaitsAddresses, hasRoom || keptCount > 0 {
            waiting.removeFirst()
            count -= 1
            first.acquire()
        }
    }
}
