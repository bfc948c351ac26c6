// A string of a JSON text as it lies there, between its quotes, and how to get the text it means.
// Plain data: a range into bytes that the holder knows.

import CReactor

public struct JSONString: Sendable {
    /// Without the quotes, escapes as they were written.
    public var range: ByteRange
    public var hasEscapes: Bool
    public var problem: JSONStorageProblem

    @usableFromInline
    init(_ range: ByteRange, _ findings: JSONFindings) {
        self.range = range
        hasEscapes = findings.hasEscapes
        problem = findings.problem
    }

    /// The empty string.
    public init() {
        range = .empty
        hasEscapes = false
        problem = .none
    }

    @inlinable public var isEmpty: Bool { range.isEmpty }

    /// Bytes of UTF-8 that the text takes, in `body`, where the string lies.
    @inlinable
    public func textByteCount(in body: RawSpan) -> Int {
        hasEscapes ? unescapedByteCount(in: body) : Int(range.count)
    }

    @usableFromInline @inline(never)
    func unescapedByteCount(in body: RawSpan) -> Int {
        var text = ByteBuffer(capacity: Int(range.count))
        text.append(self, from: body)
        return text.count
    }

    /// Whether the text is `literal` (ASCII).
    public func equals(_ literal: StaticString, in body: RawSpan) -> Bool {
        guard hasEscapes else { return body.slice(range).equals(literal) }
        var text = ByteBuffer(capacity: Int(range.count))
        text.append(self, from: body)
        return text.bytes.equals(literal)
    }
}

extension ByteBuffer {
    /// Appends the text that `string` of `body` means, escapes resolved. A lone surrogate, which no UTF-8 can hold,
    /// becomes U+FFFD.
    public mutating func append(_ string: JSONString, from body: RawSpan) {
        guard string.hasEscapes else { return append(body.slice(string.range)) }
        body.withUnsafeBytes { JSONScanner($0).appendUnescaped(string.range, to: &self) }
    }
}

extension JSONScanner {
    /// Appends a validated string's text.
    func appendUnescaped(_ range: ByteRange, to out: inout ByteBuffer) {
        precondition(range.end <= count, "range outside the bytes")
        // Escapes never make a text longer.
        out.reserve(Int(range.count))
        var at = Int(range.offset)
        while at < range.end {
            let plain = memchr(base + at, Int32(JSONByte.backslash), range.end - at)
            let stop = plain.map { UnsafeRawPointer($0) - base } ?? range.end
            out.append(UnsafeRawBufferPointer(start: base + at, count: stop - at))
            at = stop
            if at < range.end { at = appendEscape(at, to: &out) }
        }
    }

    /// - Returns: index after the escape (two of them where they are a surrogate pair).
    private func appendEscape(_ at: Int, to out: inout ByteBuffer) -> Int {
        switch byte(at + 1) {
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            guard let high = codeUnit(at) else { preconditionFailure("the string was not validated") }
            if high & 0xFC00 == 0xD800, let low = codeUnit(at + 6), low & 0xFC00 == 0xDC00 {
                out.append(utf8: 0x10000 + (UInt32(high & 0x3FF) << 10 | UInt32(low & 0x3FF)))
                return at + 12
            }
            out.append(utf8: high & 0xF800 == 0xD800 ? 0xFFFD : UInt32(high))
            return at + 6
        case let other: out.append(other)
        }
        return at + 2
    }
}

extension ByteBuffer {
    /// Appends the UTF-8 of a code point that is no surrogate.
    mutating func append(utf8 point: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (point >> shift & 0x3F)) }
        switch point {
        case ..<0x80:
            append(UInt8(truncatingIfNeeded: point))
        case ..<0x800:
            append(UInt8(truncatingIfNeeded: 0xC0 | point >> 6))
            append(tail(0))
        case ..<0x10000:
            append(UInt8(truncatingIfNeeded: 0xE0 | point >> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(UInt8(truncatingIfNeeded: 0xF0 | point >> 18))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }
}
