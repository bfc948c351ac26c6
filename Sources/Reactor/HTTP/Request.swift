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
    private let lines: Span<HeaderField>
    private let known: Span<ByteRange>
    private let repeated: UInt32

    /// - Parameter table: filled from `headBytes`, and left alone while the request is lent.
    @_lifetime(copy headBytes, copy bodyBytes)
    init(
        exchange: SlotID, peer: PeerAddress, listener: UInt32, head: RequestHead, now: Instant,
        wallMicroseconds: Int64, headBytes: RawSpan, bodyBytes: RawSpan, table: borrowing HeaderTable
    ) {
        self.exchange = exchange
        self.peer = peer
        self.head = head
        self.now = now
        self.wallMicroseconds = wallMicroseconds
        self.listener = listener
        self.headBytes = headBytes
        self.bodyBytes = bodyBytes
        // The table is its server's, which lends the request for one call: it outlives the bytes.
        lines = _overrideLifetime(table.lines, copying: headBytes)
        known = _overrideLifetime(table.knownValues, copying: headBytes)
        repeated = table.repeated
    }

    public var path: RawSpan { @_lifetime(copy self) get { headBytes.slice(head.path) } }
    /// What follows `?`, without it; empty where there is none.
    public var query: RawSpan { @_lifetime(copy self) get { headBytes.slice(head.query) } }
    /// The whole body; empty in `begin` and for streamed bodies.
    public var body: RawSpan { @_lifetime(copy self) get { bodyBytes } }

    /// The value of the first header of that name, if it was sent.
    @_lifetime(copy self)
    public func header(_ header: KnownHeader) -> RawSpan? {
        let range = known[Int(header.rawValue)]
        guard range.offset != 0 else { return nil }
        return headBytes.slice(range)
    }

    /// Whether more than one line of that name was sent. Credentials and identities should refuse that.
    public func isRepeated(_ header: KnownHeader) -> Bool { repeated & (1 &<< UInt32(header.rawValue)) != 0 }

    /// Header lines in the order they came, for those who pass them on.
    public var headerCount: Int { lines.count }
    @_lifetime(copy self)
    public func headerName(at index: Int) -> RawSpan { headBytes.slice(lines[index].name) }
    @_lifetime(copy self)
    public func headerValue(at index: Int) -> RawSpan { headBytes.slice(lines[index].value) }
}

/// A request's head that outlives its lending: for tasks that pass it on. Allocates twice.
public struct RequestHeadCopy: Sendable {
    public let head: RequestHead
    public let peer: PeerAddress
    private let bytes: [UInt8]
    private let fields: [HeaderField]

    fileprivate init(_ request: borrowing Request, bytes: RawSpan, lines: Span<HeaderField>) {
        head = request.head
        peer = request.peer
        self.bytes = bytes.array
        var fields: [HeaderField] = []
        fields.reserveCapacity(lines.count)
        for index in 0..<lines.count { fields.append(lines[index]) }
        self.fields = fields
    }

    public var path: RawSpan { @_lifetime(borrow self) get { bytes.rawBytes.slice(head.path) } }
    public var query: RawSpan { @_lifetime(borrow self) get { bytes.rawBytes.slice(head.query) } }

    /// Header lines in the order they came.
    public var headerCount: Int { fields.count }
    @_lifetime(borrow self)
    public func headerName(at index: Int) -> RawSpan { bytes.rawBytes.slice(fields[index].name) }
    @_lifetime(borrow self)
    public func headerValue(at index: Int) -> RawSpan { bytes.rawBytes.slice(fields[index].value) }
}

extension Request {
    public func copyHead() -> RequestHeadCopy {
        RequestHeadCopy(self, bytes: headBytes.extracting(first: head.byteCount), lines: lines)
    }
}
