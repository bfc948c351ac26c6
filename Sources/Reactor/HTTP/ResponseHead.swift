// Writes response heads into a ByteBuffer: status line, header lines, framing. Stateless, the buffer's thread.
// The caller decides what is sent; this knows how it is spelled. Values never carry a line break out: control bytes
// become spaces. Source: RFC 9112 sections 4 and 6, RFC 9110 section 5.5.

/// The spelling of a response head: `start`, any `field`s, one framing, `end`.
public enum ResponseHead {
    /// Appends the status line.
    public static func start(_ status: HTTPStatus, into buffer: inout ByteBuffer) {
        if let line = status.line {
            buffer.append(line)
        } else {
            precondition(status.code >= 100 && status.code <= 999, "a status of other than three digits")
            buffer.append("HTTP/1.1 ")
            buffer.append(decimal: status.code)
            buffer.append(" \r\n")  // the phrase may be empty, its space may not
        }
    }

    /// Appends a header line whose name and value are literals.
    @inlinable
    public static func field(_ name: StaticString, _ value: StaticString, into buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.append(": ")
        buffer.append(value)
        buffer.append("\r\n")
    }

    /// Appends a header line with a number.
    @inlinable
    public static func field(_ name: StaticString, decimal value: Int, into buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.append(": ")
        buffer.append(decimal: value)
        buffer.append("\r\n")
    }

    /// Appends a header line with a value from elsewhere; its control bytes become spaces.
    public static func field(_ name: StaticString, _ value: RawSpan, into buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.append(": ")
        let start = buffer.count
        buffer.append(value)
        for at in start..<buffer.count {
            let byte = buffer.bytes.byte(at: at)
            if (byte < 0x20 && byte != 0x09) || byte == 0x7F { buffer.set(bigEndian: UInt8(0x20), at: at) }
        }
        buffer.append("\r\n")
    }

    /// The same for a String.
    public static func field(_ name: StaticString, _ value: String, into buffer: inout ByteBuffer) {
        field(name, value.utf8Span.span.bytes, into: &buffer)
    }

    /// Appends the Content-Length of a body whose size is known.
    @inlinable
    public static func contentLength(_ byteCount: Int, into buffer: inout ByteBuffer) {
        field("Content-Length", decimal: byteCount, into: &buffer)
    }

    /// Where a Content-Length will be filled in. Counts from the buffer's head: nothing may be consumed in between.
    public struct LengthMark: Sendable {
        fileprivate let offset: Int
    }

    static var lengthDigits: Int { 10 }

    /// Appends a Content-Length with room for its digits; `setContentLength` fills them in once the body is written.
    public static func contentLengthLater(into buffer: inout ByteBuffer) -> LengthMark {
        buffer.append("Content-Length: ")
        let mark = LengthMark(offset: buffer.count)
        buffer.append("         0\r\n")  // blanks before a value mean nothing (RFC 9112 section 5.1)
        return mark
    }

    /// - Parameter byteCount: 0 to 9,999,999,999.
    public static func setContentLength(_ byteCount: Int, at mark: LengthMark, in buffer: inout ByteBuffer) {
        precondition(byteCount >= 0 && byteCount < 10_000_000_000, "a body beyond ten digits")
        var rest = byteCount
        var at = mark.offset + lengthDigits - 1
        repeat {
            buffer.set(bigEndian: UInt8(0x30 + rest % 10), at: at)
            rest /= 10
            at -= 1
        } while rest > 0
    }

    /// Appends the framing of a body whose size is not known: follow with `ChunkedWriter`. Not for HTTP/1.0 clients.
    public static func chunked(into buffer: inout ByteBuffer) {
        buffer.append("Transfer-Encoding: chunked\r\n")
    }

    /// Appends what the client must know about the connection: nothing where it stays open in HTTP/1.1.
    public static func connection(keepAlive: Bool, version: HTTPVersion, into buffer: inout ByteBuffer) {
        if !keepAlive {
            buffer.append("Connection: close\r\n")
        } else if version == .http10 {
            buffer.append("Connection: keep-alive\r\n")
        }
    }

    /// Appends the blank line that ends the head.
    @inlinable
    public static func end(into buffer: inout ByteBuffer) { buffer.append("\r\n") }

    /// Appends the interim response that asks for the body.
    public static func continueExpected(into buffer: inout ByteBuffer) {
        buffer.append("HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Appends the whole head of a JSON answer of known size: the hot path's.
    /// - Parameter requestID: checked before, `[A-Za-z0-9._-]`.
    public static func json(
        _ status: HTTPStatus, bodyBytes: Int, requestID: RawSpan, date: inout HTTPDate, unixSeconds: Int,
        keepAlive: Bool, version: HTTPVersion, into buffer: inout ByteBuffer
    ) {
        start(status, into: &buffer)
        buffer.append("Content-Type: application/json\r\nX-Request-ID: ")
        buffer.append(requestID)
        buffer.append("\r\n")
        date.appendLine(unixSeconds: unixSeconds, to: &buffer)
        connection(keepAlive: keepAlive, version: version, into: &buffer)
        buffer.append("Content-Length: ")
        buffer.append(decimal: bodyBytes)
        buffer.append("\r\n\r\n")
    }
}

/// Writes the chunks of a streamed body. RFC 9112 section 7.1.
public enum ChunkedWriter {
    /// A chunk begun and not ended. Counts from the buffer's head: nothing may be consumed in between.
    public struct Mark: Sendable {
        fileprivate let offset: Int
    }

    /// Appends one chunk; nothing for no bytes, which would end the body.
    public static func append(_ data: RawSpan, to buffer: inout ByteBuffer) {
        if data.byteCount == 0 { return }
        let mark = begin(&buffer)
        buffer.append(data)
        end(mark, &buffer)
    }

    /// Leaves room for the size of a chunk whose data the caller appends next.
    public static func begin(_ buffer: inout ByteBuffer) -> Mark {
        let mark = Mark(offset: buffer.count)
        buffer.append("00000000\r\n")
        return mark
    }

    /// Fills in the size (below 4 GiB); a chunk that got no data is taken back.
    public static func end(_ mark: Mark, _ buffer: inout ByteBuffer) {
        let count = buffer.count - mark.offset - 10
        precondition(count >= 0 && count <= UInt32.max, "a chunk ended twice or beyond 4 GiB")
        if count == 0 {
            buffer.truncate(to: mark.offset)
            return
        }
        for index in 0..<8 {
            let digit = UInt8(truncatingIfNeeded: count >> (28 - 4 * index)) & 15
            let character = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            buffer.set(bigEndian: character, at: mark.offset + index)
        }
        buffer.append("\r\n")
    }

    /// Appends the last chunk, without trailers.
    public static func finish(_ buffer: inout ByteBuffer) { buffer.append("0\r\n\r\n") }
}
