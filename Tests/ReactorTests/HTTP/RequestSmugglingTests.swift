// Heads that two readers could understand differently, and heads that are no HTTP: each is refused, with its reason.
// Sections are RFC 9112's unless named; the shapes are those of the published request-smuggling corpora.

import Reactor
import Testing

private struct Refusal: CustomTestStringConvertible, Sendable {
    var lines: String
    var reason: HTTPFailure.Reason
    var testDescription: String { "\(lines.debugDescription) is \(reason)" }

    init(_ lines: String, _ reason: HTTPFailure.Reason) {
        self.lines = lines
        self.reason = reason
    }
}

@Suite struct RequestSmugglingTests {
    /// Lines after `POST / HTTP/1.1` and `Host: h`.
    private static let framing: [Refusal] = [
        // Section 6.1: CL.TE and TE.CL.
        Refusal("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", .lengthAndTransferEncoding),
        Refusal("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", .lengthAndTransferEncoding),
        Refusal("Content-Length: 6\r\nTransfer-Encoding: identity\r\n", .lengthAndTransferEncoding),
        Refusal("CONTENT-LENGTH: 6\r\nX: y\r\ntransfer-encoding: chunked\r\n", .lengthAndTransferEncoding),
        // Section 6.3: one length.
        Refusal("Content-Length: 6\r\nContent-Length: 7\r\n", .contentLengthRepeated),
        Refusal("Content-Length: 6\r\ncontent-length: 6\r\n", .contentLengthRepeated),
        Refusal("Content-Length: 6, 6\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 6,7\r\n", .contentLengthInvalid),
        Refusal("Content-Length: \r\n", .contentLengthInvalid),
        Refusal("Content-Length: +6\r\n", .contentLengthInvalid),
        Refusal("Content-Length: -6\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 0x6\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 6a\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 6 0\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 6.0\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 1e3\r\n", .contentLengthInvalid),
        Refusal("Content-Length: \u{0664}\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 9223372036854775808\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 18446744073709551617\r\n", .contentLengthInvalid),
        Refusal("Content-Length: 00000000000000000006\r\n", .contentLengthInvalid),
        // Section 6.1: TE.TE obfuscations.
        Refusal("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .transferEncodingRepeated),
        Refusal("Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", .transferEncodingRepeated),
        Refusal("Transfer-Encoding: xchunked\r\n", .transferEncodingUnknown),
        Refusal("Transfer-Encoding: gzip\r\n", .transferEncodingUnknown),
        Refusal("Transfer-Encoding: identity\r\n", .transferEncodingUnknown),
        Refusal("Transfer-Encoding: gzip, chunked\r\n", .transferEncodingUnknown),
        Refusal("Transfer-Encoding: chunked, gzip\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: chunked, chunked\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: chunked,\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: ,chunked\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: \r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: \"chunked\"\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: chunked;q=1\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: chunked chunked\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding: \u{0B}chunked\r\n", .controlCharacter),
        Refusal("Transfer-Encoding: chun\u{E9}ked\r\n", .transferEncodingMalformed),
        Refusal("Transfer-Encoding : chunked\r\n", .spaceBeforeColon),
        Refusal("Transfer-Encoding\t: chunked\r\n", .spaceBeforeColon),
        Refusal(" Transfer-Encoding: chunked\r\n", .foldedLine),
        Refusal("X: y\r\n Transfer-Encoding: chunked\r\n", .foldedLine),
        Refusal("Transfer-Encoding:\r\n chunked\r\n", .foldedLine),
        Refusal("Transfer-Encoding: chunked\r\n\t\r\n", .foldedLine),
        Refusal("Transfer-Encoding\u{00}: chunked\r\n", .controlCharacter),
        Refusal("X: y\rTransfer-Encoding: chunked\r\n", .bareCarriageReturn),
        Refusal("X: y\nTransfer-Encoding: chunked\r\n", .bareLineFeed),
        Refusal("X: y\n\rTransfer-Encoding: chunked\r\n", .bareLineFeed),
        Refusal("X: y\r\rTransfer-Encoding: chunked\r\n", .bareCarriageReturn),
        Refusal("X: y\r\r\n", .bareCarriageReturn),
        // RFC 9110 section 10.1.1.
        Refusal("Expect: 200-ok\r\n", .expectationUnknown),
        Refusal("Expect: \r\n", .expectationUnknown),
        Refusal("Expect: 100-continue\r\nExpect: 100-continue\r\n", .expectationUnknown),
    ]

    @Test(arguments: framing)
    private func `ambiguous framing is refused`(_ refusal: Refusal) {
        #expect(verdict(of: "POST / HTTP/1.1\r\nHost: h\r\n\(refusal.lines)\r\n").reason == refusal.reason)
    }

    /// RFC 9110 sections 5.1, 5.5 and 5.6.2, RFC 9112 section 5.
    private static let fields: [Refusal] = [
        Refusal(": v\r\n", .fieldNameInvalid), Refusal("A B: v\r\n", .fieldNameInvalid),
        Refusal("A(: v\r\n", .fieldNameInvalid), Refusal("A\u{E9}: v\r\n", .fieldNameInvalid),
        Refusal("\"A\": v\r\n", .fieldNameInvalid), Refusal("A/B: v\r\n", .fieldNameInvalid),
        Refusal("A[]: v\r\n", .fieldNameInvalid), Refusal("A@: v\r\n", .fieldNameInvalid),
        Refusal("no colon\r\n", .fieldWithoutColon), Refusal("x\r\n", .fieldWithoutColon),
        Refusal("A: v\r\n folded\r\n", .foldedLine), Refusal("A: v\r\n\tfolded: x\r\n", .foldedLine),
        Refusal("A: v\u{00}\r\n", .controlCharacter), Refusal("A: \u{01}v\r\n", .controlCharacter),
        Refusal("A: v\u{7F}\r\n", .controlCharacter), Refusal("A: \u{1B}[0m\r\n", .controlCharacter),
        Refusal("A\u{7F}: v\r\n", .controlCharacter), Refusal("A: v\r", .bareCarriageReturn),
        Refusal("A: v\n", .bareLineFeed), Refusal("\n", .bareLineFeed), Refusal("\rX", .bareCarriageReturn),
        Refusal("Content-Lengt\u{0D}: 5\r\n", .bareCarriageReturn), Refusal("Host: h\r\n", .hostRepeated),
        Refusal("host: other\r\n", .hostRepeated),
    ]

    @Test(arguments: fields)
    private func `a malformed header line is refused`(_ refusal: Refusal) {
        #expect(verdict(of: "POST / HTTP/1.1\r\nHost: h\r\n\(refusal.lines)\r\n").reason == refusal.reason)
    }

    @Test func `every byte that is not of a token is refused in a name, every control in a value`() {
        let tokens = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: ":") {
            let name = Array("GET / HTTP/1.1\r\nHost: h\r\na".utf8) + [byte] + Array("b: v\r\n\r\n".utf8)
            #expect((verdict(of: name).head != nil) == tokens.contains(byte), "byte \(byte) in a name")
            let value = Array("GET / HTTP/1.1\r\nHost: h\r\na: v".utf8) + [byte] + Array("w\r\n\r\n".utf8)
            let isText = byte == 9 || (byte >= 32 && byte != 127)
            #expect((verdict(of: value).head != nil) == isText, "byte \(byte) in a value")
            // OR 0x20 must not make a known name of something else.
            for at in 0..<14 {
                var known = Array("content-length".utf8)
                if known[at] | 0x20 == byte | 0x20 { continue }
                known[at] = byte
                let head = verdict(of: Array("GET / HTTP/1.1\r\nHost: h\r\n".utf8) + known + Array(": 5\r\n\r\n".utf8))
                    .head
                #expect(head?[.contentLength] == nil)
            }
        }
    }

    private static let lines: [Refusal] = [
        Refusal("GET  / HTTP/1.1", .targetCharacter), Refusal("GET /  HTTP/1.1", .versionMalformed),
        Refusal(" GET / HTTP/1.1", .requestLineMalformed), Refusal("GET\t/ HTTP/1.1", .requestLineMalformed),
        Refusal("GET", .requestLineMalformed), Refusal("G(T / HTTP/1.1", .requestLineMalformed),
        Refusal("\u{16}\u{03}\u{01}", .requestLineMalformed), Refusal("GET /", .versionMalformed),
        Refusal("GET / ", .versionMalformed), Refusal("GET / HTTP/1.1 ", .versionMalformed),
        Refusal("GET / http/1.1", .versionMalformed), Refusal("GET / HTTP/1", .versionMalformed),
        Refusal("GET / HTTP/1.", .versionMalformed), Refusal("GET / HTTP/11.1", .versionMalformed),
        Refusal("GET / HTTP/1.10", .versionMalformed), Refusal("GET / HTTPS/1.1", .versionMalformed),
        Refusal("GET / HTTP/a.b", .versionMalformed), Refusal("GET / HTTP/0.9", .versionUnsupported),
        Refusal("GET / HTTP/2.0", .versionUnsupported), Refusal("GET / HTTP/3.0", .versionUnsupported),
        Refusal("PRI * HTTP/2.0", .versionUnsupported), Refusal("GET * HTTP/1.1", .targetForm),
        Refusal("GET x HTTP/1.1", .targetForm), Refusal("GET ?q HTTP/1.1", .targetForm),
        Refusal("OPTIONS *? HTTP/1.1", .targetForm), Refusal("OPTIONS ** HTTP/1.1", .targetForm),
        Refusal("GET ftp://h/ HTTP/1.1", .targetForm), Refusal("GET http:///p HTTP/1.1", .targetForm),
        Refusal("GET http://u@h/ HTTP/1.1", .targetForm), Refusal("GET http:// HTTP/1.1", .targetForm),
        Refusal("GET h:80 HTTP/1.1", .targetForm), Refusal("CONNECT h:80 HTTP/1.1", .connectUnsupported),
        Refusal("CONNECT / HTTP/1.1", .connectUnsupported), Refusal("GET /#f HTTP/1.1", .targetCharacter),
        Refusal("GET /\u{E9} HTTP/1.1", .targetCharacter), Refusal("GET /\u{00} HTTP/1.1", .targetCharacter),
        Refusal("GET /\\ HTTP/1.1", .targetCharacter), Refusal("GET /<a> HTTP/1.1", .targetCharacter),
        Refusal("GET /?\" HTTP/1.1", .targetCharacter), Refusal("GET /\t HTTP/1.1", .targetCharacter),
        Refusal("GET / HTTP/1.1\n", .bareLineFeed), Refusal("GET / HTTP/1.1\rx", .bareCarriageReturn),
        Refusal("GET\n", .bareLineFeed), Refusal("GET /\n", .bareLineFeed), Refusal("\n", .bareLineFeed),
        Refusal("\rGET / HTTP/1.1", .bareCarriageReturn),
        Refusal(String(repeating: "M", count: 33) + " / HTTP/1.1", .methodTooLong),
    ]

    @Test(arguments: lines)
    private func `a request line that is not section 3 is refused`(_ refusal: Refusal) {
        #expect(verdict(of: "\(refusal.lines)\r\nHost: h\r\n\r\n").reason == refusal.reason)
    }

    @Test(arguments: [
        "", " ", "a b", "a/b", "u@h", "h:", "h:80a", "h:123456", "[::1", "[]", "::1", "[::1]x", "h%41", "h,h",
        "a\u{E9}",
        "http://h", "[g::1]", ":80", "h:80:80",
    ])
    func `a Host that is no host and port is refused, section 3_2`(_ host: String) {
        let isAllowed = ["h:", "h,h"].contains(host)
        let result = verdict(of: "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(isAllowed ? result.head != nil : result.reason == .hostInvalid)
    }

    @Test func `HTTP 1_1 needs a Host, HTTP 1_0 only must not repeat it, section 3_2`() {
        #expect(verdict(of: "GET / HTTP/1.1\r\n\r\n").reason == .hostMissing)
        #expect(verdict(of: "GET http://h/ HTTP/1.1\r\n\r\n").reason == .hostMissing)
        #expect(verdict(of: "GET / HTTP/1.0\r\n\r\n").head != nil)
        #expect(verdict(of: "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").reason == .hostRepeated)
    }

    @Test func `a transfer coding in HTTP 1_0 is refused, section 6_1`() {
        #expect(
            verdict(of: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").reason == .transferEncodingBeforeHTTP11
        )
    }

    @Test(arguments: [
        (HTTPFailure.Reason.transferEncodingUnknown, 501, "NOT_IMPLEMENTED"), (.targetTooLong, 414, "URI_TOO_LONG"),
        (.headersTooMany, 431, "HEADERS_TOO_LARGE"), (.versionUnsupported, 505, "HTTP_VERSION_NOT_SUPPORTED"),
        (.expectationUnknown, 417, "EXPECTATION_FAILED"), (.bodyTooLarge, 413, "PAYLOAD_TOO_LARGE"),
        (.lengthAndTransferEncoding, 400, "INVALID_REQUEST"),
    ])
    func `a refusal has the status and code of the contract`(
        _ reason: HTTPFailure.Reason, _ status: Int, _ code: String
    ) {
        let failure = HTTPFailure(reason, atByte: 0)
        #expect(failure.status.code == status && "\(failure.code)" == code)
    }
}
