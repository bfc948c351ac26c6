// One request and its answer, from the end of the head to the last answer byte queued. Lives in its server's slab;
// handlers hold its `SlotID`, so an answer that comes late or twice finds nothing instead of somebody else.

/// What the application notes about a request, to have it back when the answer goes out. Plain data.
public struct RequestNote: Sendable {
    /// Index into the application's route table; the server counts what it refused itself under `unrouted`.
    public var route: UInt16 = RequestNote.unrouted
    /// The application's tier or surface.
    public var tier: UInt8 = 0
    /// Free for the application, like mark and word.
    public var detail: UInt8 = 0
    public var mark: UInt16 = 0
    public var word: UInt64 = 0

    public static let unrouted: UInt16 = .max

    public init() {}
}

struct Exchange: ~Copyable {
    /// Characters of the request line that logs keep.
    static let loggedTargetBytesMax = 160

    enum State {
        case open
        /// `beginResponse` has been called, `endResponse` has not.
        case streaming
        case answered
    }

    /// How a streamed answer's end is shown.
    enum AnswerFraming {
        /// So many bytes are still to come.
        case length(remaining: Int)
        case chunked
        /// By closing: the client speaks HTTP/1.0.
        case close
        /// The answer has no body whatever is written: HEAD, 204, 304.
        case none
    }

    let connection: SlotID
    let started: Instant
    let requestID: RequestID
    let method: HTTPMethod
    let isHTTP10: Bool
    /// Whether the connection closes after this answer.
    var closes: Bool
    var state = State.open
    /// The next exchange of the connection, in order of arrival.
    var next: UInt32 = .max
    /// An answer, or what there is of it, that waits for those before it.
    var held = ByteBuffer()
    var note = RequestNote()

    // Of a streamed answer.
    var answerFraming = AnswerFraming.none
    var answerStatus: UInt16 = 0
    var answerBytes = 0
    /// The writer was told to stop, and waits for `RequestHandler.hasRoom`.
    var awaitsRoom = false

    let targetCount: UInt8
    let target: InlineArray<160, UInt8>

    init(
        connection: SlotID, started: Instant, requestID: RequestID, method: HTTPMethod, isHTTP10: Bool, closes: Bool,
        target bytes: RawSpan
    ) {
        self.connection = connection
        self.started = started
        self.requestID = requestID
        self.method = method
        self.isHTTP10 = isHTTP10
        self.closes = closes
        let count = min(bytes.byteCount, Self.loggedTargetBytesMax)
        targetCount = UInt8(count)
        target = InlineArray { $0 < count ? bytes.byte(at: $0) : 0 }
    }
}

/// What is known when an answer has been queued: for metrics and logs. Lent to the handler for one call.
public struct AnsweredExchange: ~Copyable {
    public let id: SlotID
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
