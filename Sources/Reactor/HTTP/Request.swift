// A request as handlers see it: lent for one call, never kept. What must outlive the call is copied by the handler.

/// Head, and (in `handle`) body of one request.
public struct Request: ~Copyable, ~Escapable {
    /// Names the exchange in later calls to the server.
    public let exchange: SlotID
    public let peer: PeerAddress
    public let head: RequestHead
    /// When the head was complete, and microseconds since the Unix epoch then.
    public let now: Instant
    public let wallMicroseconds: Int64
    /// The tag its listener was added with.
    public let listener: UInt32
    private let headBytes: RawSpan
    private let bodyBytes: RawSpan
    private let headers: UnsafePointer<HeaderTable>

    @_lifetime(copy headBytes, copy bodyBytes)
    init(
        exchange: SlotID, peer: PeerAddress, listener: UInt32, head: RequestHead, now: Instant, wallMicroseconds: Int64,
        headBytes: RawSpan, bodyBytes: RawSpan, headers: UnsafePointer<HeaderTable>
    ) {
        self.exchange = exchange
        self.peer = peer
        self.head = head
        self.now = now
        self.wallMicroseconds = wallMicroseconds
        self.listener = listener
        self.headers = headers
        self.headBytes = headBytes
        self.bodyBytes = bodyBytes
    }

    public var path: RawSpan { @_lifetime(copy self) get { headBytes.slice(head.path) } }
    /// What follows `?`, without it; empty where there is none.
    public var query: RawSpan { @_lifetime(copy self) get { headBytes.slice(head.query) } }
    /// The whole body; empty in `begin` and for streamed bodies.
    public var body: RawSpan { @_lifetime(copy self) get { bodyBytes } }

    /// The value of a header that the parser knows, if it was sent.
    @_lifetime(copy self)
    public func header(_ known: KnownHeader) -> RawSpan? {
        guard let range = headers.pointee[known] else { return nil }
        return headBytes.slice(range)
    }

    /// Whether more than one line of that name was sent: credentials and identities refuse that.
    public func isRepeated(_ known: KnownHeader) -> Bool { headers.pointee.isRepeated(known) }
}
