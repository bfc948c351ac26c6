// Takes the bytes of one response as they arrive: interim heads are skipped, the head is kept, the body's bytes are
// handed on without their framing. Pure: no socket, no clock. Owned by a connection of one reactor.
// Limits: ResponseLimits for heads; bodies are the owner's to bound. Source: RFC 9112 sections 6 and 7, RFC 9110 15.2.
//
//     head ─► (1xx: head again) ─► length | chunked | close ─► complete

/// The state of one response.
struct ResponseReceiver: ~Copyable {
    private enum Stage {
        case head
        case length(remaining: Int)
        case chunked(ChunkedDecoder)
        case close
        case complete
    }

    private let limits: ResponseLimits
    private let isToHEAD: Bool
    private var stage = Stage.head
    private var progress = HeadProgress()
    private var interimCount = 0
    /// Received and not yet parsed; once `head` is there, exactly the bytes it was parsed from.
    private(set) var headBytes = ByteBuffer()
    private(set) var head: ResponseHeadView?
    /// The lines of `head`.
    private(set) var fields: [HeaderField] = []
    /// Any byte has arrived.
    private(set) var hasBegun = false
    /// Bytes came after the end: what follows on the connection belongs to nothing.
    private(set) var hasLeftover = false

    /// - Parameter isToHEAD: the request is a HEAD.
    init(limits: ResponseLimits, isToHEAD: Bool) {
        self.limits = limits
        self.isToHEAD = isToHEAD
    }

    var isComplete: Bool { if case .complete = stage { true } else { false } }

    /// Hands the bytes of the final head over.
    mutating func takeHeadBytes() -> ByteBuffer { exchange(&headBytes, for: ByteBuffer()) }

    /// Takes bytes; those of the body are appended to `body`.
    mutating func receive(
        _ bytes: RawSpan, table: inout HeaderTable, body: inout ByteBuffer
    ) throws(HTTPFailure) {
        guard bytes.byteCount > 0 else { return }
        hasBegun = true
        guard case .head = stage else { return try receiveBody(bytes, &body) }
        headBytes.append(bytes)
        var progress = progress
        defer { self.progress = progress }
        while case .head = stage {
            guard
                let parsed = try ResponseParser.parse(
                    headBytes.bytes, isToHEAD: isToHEAD, limits: limits, progress: &progress, into: &table)
            else { return }
            if parsed.isInterim {
                interimCount += 1
                if interimCount > limits.interimMax { throw HTTPFailure(.interimTooMany, atByte: 0) }
                headBytes.consume(parsed.byteCount)
                continue
            }
            try begin(parsed, table, &body)
        }
    }

    /// The final head is there, and perhaps some of the body behind it.
    private mutating func begin(
        _ parsed: ResponseHeadView, _ table: borrowing HeaderTable, _ body: inout ByteBuffer
    ) throws(HTTPFailure) {
        head = parsed
        fields = (0..<table.count).map { table[$0] }
        switch parsed.framing {
        case .none, .length(0): stage = .complete
        case .length(let count): stage = .length(remaining: count)
        case .chunked: stage = .chunked(ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: .max)))
        case .close: stage = .close
        }
        var rest = ByteBuffer()
        if headBytes.count > parsed.byteCount {
            rest.append(headBytes.bytes.extracting(parsed.byteCount..<headBytes.count))
            headBytes.truncate(to: parsed.byteCount)
        }
        if !rest.isEmpty { try receiveBody(rest.bytes, &body) }
    }

    private mutating func receiveBody(_ bytes: RawSpan, _ body: inout ByteBuffer) throws(HTTPFailure) {
        switch stage {
        case .head: preconditionFailure("a body before its head")
        case .complete: hasLeftover = true
        case .close: body.append(bytes)
        case .length(let remaining):
            let count = min(remaining, bytes.byteCount)
            body.append(bytes.extracting(first: count))
            stage = count == remaining ? .complete : .length(remaining: remaining - count)
            if bytes.byteCount > count { hasLeftover = true }
        case .chunked(var decoder):
            var offset = 0
            decoding: while true {
                switch try decoder.next(bytes, from: &offset) {
                case .data(let range): body.append(bytes.slice(range))
                case .more:
                    stage = .chunked(decoder)
                    break decoding
                case .end:
                    stage = .complete
                    if offset < bytes.byteCount { hasLeftover = true }
                    break decoding
                }
            }
        }
    }

    /// The peer sends no more: completes a body that ends with the connection; else the response stays incomplete.
    mutating func end() {
        if case .close = stage { stage = .complete }
    }
}
