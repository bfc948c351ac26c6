// Writes JSON into a ByteBuffer, commas included. One Bool of state, no allocation beyond the buffer's own growth.
// Nesting is the caller's to get right: what is opened is closed.

import CReactor

public struct JSONWriter: Sendable {
    /// Whether the next element or member has one before it.
    @usableFromInline var needsComma = false

    public init() {}

    @inlinable
    public mutating func openObject(_ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "{"))
        needsComma = false
    }

    @inlinable
    public mutating func closeObject(_ out: inout ByteBuffer) {
        out.append(UInt8(ascii: "}"))
        needsComma = true
    }

    @inlinable
    public mutating func openArray(_ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "["))
        needsComma = false
    }

    @inlinable
    public mutating func closeArray(_ out: inout ByteBuffer) {
        out.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// A member's name; its value comes next. A literal here needs no escapes.
    @inlinable
    public mutating func key(_ name: StaticString, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "\""))
        out.append(name)
        out.append("\":")
        needsComma = false
    }

    /// A member's name that is data.
    public mutating func key(text: RawSpan, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(jsonString: text)
        out.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A literal as a string; it must need no escapes.
    @inlinable
    public mutating func string(_ literal: StaticString, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "\""))
        out.append(literal)
        out.append(UInt8(ascii: "\""))
        needsComma = true
    }

    public mutating func string(_ text: RawSpan, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(jsonString: text)
        needsComma = true
    }

    public mutating func string(text: String, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(jsonString: text)
        needsComma = true
    }

    @inlinable
    /// An array of strings.
    public mutating func strings(_ texts: [String], _ out: inout ByteBuffer) {
        openArray(&out)
        for text in texts { string(text: text, &out) }
        closeArray(&out)
    }

    public mutating func number(_ value: Int, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(decimal: value)
        needsComma = true
    }

    /// Infinities and NaN, which JSON does not have, are written as null.
    public mutating func number(_ value: Double, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(jsonNumber: value)
        needsComma = true
    }

    @inlinable
    public mutating func bool(_ value: Bool, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(value ? "true" : "false")
        needsComma = true
    }

    @inlinable
    public mutating func null(_ out: inout ByteBuffer) {
        comma(&out)
        out.append("null")
        needsComma = true
    }

    public mutating func timestamp(_ value: Timestamp, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "\""))
        out.append(value)
        out.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// One value that is JSON already.
    @inlinable
    public mutating func raw(_ json: RawSpan, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(json)
        needsComma = true
    }

    /// A string of another JSON text, with its escapes as they were written.
    @inlinable
    public mutating func string(_ string: JSONString, from body: RawSpan, _ out: inout ByteBuffer) {
        comma(&out)
        out.append(UInt8(ascii: "\""))
        out.append(body.slice(string.range))
        out.append(UInt8(ascii: "\""))
        needsComma = true
    }

    @inlinable @inline(__always)
    mutating func comma(_ out: inout ByteBuffer) {
        if needsComma { out.append(UInt8(ascii: ",")) }
    }
}

extension ByteBuffer {
    /// Appends a JSON string with its quotes. What is not UTF-8 in `text` becomes U+FFFD.
    public mutating func append(jsonString text: RawSpan) {
        append(UInt8(ascii: "\""))
        text.withUnsafeBytes { appendEscaped(JSONScanner($0)) }
        append(UInt8(ascii: "\""))
    }

    public mutating func append(jsonString text: String) {
        var text = text
        append(UInt8(ascii: "\""))
        text.withUTF8 { appendEscaped(JSONScanner(UnsafeRawBufferPointer($0))) }
        append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaped(_ text: JSONScanner) {
        var at = 0
        while at < text.count {
            let plain = cr_json_string_stop(text.base + at, text.count - at)
            append(UnsafeRawBufferPointer(start: text.base + at, count: plain))
            at += plain
            if at == text.count { return }
            let next = text.byte(at)
            if next < 0x80 {
                appendEscape(next)
                at += 1
            } else {
                let length = text.characterLength(at)
                if length == 0 { append(utf8: 0xFFFD) }
                append(UnsafeRawBufferPointer(start: text.base + at, count: length))
                at += max(length, 1)
            }
        }
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case JSONByte.quote: append("\\\"")
        case JSONByte.backslash: append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        default:
            append("\\u00")
            append(UInt8(ascii: "0") + byte >> 4)
            append(byte & 15 < 10 ? UInt8(ascii: "0") + byte & 15 : UInt8(ascii: "a") + byte & 15 - 10)
        }
    }

    /// Appends the shortest decimal that reads back as `value`; null where it is not finite.
    public mutating func append(jsonNumber value: Double) {
        guard value.isFinite else { return append("null") }
        withRoom(32) { room in Int(cr_json_double(room.baseAddress!.assumingMemoryBound(to: CChar.self), value)) }
    }
}
