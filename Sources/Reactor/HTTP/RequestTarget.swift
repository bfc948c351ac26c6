// Reading the parts of a request target: path segments, query items, percent-encoding, the ids of the contract.
// Stateless; any thread. Decoding is strict: a bad escape, an encoded NUL or invalid UTF-8 is refused (400).
// Limits: those of the target it reads. Source: RFC 3986 sections 2 and 3; HTML's form encoding for `+` in queries.

import CReactor

/// One `name=value` of a query, still encoded; a name without `=` has an empty value.
public struct QueryItem: Equatable, Sendable {
    public var name: ByteRange
    public var value: ByteRange
}

/// The items of a query in the order they came, repeated names included; empty ones (`&&`) are skipped.
public struct QueryItems: Sendable {
    private var rest: ByteRange

    public init(_ query: ByteRange) { rest = query }

    public mutating func next(in bytes: RawSpan) -> QueryItem? {
        while !rest.isEmpty {
            let start = Int(rest.offset)
            let end = rest.end
            var equals = -1
            var at = start
            while at < end {
                let byte = bytes.byte(at: at)
                if byte == UInt8(ascii: "&") { break }
                if byte == UInt8(ascii: "="), equals < 0 { equals = at }
                at += 1
            }
            rest = at < end ? ByteRange(offset: at + 1, count: end - at - 1) : .empty
            if at == start { continue }
            let nameEnd = equals < 0 ? at : equals
            let valueStart = equals < 0 ? at : equals + 1
            return QueryItem(
                name: ByteRange(offset: start, count: nameEnd - start),
                value: ByteRange(offset: valueStart, count: at - valueStart))
        }
        return nil
    }
}

/// The segments of a path between its slashes, still encoded. `/a//b/` gives `a`, ``, `b`, ``; `/` gives one empty.
public struct PathSegments: Sendable {
    private var rest: ByteRange
    private var isDone: Bool

    /// - Parameter path: starts with `/`, or is empty, which counts as `/`.
    public init(_ path: ByteRange) {
        isDone = false
        rest = path.isEmpty ? path : ByteRange(offset: Int(path.offset) + 1, count: Int(path.count) - 1)
    }

    public mutating func next(in bytes: RawSpan) -> ByteRange? {
        if isDone { return nil }
        let start = Int(rest.offset)
        var at = start
        while at < rest.end, bytes.byte(at: at) != UInt8(ascii: "/") { at += 1 }
        isDone = at == rest.end
        rest = isDone ? .empty : ByteRange(offset: at + 1, count: rest.end - at - 1)
        return ByteRange(offset: start, count: at - start)
    }
}

public enum RequestTarget {
    /// The first item of a query with that name, which may be percent-encoded; its value still encoded.
    public static func firstValue(of name: StaticString, in query: ByteRange, of bytes: RawSpan) -> ByteRange? {
        var items = QueryItems(query)
        while let item = items.next(in: bytes) {
            if isName(item.name, name, bytes) { return item.value }
        }
        return nil
    }

    /// Whether an encoded query name is `name` once decoded.
    public static func isName(_ encoded: ByteRange, _ name: StaticString, _ bytes: RawSpan) -> Bool {
        var at = Int(encoded.offset)
        var matched = 0
        while at < encoded.end {
            guard matched < name.utf8CodeUnitCount else { return false }
            var byte = bytes.byte(at: at)
            at += 1
            if byte == UInt8(ascii: "+") {
                byte = 0x20
            } else if byte == UInt8(ascii: "%") {
                guard let decoded = escape(bytes, at, encoded.end) else { return false }
                byte = decoded
                at += 2
            }
            // `matched` is below the literal's length.
            if name.utf8Start[matched] != byte { return false }
            matched += 1
        }
        return matched == name.utf8CodeUnitCount
    }

    /// Appends the decoded bytes of a path segment, or of a query's name or value.
    /// - Parameter plusIsSpace: true in queries.
    /// - Throws: `.escapeInvalid`, `.escapedNUL` or `.escapedUTF8Invalid`, `atByte` as `encoded` counts; then nothing
    ///   was appended.
    public static func decode(
        _ encoded: ByteRange, of bytes: RawSpan, plusIsSpace: Bool, into buffer: inout ByteBuffer
    ) throws(HTTPFailure) {
        let before = buffer.count
        var at = Int(encoded.offset)
        var sawHighByte = false
        buffer.reserve(Int(encoded.count))
        while at < encoded.end {
            var byte = bytes.byte(at: at)
            if byte == UInt8(ascii: "%") {
                guard let decoded = escape(bytes, at + 1, encoded.end), decoded != 0 else {
                    buffer.truncate(to: before)
                    let isNUL = escape(bytes, at + 1, encoded.end) == 0
                    throw HTTPFailure(isNUL ? .escapedNUL : .escapeInvalid, atByte: at)
                }
                byte = decoded
                at += 3
            } else {
                if plusIsSpace, byte == UInt8(ascii: "+") { byte = 0x20 }
                at += 1
            }
            if byte >= 0x80 { sawHighByte = true }
            buffer.append(byte)
        }
        if sawHighByte, !isUTF8(buffer.bytes.extracting(before..<buffer.count)) {
            buffer.truncate(to: before)
            throw HTTPFailure(.escapedUTF8Invalid, atByte: Int(encoded.offset))
        }
    }

    /// Appends bytes percent-encoded wherever they are not unreserved: fit for a segment, a query name or value.
    public static func encode(_ bytes: RawSpan, into buffer: inout ByteBuffer) {
        for at in 0..<bytes.byteCount {
            let byte = bytes.byte(at: at)
            if cr_http_is(byte, UInt8(truncatingIfNeeded: CR_HTTP_UNRESERVED)) != 0 {
                buffer.append(byte)
            } else {
                buffer.append(UInt8(ascii: "%"))
                buffer.append(upperHex(byte >> 4))
                buffer.append(upperHex(byte & 15))
            }
        }
    }

    /// 1 to 128 of `[A-Za-z0-9._-]`: a request id that is taken over.
    public static func isRequestID(_ text: RawSpan) -> Bool {
        isIdentifier(text, UInt8(truncatingIfNeeded: CR_HTTP_REQUEST_ID))
    }

    /// 1 to 128 of `[A-Za-z0-9._:-]`: a worker id.
    public static func isWorkerID(_ text: RawSpan) -> Bool {
        isIdentifier(text, UInt8(truncatingIfNeeded: CR_HTTP_WORKER_ID))
    }

    private static var identifierBytesMax: Int { 128 }

    private static func isIdentifier(_ text: RawSpan, _ characters: UInt8) -> Bool {
        guard text.byteCount > 0, text.byteCount <= identifierBytesMax else { return false }
        return text.withUnsafeBytes { raw in
            cr_http_run(raw.baseAddress!.assumingMemoryBound(to: UInt8.self), raw.count, characters) == raw.count
        }
    }

    private static func escape(_ bytes: RawSpan, _ at: Int, _ end: Int) -> UInt8? {
        guard at + 2 <= end, let high = ChunkedDecoder.hexDigit(bytes.byte(at: at)),
            let low = ChunkedDecoder.hexDigit(bytes.byte(at: at + 1))
        else { return nil }
        return UInt8(high << 4 | low)
    }

    private static func upperHex(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }

    static func isUTF8(_ text: RawSpan) -> Bool {
        text.withUnsafeBytes { raw in
            let bytes = Span(_unsafeElements: raw.assumingMemoryBound(to: UInt8.self))
            // The error says where; the caller names the whole text.
            return (try? UTF8Span(validating: bytes)) != nil
        }
    }
}
