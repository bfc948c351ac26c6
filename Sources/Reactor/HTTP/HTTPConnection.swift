// The state of one server connection. Plain fields in a slab; `HTTPServer` holds the logic.
//
//   head ─ complete ─► (body whole: exchange) ─► head …
//     └─ body to come ─► body ─ complete ─► (exchange) ─► head …
//   any ─ closing answer sent ─► lingering ─ peer closes or time is up ─► gone

extension Instant {
    /// Later than any deadline: a clock that does not run.
    static var never: Instant { Instant(nanoseconds: .max) }
}

struct HTTPConnection: ~Copyable {
    enum Phase {
        /// Between requests, or inside a head.
        case head
        /// Inside a body that is collected, streamed or dropped.
        case body
        /// The last answer is sent; what still comes is dropped.
        case lingering
    }

    enum BodyProgress {
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    enum BodySink {
        case buffer
        case stream(RequestBody)
        /// Nobody wants it: refused, or answered before its end.
        case discard
    }

    var stream: Stream
    /// Who sends the requests: the other end of the connection, or whom a PROXY header names.
    var peer: PeerAddress
    let listener: UInt32
    var phase = Phase.head
    /// Received and not yet parsed: a partial head, or requests beyond the pipeline's bound.
    var input = ByteBuffer()
    var headProgress = HeadProgress()

    // The request whose body is arriving; meaningful in `.body`.
    var progress = BodyProgress.length(remaining: 0)
    var sink = BodySink.discard
    var headCopy = ByteBuffer()
    var body = ByteBuffer()
    var bodyBytes = 0
    var bodyBytesMax = 0
    var bodyExchange = SlotID.none
    /// `100 Continue` is owed once the answers before it are out.
    var owesContinue = false

    // Answers owed, oldest first.
    var firstExchange = UInt32.max
    var lastExchange = UInt32.max
    var exchangeCount: UInt32 = 0
    /// Bytes of answers that wait for those before them.
    var heldBytes = 0

    /// In the server's list for the end of the turn.
    var isDirty = false
    /// Parsing stopped at a bound; it resumes at a turn's end.
    var isPaused = false
    var isReceiving = true
    /// Answer bytes wait for the peer to take them.
    var isSending = false
    var peerEnded = false
    /// No further request is read: the connection closes when nothing is owed.
    var readsNoMore = false
    /// Nothing but a PROXY header may come first.
    var owesProxyHeader = false
    /// Over a limit of connections: it is only told so.
    var isRefusal = false

    // Times for `HTTPServer+Deadlines`.
    var timer = TimerID.none
    var timerDeadline = Instant.never
    /// The last time that bytes came or an answer was made.
    var lastActivity: Instant
    /// The last time that the peer took bytes, while `isSending`.
    var lastSent = Instant.never
    /// When the head or body now arriving began; `.never` between requests.
    var arrivalStart: Instant
    /// When receiving stopped for our own reasons, while it has.
    var receivingStopped = Instant.never
    var lingeringSince = Instant.never

    init(stream: consuming Stream, peer: PeerAddress, listener: UInt32, now: Instant) {
        self.stream = stream
        self.peer = peer
        self.listener = listener
        lastActivity = now
        // Until a first request: a connection that says nothing is as slow as one that dawdles over its head.
        arrivalStart = now
    }
}
