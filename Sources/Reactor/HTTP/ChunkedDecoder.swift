// Decodes a chunked body as it arrives: yields slices of the input, copies nothing, stops at the exact end.
// A value per body, owned by its connection's reactor. Strict: CRLF only, no bare CR or LF, no blanks inside a size.
// Limits: ChunkLimits. Trailers are checked and dropped: nothing in the contract lets a sender use one, so a forbidden
// field in a trailer (RFC 9110 section 6.5.1) can do no harm. Source: RFC 9112 section 7.1.

import CReactor

/// The bounds of one chunked body.
public struct ChunkLimits: Sendable {
    /// Bytes of data in all chunks together: beyond is a 413, thrown when a size announces it.
    public var bodyBytesMax: Int
    /// Bytes of extensions in all chunks together.
    public var extensionBytesMax: Int
    /// Bytes and lines of the trailer section.
    public var trailerBytesMax: Int
    public var trailerCountMax: Int

    public init(
        bodyBytesMax: Int, extensionBytesMax: Int = 4096, trailerBytesMax: Int = 8192, trailerCountMax: Int = 100
    ) {
        precondition(bodyBytesMax >= 0 && extensionBytesMax >= 0, "a chunk limit below zero")
        precondition(trailerBytesMax >= 0 && trailerCountMax >= 0, "a trailer limit below zero")
        self.bodyBytesMax = bodyBytesMax
        self.extensionBytesMax = extensionBytesMax
        self.trailerBytesMax = trailerBytesMax
        self.trailerCountMax = trailerCountMax
    }
}

/// The state of one chunked body.
///
///     size ─► extension ─► CR LF ─► data ─► CR LF ─► size …
///       └── 0 ─► CR LF ─► (trailer line CR LF)* ─► CR LF ─► done
public struct ChunkedDecoder: Sendable {
    public enum Step: Equatable, Sendable {
        /// These bytes of the input are body.
        case data(ByteRange)
        /// All of the input was used and the body goes on.
        case more
        /// The body is complete; the input from `offset` on belongs to the next request.
        case end
    }

    private enum State: UInt8, Sendable {
        case sizeStart, size, blankAfterSize, extensions, sizeLF
        case data, dataCR, dataLF
        case trailerStart, trailerName, trailerValue, trailerLF, endLF, done
    }

    /// Digits of one chunk size; sixteen hold any 64-bit number.
    static var sizeDigitsMax: Int { 16 }

    private let limits: ChunkLimits
    private var state = State.sizeStart
    private var chunkRest = 0
    private var digitCount = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerCount = 0
    private var passedBytes = 0

    /// Bytes of data yielded or announced so far.
    public private(set) var bodyBytes = 0

    public init(limits: ChunkLimits) { self.limits = limits }

    public var isDone: Bool { state == .done }

    /// Takes the next step through `bytes`.
    /// - Parameter offset: where to go on; moves past what was used. Call again from there until `.more` or `.end`.
    /// - Throws: what to answer before closing; `atByte` counts from the start of the chunked body.
    public mutating func next(_ bytes: RawSpan, from offset: inout Int) throws(HTTPFailure) -> Step {
        let start = offset
        defer { passedBytes += offset - start }
        while state != .done {
            guard offset < bytes.byteCount else { return .more }
            if state == .data {
                let count = min(chunkRest, bytes.byteCount - offset)
                let range = ByteRange(offset: offset, count: count)
                offset += count
                chunkRest -= count
                if chunkRest == 0 { state = .dataCR }
                return .data(range)
            }
            let byte = bytes.byte(at: offset)
            if let reason = state.rawValue < State.trailerStart.rawValue ? frame(byte) : trailer(byte) {
                throw HTTPFailure(reason, atByte: passedBytes + offset - start)
            }
            offset += 1
        }
        return .end
    }

    /// One byte of a size line or of the CRLF after data; returns what is wrong with it.
    private mutating func frame(_ byte: UInt8) -> HTTPFailure.Reason? {
        switch state {
        case .sizeStart, .size:
            if let digit = Self.hexDigit(byte) { return add(digit) }
            guard state == .size else { return .chunkSizeInvalid }
            return endSize(byte)
        case .blankAfterSize:
            if byte == UInt8(ascii: ";") {
                state = .extensions
            } else if !Self.isBlank(byte) {
                return .chunkSizeInvalid
            }
            return countExtension()
        case .extensions:
            if byte == 0x0D {
                state = .sizeLF
                return nil
            }
            if (byte < 0x20 && byte != 0x09) || byte == 0x7F { return .chunkExtensionInvalid }
            return countExtension()
        case .sizeLF:
            guard byte == 0x0A else { return .chunkSizeInvalid }
            state = chunkRest == 0 ? .trailerStart : .data
        case .dataCR:
            guard byte == 0x0D else { return .chunkUnterminated }
            state = .dataLF
        case .dataLF:
            guard byte == 0x0A else { return .chunkUnterminated }
            state = .sizeStart
            digitCount = 0
        default: preconditionFailure("a trailer state in the framing")
        }
        return nil
    }

    private mutating func add(_ digit: Int) -> HTTPFailure.Reason? {
        state = .size
        digitCount += 1
        guard digitCount <= Self.sizeDigitsMax, chunkRest <= Int.max >> 4 else { return .chunkSizeInvalid }
        chunkRest = chunkRest << 4 | digit
        return nil
    }

    /// The byte after the last digit of a size.
    private mutating func endSize(_ byte: UInt8) -> HTTPFailure.Reason? {
        switch byte {
        case 0x0D: state = .sizeLF
        case UInt8(ascii: ";"): state = .extensions
        case 0x20, 0x09: state = .blankAfterSize
        default: return .chunkSizeInvalid
        }
        guard chunkRest <= limits.bodyBytesMax - bodyBytes else { return .bodyTooLarge }
        bodyBytes += chunkRest
        return byte == 0x0D ? nil : countExtension()
    }

    private mutating func countExtension() -> HTTPFailure.Reason? {
        extensionBytes += 1
        return extensionBytes > limits.extensionBytesMax ? .chunkExtensionTooLong : nil
    }

    /// One byte of the trailer section; returns what is wrong with it.
    private mutating func trailer(_ byte: UInt8) -> HTTPFailure.Reason? {
        if state != .endLF, !(state == .trailerStart && byte == 0x0D) {
            trailerBytes += 1
            guard trailerBytes <= limits.trailerBytesMax else { return .trailersTooLarge }
        }
        switch state {
        case .trailerStart:
            if byte == 0x0D {
                state = .endLF
                return nil
            }
            guard Self.isToken(byte) else { return .trailerInvalid }
            trailerCount += 1
            guard trailerCount <= limits.trailerCountMax else { return .trailersTooLarge }
            state = .trailerName
        case .trailerName:
            if byte == UInt8(ascii: ":") {
                state = .trailerValue
            } else if !Self.isToken(byte) {
                return .trailerInvalid
            }
        case .trailerValue:
            if byte == 0x0D {
                state = .trailerLF
            } else if (byte < 0x20 && byte != 0x09) || byte == 0x7F {
                return .trailerInvalid
            }
        case .trailerLF:
            guard byte == 0x0A else { return .trailerInvalid }
            state = .trailerStart
        case .endLF:
            guard byte == 0x0A else { return .trailerInvalid }
            state = .done
        default: preconditionFailure("a framing state in the trailers")
        }
        return nil
    }

    static func hexDigit(_ byte: UInt8) -> Int? {
        if byte &- 0x30 < 10 { return Int(byte &- 0x30) }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 && byte >= 0x41 ? Int(letter) + 10 : nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isToken(_ byte: UInt8) -> Bool {
        cr_http_is(byte, UInt8(truncatingIfNeeded: CR_HTTP_TOKEN)) != 0
    }
}
