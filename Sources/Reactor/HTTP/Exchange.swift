// One request and its answer, from the end of the head to the last answer byte queued. Lives in its server's slab;
// handlers hold its `SlotID`, so an answer that comes late or twice finds nothing instead of somebody else.

/// What the application notes about a request, to have it back when the answer goes out. Plain data.
public struct RequestNote: Sendable {
    /// Index into the application's route table; the server counts what it refused itself under `unrouted`.
    public var route: UInt16 = RequestNote.unrouted
    /// The application's tier or surface.
    public var tier: UInt8 = 0
    /// Free for the application.
    public var word: UInt64 = 0

    public static let unrouted: UInt16 = .max

    public init() {}
}

struct Exchange: ~Copyable {
    /// Characters of the request line that logs keep.
    static let loggedTargetBytesMax = 160

    let connection: SlotID
    let started: Instant
    let requestID: RequestID
    let method: HTTPMethod
    let isHTTP10: Bool
    /// Whether the connection closes after this answer.
    var closes: Bool
    var isAnswered = false
    /// The next exchange of the connection, in order of arrival.
    var next: UInt32 = .max
    /// An answer that waits for those before it.
    var response = ByteBuffer()
    var note = RequestNote()
    var target = InlineArray<160, UInt8>(repeating: 0)
    var targetCount: UInt8 = 0

    init(
        connection: SlotID, started: Instant, requestID: RequestID, method: HTTPMethod, isHTTP10: Bool, closes: Bool
    ) {
        self.connection = connection
        self.started = started
        self.requestID = requestID
        self.method = method
        self.isHTTP10 = isHTTP10
        self.closes = closes
    }

    mutating func remember(target bytes: RawSpan) {
        targetCount = UInt8(min(bytes.byteCount, Self.loggedTargetBytesMax))
        for index in 0..<Int(targetCount) { target[index] = bytes.byte(at: index) }
    }
}

/// What is known when an answer has been queued: for metrics and logs. Lent to the handler for one call.
public struct AnsweredExchange: ~Copyable {
    public let note: RequestNote
    public let method: HTTPMethod
    public let status: Int
    /// From the end of the request's head to its answer.
    public let duration: Interval
    public let bodyBytes: Int
    public let peer: PeerAddress
    public let requestID: RequestID
    let targetBytes: InlineArray<160, UInt8>
    let targetCount: UInt8

    /// The request target as sent, cut after 160 characters. Allocates: for lines that are written.
    public var target: String { targetBytes.span.bytes.extracting(0..<Int(targetCount)).string }
}
