// How response heads, dates and chunks are spelled.

import Reactor
import Testing

@Suite struct ResponseHeadTests {
    @Test func `every status of the contract has its phrase`() {
        for code in [
            100, 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 429, 431,
        ]
            + [500, 501, 502, 503, 504, 505]
        {
            var buffer = ByteBuffer()
            ResponseHead.start(HTTPStatus(code), into: &buffer)
            let line = buffer.bytes.string
            #expect(line.hasPrefix("HTTP/1.1 \(code) ") && line.hasSuffix("\r\n") && line.utf8.count > 15)
        }
        var buffer = ByteBuffer()
        ResponseHead.start(HTTPStatus(299), into: &buffer)
        #expect(buffer.bytes.string == "HTTP/1.1 299 \r\n")
    }

    @Test func `the JSON head is complete`() {
        var buffer = ByteBuffer()
        var date = HTTPDate()
        ResponseHead.json(
            .ok, bodyBytes: 12, requestID: "req_1".utf8Span.span.bytes, date: &date, unixSeconds: 784_111_777,
            keepAlive: true, version: .http10, into: &buffer)
        #expect(
            buffer.bytes.string == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-ID: req_1\r\n"
                + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\nContent-Length: 12\r\n\r\n")
    }

    @Test func `a value from elsewhere cannot break out of its line, RFC 9110 section 5_5`() {
        var buffer = ByteBuffer()
        ResponseHead.field("X-A", "a\r\nSet-Cookie: b\u{00}\u{7F}\tc", into: &buffer)
        #expect(buffer.bytes.string == "X-A: a  Set-Cookie: b  \tc\r\n")
    }

    @Test(arguments: [0, 7, 4096, 9_999_999_999])
    func `a length filled in later reads as that number`(_ count: Int) {
        var buffer = ByteBuffer()
        buffer.append("before ")
        let mark = ResponseHead.contentLengthLater(into: &buffer)
        ResponseHead.end(into: &buffer)
        ResponseHead.setContentLength(count, at: mark, in: &buffer)
        let value = buffer.bytes.string.dropFirst("before Content-Length: ".count).dropLast(2)  // two line ends
        #expect(value.count == 10 && Int(value.drop { $0 == " " }) == count)
    }

    @Test func `only what differs from the default is said of the connection`() {
        func line(_ keepAlive: Bool, _ version: HTTPVersion) -> String {
            var buffer = ByteBuffer()
            ResponseHead.connection(keepAlive: keepAlive, version: version, into: &buffer)
            return buffer.bytes.string
        }
        #expect(line(true, .http11) == "" && line(false, .http11) == "Connection: close\r\n")
        #expect(line(true, .http10) == "Connection: keep-alive\r\n" && line(false, .http10) == "Connection: close\r\n")
    }

    @Test func `chunks written decode to what was written, an empty one ends nothing`() throws {
        var buffer = ByteBuffer()
        ChunkedWriter.append("hello ".utf8Span.span.bytes, to: &buffer)
        ChunkedWriter.append("".utf8Span.span.bytes, to: &buffer)
        let empty = ChunkedWriter.begin(&buffer)
        ChunkedWriter.end(empty, &buffer)
        let mark = ChunkedWriter.begin(&buffer)
        buffer.append(String(repeating: "w", count: 300))
        ChunkedWriter.end(mark, &buffer)
        ChunkedWriter.finish(&buffer)
        #expect(buffer.bytes.string.hasPrefix("00000006\r\nhello \r\n0000012c\r\nwww"))

        var decoder = ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: 306))
        var (offset, body) = (0, "")
        while case .data(let range) = try decoder.next(buffer.bytes, from: &offset) {
            body += buffer.bytes.slice(range).string
        }
        let count = buffer.count
        #expect(decoder.isDone && offset == count && body == "hello " + String(repeating: "w", count: 300))
    }
}

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func `a date is an IMF-fixdate, RFC 9110 section 5_6_7`(_ seconds: Int, _ text: String) {
        var date = HTTPDate()
        var buffer = ByteBuffer()
        date.append(unixSeconds: seconds, to: &buffer)
        #expect(buffer.bytes.string == text)
        buffer.clear()
        date.appendLine(unixSeconds: seconds, to: &buffer)
        #expect(buffer.bytes.string == "Date: \(text)\r\n")
    }

    @Test func `the cached line follows the clock, backwards too`() {
        var date = HTTPDate()
        var buffer = ByteBuffer()
        for seconds in [59, 60, 59] { date.append(unixSeconds: seconds, to: &buffer) }
        #expect(buffer.bytes.string.contains("00:00:59 GMTThu, 01 Jan 1970 00:01:00 GMTThu, 01 Jan 1970 00:00:59"))
    }
}
