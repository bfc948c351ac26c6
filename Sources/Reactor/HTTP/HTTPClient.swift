// HTTP/1.1 requests to upstream services: pools of kept connections, balanced addresses, answers that stream.
// One per reactor, used on its thread only. Limits: `HTTPClientLimits`. Source: RFC 9110, RFC 9112.
//
//     send ─► exchange ─► choose an address ─► kept connection, or a new one, or the queue ─► answer ─► body
//
// HTTPClientExchange is one request's life, HTTPClientPool an endpoint's addresses and connections,
// HTTPClientConnection one connection.

/// The bounds of one reactor's client.
public struct HTTPClientLimits: Sendable {
    /// Open connections to one endpoint, those being opened and kept ones included.
    public var connectionsMax = 64
    /// Requests that wait for a connection to one endpoint; one more is refused.
    public var waitersMax = 1024
    /// A kept connection is closed after this long without use.
    public var keptTimeout = Interval.seconds(30)
    /// Addresses of a name are asked for again after this long.
    public var resolveInterval = Interval.seconds(30)
    /// Between two questions for one name, whatever happens.
    public var resolveIntervalMin = Interval.seconds(1)
    /// An address that failed is left alone for this long while there are others.
    public var restTime = Interval.seconds(10)
    /// Addresses that one request tries to connect to.
    public var connectAttemptsMax = 3
    /// Bytes of a body that wait for their reader before receiving stops.
    public var waitingBytesMax = 256 * 1024
    public var response = ResponseLimits()

    public init() {}
}

/// What a client has done so far: for metrics and tests.
public struct HTTPClientCounts: Equatable, Sendable {
    public var connectionsOpened = 0
    public var connectsFailed = 0
    /// Requests that went out over a kept connection.
    public var reuses = 0
    /// Requests sent again because a kept connection was closed.
    public var repeats = 0
    /// Kept connections closed for lack of use.
    public var expirations = 0
    /// TLS connections that went on with an earlier session.
    public var resumptions = 0
}

/// `@unchecked Sendable`: a reference may travel into a task of the reactor, but every member is for the reactor's own
/// thread; `send` traps elsewhere.
public final class HTTPClient: @unchecked Sendable {
    public let reactor: Reactor
    public let limits: HTTPClientLimits
    public internal(set) var counts = HTTPClientCounts()
    /// Scratch of all its parsing.
    let table: UnsafeMutablePointer<HeaderTable>
    /// For `https`; nil: there is none.
    let tls: CurrentTLSContext?
    private var pools: [HTTPClientEndpoint: HTTPClientPool] = [:]
    private(set) var isClosed = false

    /// - Parameters:
    ///   - reactor: outlives the client.
    ///   - tls: a client's context, for `https`; nil: such requests are refused.
    public init(reactor: Reactor, limits: HTTPClientLimits = HTTPClientLimits(), tls: CurrentTLSContext? = nil) {
        self.reactor = reactor
        self.limits = limits
        self.tls = tls
        // One table, allocated and freed with the client.
        table = .allocate(capacity: 1)
        table.initialize(to: HeaderTable(capacity: limits.response.headerCountMax))
    }

    deinit {
        table.deinitialize(count: 1)
        table.deallocate()
    }

    /// Sends a request and returns when the head of its answer is there.
    /// - Throws: what became of it; an answer of any status is none. Cancelling the task closes the connection.
    public func send(_ request: HTTPClientRequest) async throws(HTTPClientFailure) -> HTTPClientResponse {
        precondition(reactor.executor.isCurrent, "used away from its reactor")
        if isClosed { throw .cancelled }
        if let fault = request.fault { throw .unsupported(fault) }
        if tls == nil, request.endpoints.contains(where: \.isSecure) {
            throw .unsupported("https without a TLS context")
        }
        let exchange = HTTPClientExchange(request, client: self)
        let reactor = reactor
        let result: Result<HTTPClientResponse, HTTPClientFailure> = await withTaskCancellationHandler {
            await withUnsafeContinuation { exchange.start($0) }
        } onCancel: {
            reactor.spawn { exchange.abandon(.cancelled) }
        }
        return try result.get()
    }

    /// Closes every connection; requests on their way fail as cancelled.
    public func close() {
        isClosed = true
        for pool in pools.values { pool.close() }
        pools = [:]
    }

    /// Open connections to an endpoint, and how many of them are not in use.
    public func connectionCount(of endpoint: HTTPClientEndpoint) -> (open: Int, kept: Int) {
        guard let pool = pools[endpoint] else { return (0, 0) }
        return (pool.openCount, pool.keptCount)
    }

    /// Requests that wait for a connection to an endpoint.
    public func waitingCount(of endpoint: HTTPClientEndpoint) -> Int { pools[endpoint]?.waitingCount ?? 0 }

    func pool(of endpoint: HTTPClientEndpoint) -> HTTPClientPool {
        if let pool = pools[endpoint] { return pool }
        let pool = HTTPClientPool(endpoint, client: self)
        pools[endpoint] = pool
        return pool
    }
}
