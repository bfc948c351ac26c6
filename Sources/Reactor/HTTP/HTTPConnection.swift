// The state of one server connection. Plain fields in a slab; `HTTPServer` holds the logic.
//
//   idle ─ first byte ─► head ─ complete ─► body ─ complete ─► (exchange) ─► idle …
//     any ─ error or closing answer ─► lingering ─ peer closes or time is up ─► gone

struct HTTPConnection: ~Copyable {
    enum Phase {
        /// Between requests, or inside a head.
        case head
        /// Inside a body that is collected, streamed or dropped.
        case body
        /// The last answer is queued; what still comes is dropped.
        case lingering
    }

    enum BodyProgress {
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    enum BodySink {
        case buffer
        case stream(RequestBody)
        case discard
    }

    var stream: Stream
    let peer: PeerAddress
    let listener: UInt32
    var phase = Phase.head
    /// Received and not yet parsed: a partial head, or requests beyond the pipeline's bound.
    var input = ByteBuffer()
    var headProgress = HeadProgress()

    // The request whose body is arriving.
    var progress = BodyProgress.length(remaining: 0)
    var sink = BodySink.discard
    var headCopy = ByteBuffer()
    var body = ByteBuffer()
    var bodyBytes = 0
    var bodyBytesMax = 0
    var bodyExchange = SlotID.none

    // Answers owed, oldest first.
    var firstExchange = UInt32.max
    var lastExchange = UInt32.max
    var exchangeCount = 0
    /// `100 Continue` is owed once the answers before it are out.
    var owesContinue = false

    var isParsing = false
    var isDirty = false
    /// Parsing stopped at a bound; it resumes at a turn's end.
    var isPaused = false
    var isReceiving = true
    var peerEnded = false
    /// No further request is read: the last answer queued or owed closes.
    var closesWhenAnswered = false

    // Times for `HTTPServer+Deadlines`.
    var timer = TimerID.none
    var timerDeadline = Instant(nanoseconds: .max)
    var lastActivity: Instant
    /// When the head or body now arriving began; nil between requests.
    var arrivalStart: Instant?

    init(stream: consuming Stream, peer: PeerAddress, listener: UInt32, now: Instant) {
        self.stream = stream
        self.peer = peer
        self.listener = listener
        lastActivity = now
        // Until a first request: a connection that says nothing is as slow as one that dawdles over its head.
        arrivalStart = now
    }
}
