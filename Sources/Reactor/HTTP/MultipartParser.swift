// Takes a multipart body apart while it arrives: a state machine that is fed chunks and yields events.
// A value of whoever reads the body; no I/O. Holds one part's header block and nothing of the data: what may be the start
// of a boundary at a chunk's end is known without being kept. Limits: MultipartLimits.
// Source: RFC 2046 section 5.1, RFC 7578. Line ends are CRLF; a boundary line with anything else on it is refused.
//
//     preamble ─boundary─► delimiter ─CRLF─► headers ─blank line─► data ─boundary─► delimiter ─"--"─► epilogue
//                              ▲                                                       │
//                              └────────────────────── CRLF ◄──────────────────────────┘

import CReactor

public struct MultipartParser: ~Copyable {
    public enum Event: Equatable {
        /// The headers of a part are read: see `part`.
        case partBegan
        /// Data of the part: these bytes of the chunk.
        case data(ByteRange)
        /// Data of the part: these bytes of `delimiter`. They came at the end of earlier chunks and looked like a boundary.
        case heldData(ByteRange)
        case partEnded
        /// The last boundary has come. Chunks that follow must be fed all the same.
        case finished
    }

    private enum State: Equatable {
        case preamble, headers, data, epilogue
        /// After the boundary on its line: nothing yet, one dash, both dashes; and padding after them.
        case boundary, dash, padding
        case closing
        /// After the CR of a boundary line.
        case lineFeed, closingLineFeed
    }

    private let limits: MultipartLimits
    private let delimiterBuffer: ByteBuffer
    private var state = State.preamble
    /// Bytes of the delimiter that are matched. At the start and after headers its CRLF counts as matched.
    private var matched = 2
    /// How many of `matched` are not data in any case, because they were counted as matched and did not come as data.
    private var matchedBefore = 2
    /// The header block, then the blank line that ends it.
    private var headers: ByteBuffer
    private var headersOffset = 0
    private var outsideBytes = 0
    private var paddingBytes = 0
    private var partBytes = 0
    private var partBytesMax = 0
    private var isFinished = false

    /// Bytes of all chunks before this one.
    private var chunkOffset = 0
    /// Bytes of this chunk that are done with.
    private var at = 0

    /// Of the part that began last.
    public private(set) var part = MultipartPart()
    public private(set) var partCount = 0

    public init(boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        self.limits = limits
        var delimiter = ByteBuffer(capacity: MultipartBoundary.charactersMax + 4)
        delimiter.append("\r\n--")
        delimiter.append(boundary.text)
        delimiterBuffer = delimiter
        headers = ByteBuffer(capacity: limits.headerBytesMax)
    }

    /// CRLF, two dashes and the boundary.
    public var delimiter: RawSpan {
        @_lifetime(borrow self)
        get { delimiterBuffer.bytes }
    }

    /// Sets the bound of the part that has just begun, in place of that for its kind.
    public mutating func limitPart(bytesMax: Int) { partBytesMax = bytesMax }

    /// The next event of `chunk`. To be called with the same bytes until it returns nil, then with those that follow.
    /// - Returns: nil where all of the chunk is done with.
    /// - Throws: what makes this no multipart body within the limits; the parser must not be used any more.
    public mutating func next(_ chunk: RawSpan) throws(MultipartFailure) -> Event? {
        while at < chunk.byteCount {
            let event: Event?
            switch state {
            case .preamble, .data: event = try scan(chunk)
            case .headers: event = try readHeaders(chunk)
            case .epilogue:
                try countOutside(chunk.byteCount - at, .epilogueTooLong)
                at = chunk.byteCount
                event = nil
            default: event = try readBoundaryLine(chunk.byte(at: at))
            }
            if let event { return event }
        }
        chunkOffset += at
        at = 0
        return nil
    }

    /// To be called after the last chunk.
    /// - Throws: where the body should go on.
    public func end() throws(MultipartFailure) {
        guard isFinished, state != .closingLineFeed else { throw failure(.endedEarly) }
        if partCount == 0 { throw failure(.noParts) }
    }

    private func failure(_ reason: MultipartFailure.Reason) -> MultipartFailure {
        MultipartFailure(reason, atByte: chunkOffset + at)
    }

    private mutating func countOutside(_ count: Int, _ reason: MultipartFailure.Reason) throws(MultipartFailure) {
        outsideBytes += count
        if outsideBytes > limits.outsideBytesMax { throw failure(reason) }
    }

    // MARK: - Data up to a boundary

    /// Goes on in the preamble or a part's data.
    private mutating func scan(_ chunk: RawSpan) throws(MultipartFailure) -> Event? {
        if matched > 0 {
            if let event = try continueMatch(chunk) { return event }
            if matched > 0 || state == .boundary { return nil }
        }
        let start = at
        // The bytes up to the first carriage return that starts a delimiter, or what may become one.
        let (end, matchedThere) = Self.findDelimiter(chunk, from: at, delimiterBuffer.bytes)
        if end > start {
            at = end
            return try passed(ByteRange(offset: start, count: end - start))
        }
        matched = matchedThere
        at += matchedThere
        return matched == delimiterBuffer.count ? delimiterMatched() : nil
    }

    /// Compares what comes next with the rest of the delimiter.
    private mutating func continueMatch(_ chunk: RawSpan) throws(MultipartFailure) -> Event? {
        while matched < delimiterBuffer.count, at < chunk.byteCount {
            guard chunk.byte(at: at) == delimiterBuffer.bytes.byte(at: matched) else {
                // A delimiter holds one carriage return, its first byte: no other can have begun inside it.
                let held = ByteRange(offset: matchedBefore, count: matched - matchedBefore)
                matched = 0
                matchedBefore = 0
                return held.isEmpty ? nil : try passed(held, isHeld: true)
            }
            matched += 1
            at += 1
        }
        return matched == delimiterBuffer.count ? delimiterMatched() : nil
    }

    /// Bytes that are no boundary: data, or preamble to forget.
    private mutating func passed(_ range: ByteRange, isHeld: Bool = false) throws(MultipartFailure) -> Event? {
        if state == .preamble {
            try countOutside(Int(range.count), .preambleTooLong)
            return nil
        }
        partBytes += Int(range.count)
        if partBytes > partBytesMax { throw failure(.partTooLarge) }
        return isHeld ? .heldData(range) : .data(range)
    }

    private mutating func delimiterMatched() -> Event? {
        let event: Event? = state == .data ? .partEnded : nil
        matched = 0
        matchedBefore = 0
        paddingBytes = 0
        state = .boundary
        return event
    }

    /// - Returns: the index of the delimiter, and how many of its bytes are there: all, or those before the chunk's end.
    ///   The chunk's length and 0 where it has none.
    private static func findDelimiter(
        _ chunk: RawSpan, from start: Int, _ delimiter: RawSpan
    ) -> (index: Int, matched: Int) {
        chunk.withUnsafeBytes { chunk in
            delimiter.withUnsafeBytes { delimiter in
                // Never nil: a chunk with bytes left and a delimiter both have storage.
                let (base, sought) = (chunk.baseAddress!, delimiter.baseAddress!)
                var at = start
                while let found = memchr(base + at, 0x0D, chunk.count - at) {
                    let index = UnsafeRawPointer(found) - base
                    let compared = min(delimiter.count, chunk.count - index)
                    if memcmp(base + index, sought, compared) == 0 { return (index, compared) }
                    at = index + 1
                }
                return (chunk.count, 0)
            }
        }
    }

    // MARK: - Boundary lines and headers

    private mutating func readBoundaryLine(_ byte: UInt8) throws(MultipartFailure) -> Event? {
        switch (state, byte) {
        case (.boundary, UInt8(ascii: "-")): state = .dash
        case (.dash, UInt8(ascii: "-")):
            state = .closing
            isFinished = true
            at += 1
            return .finished
        case (.boundary, 0x20), (.boundary, 0x09), (.padding, 0x20), (.padding, 0x09):
            state = .padding
            try countPadding()
        case (.closing, 0x20), (.closing, 0x09): try countPadding()
        case (.boundary, 0x0D), (.padding, 0x0D): state = .lineFeed
        case (.closing, 0x0D): state = .closingLineFeed
        case (.lineFeed, 0x0A): try beginHeaders()
        case (.closingLineFeed, 0x0A):
            state = .epilogue
            outsideBytes = 0
        default: throw failure(.delimiterMalformed)
        }
        at += 1
        return nil
    }

    private mutating func countPadding() throws(MultipartFailure) {
        paddingBytes += 1
        if paddingBytes > limits.paddingBytesMax { throw failure(.delimiterMalformed) }
    }

    private mutating func beginHeaders() throws(MultipartFailure) {
        partCount += 1
        if partCount > limits.partsMax { throw failure(.tooManyParts) }
        state = .headers
        headers.clear()
        headersOffset = chunkOffset + at + 1
    }

    /// Gathers the header block up to its blank line, line by line.
    private mutating func readHeaders(_ chunk: RawSpan) throws(MultipartFailure) -> Event? {
        let rest = chunk.extracting(at..<chunk.byteCount)
        let newline = rest.withUnsafeBytes { bytes in
            memchr(bytes.baseAddress!, 0x0A, bytes.count).map { UnsafeRawPointer($0) - bytes.baseAddress! }
        }
        let taken = newline.map { $0 + 1 } ?? rest.byteCount
        let room = limits.headerBytesMax - headers.count
        if taken > room {
            at += room
            throw failure(.headersTooLarge)
        }
        headers.append(rest.extracting(0..<taken))
        at += taken
        guard newline != nil, Self.endsWithBlankLine(headers.bytes) else { return nil }
        part = try MultipartPart(
            headerBlock: headers.bytes.extracting(0..<headers.count - 2), at: headersOffset)
        state = .data
        matched = 2
        matchedBefore = 2
        partBytes = 0
        partBytesMax = part.isFile ? limits.fileBytesMax : limits.fieldBytesMax
        return .partBegan
    }

    /// Whether the last line is CRLF alone.
    private static func endsWithBlankLine(_ block: RawSpan) -> Bool {
        let count = block.byteCount
        if count == 2 { return block.equals("\r\n") }
        return count >= 4 && block.extracting(count - 3..<count).equals("\n\r\n")
    }
}
