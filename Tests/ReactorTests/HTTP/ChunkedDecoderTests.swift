// What a chunked body decodes to, from every split, and every rule that refuses one. Sections are RFC 9112's.

import Reactor
import Testing

private enum Decoded: Equatable {
    case body(String, consumed: Int)
    case more(String)
    case failure(HTTPFailure)

    var reason: HTTPFailure.Reason? { if case .failure(let failure) = self { failure.reason } else { nil } }
}

/// Feeds the pieces one after the other; `consumed` counts over all of them.
private func decode(_ pieces: [[UInt8]], limits: ChunkLimits = ChunkLimits(bodyBytesMax: 1000)) -> Decoded {
    var decoder = ChunkedDecoder(limits: limits)
    var body = ""
    var passed = 0
    do throws(HTTPFailure) {
        for piece in pieces {
            var offset = 0
            let isEnd = try GuardedBytes(piece).withSpan { span throws(HTTPFailure) -> Bool in
                while true {
                    switch try decoder.next(span, from: &offset) {
                    case .data(let range): body += span.slice(range).string
                    case .more: return false
                    case .end: return true
                    }
                }
            }
            passed += offset
            if isEnd { return .body(body, consumed: passed) }
        }
        return .more(body)
    } catch {
        return .failure(error)
    }
}

private func decode(_ text: String, limits: ChunkLimits = ChunkLimits(bodyBytesMax: 1000)) -> Decoded {
    decode([Array(text.utf8)], limits: limits)
}

@Suite struct ChunkedDecoderTests {
    static let full = "4\r\nWiki\r\n00A ; a=\"b\";c\r\n0123456789\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\nHost: h\r\n\r\n"

    @Test func `chunks, extensions and trailers decode, and the next request is left alone, section 7_1`() {
        let next = "GET / HTTP/1.1\r\n"
        #expect(decode(Self.full + next) == .body("Wiki0123456789!", consumed: Self.full.utf8.count))
        #expect(decode("0\r\n\r\n0\r\n\r\n") == .body("", consumed: 5))
    }

    @Test func `every split and every truncation gives the same body`() {
        let bytes = Array(Self.full.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(decode(pieces) == .body("Wiki0123456789!", consumed: bytes.count))
            }
            if first < bytes.count, case .more = decode([Array(bytes[..<first])]) { continue }
            #expect(first == bytes.count, "truncated at \(first)")
        }
    }

    @Test func `byte by byte is the same as at once`() {
        #expect(decode(Self.full.utf8.map { [$0] }) == .body("Wiki0123456789!", consumed: Self.full.utf8.count))
    }

    @Test(arguments: [
        ("\r\n", HTTPFailure.Reason.chunkSizeInvalid), ("g\r\n", .chunkSizeInvalid),
        ("0x4\r\nWiki\r\n", .chunkSizeInvalid),
        ("-1\r\n", .chunkSizeInvalid), ("+1\r\n", .chunkSizeInvalid), (" 4\r\n", .chunkSizeInvalid),
        ("4 4\r\n", .chunkSizeInvalid), ("4\n", .chunkSizeInvalid), ("4\rX", .chunkSizeInvalid),
        (";x\r\n", .chunkSizeInvalid),
        ("4 \r\nWiki\r\n", .chunkSizeInvalid), ("8000000000000000\r\n", .chunkSizeInvalid),
        ("FFFFFFFFFFFFFFFF\r\n", .chunkSizeInvalid), ("00000000000000001\r\n", .chunkSizeInvalid),
        ("@\r\n", .chunkSizeInvalid), ("G\r\n", .chunkSizeInvalid), ("4`\r\n", .chunkSizeInvalid),
        ("4;a\nWiki\r\n", .chunkExtensionInvalid), ("4;a\u{00}\r\n", .chunkExtensionInvalid),
        ("4;a\rX", .chunkSizeInvalid),
        ("4\r\nWikiX\r\n", .chunkUnterminated), ("4\r\nWiki\n", .chunkUnterminated),
        ("4\r\nWiki\rX", .chunkUnterminated),
        ("0\r\nX\r\n\r\n", .trailerInvalid), ("0\r\nX Y: z\r\n\r\n", .trailerInvalid),
        ("0\r\n: z\r\n", .trailerInvalid),
        ("0\r\nX: a\n", .trailerInvalid), ("0\r\nX: a\rb", .trailerInvalid), ("0\r\n X: a\r\n", .trailerInvalid),
        ("0\r\nX: \u{00}\r\n", .trailerInvalid), ("0\r\n\rX", .trailerInvalid), ("0\r\n\n", .trailerInvalid),
        ("3E9\r\n", .bodyTooLarge), ("3e8\r\n\(String(repeating: "x", count: 1000))\r\n1\r\n", .bodyTooLarge),
    ])
    func `a malformed chunk is refused, section 7_1`(_ text: String, _ reason: HTTPFailure.Reason) {
        #expect(decode(text).reason == reason)
    }

    @Test func `a size announces too large a body before its data comes`() {
        #expect(decode("3E9\r\n") == .failure(HTTPFailure(.bodyTooLarge, atByte: 3)))
        #expect(decode("3E8\r\n") == .more(""))
    }

    @Test func `the byte at fault counts over all pieces`() {
        let pieces = ["4\r\nWi", "ki\r", "X"].map { Array($0.utf8) }
        #expect(decode(pieces) == .failure(HTTPFailure(.chunkUnterminated, atByte: 8)))
    }

    @Test func `limits of extensions and trailers hold over the whole body`() {
        let limits = ChunkLimits(bodyBytesMax: 100, extensionBytesMax: 6, trailerBytesMax: 10, trailerCountMax: 2)
        #expect(decode("1;ab\r\nx\r\n1;cd\r\ny\r\n0\r\n\r\n", limits: limits) == .body("xy", consumed: 23))
        #expect(decode("1;ab\r\nx\r\n1;cde\r\n", limits: limits).reason == .chunkExtensionTooLong)
        #expect(decode("1   ;abc\r\n", limits: limits).reason == .chunkExtensionTooLong)
        #expect(decode("0\r\nA:b\r\nC:d\r\n\r\n", limits: limits) == .body("", consumed: 15))
        #expect(decode("0\r\nA:b\r\nC:de\r\n\r\n", limits: limits).reason == .trailersTooLarge)
        #expect(decode("0\r\nA:\r\nB:\r\nC:\r\n\r\n", limits: limits).reason == .trailersTooLarge)
    }
}
