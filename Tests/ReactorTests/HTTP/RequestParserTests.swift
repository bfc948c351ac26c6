// What a well-formed request head means, and every rule that refuses one. Sections cited are RFC 9112's unless named.

import Reactor
import Testing

@Suite struct RequestParserTests {
    static let worker = """
        POST /internal/heartbeat?kind=parcel HTTP/1.1\r
        Host: gateway.internal:8081\r
        User-Agent: python-requests/2.31.0\r
        Accept-Encoding: gzip, deflate\r
        X-Worker-ID: worker-17:a\r
        X-Worker-Token:   secret \t\r
        X-Custom: a:b:c\r
        Content-Type: application/json\r
        Content-Length: 12\r
        \r

        """

    @Test func `a head gives its method, target, version, headers and length`() throws {
        let head = try #require(verdict(of: Self.worker + "{\"a\":1}").head)
        #expect(head.method == .post && head.methodName == "POST" && head.version == .http11)
        #expect(head.target == "/internal/heartbeat?kind=parcel")
        #expect(head.path == "/internal/heartbeat" && head.query == "kind=parcel")
        #expect(head.authority == "gateway.internal:8081")
        #expect(head.framing == .length(12) && head.keepAlive && !head.expectsContinue)
        #expect(head.byteCount == Self.worker.utf8.count)
        #expect(head.fields.count == 8 && head.fields[5] == "X-Custom: a:b:c")
        #expect(head[.xWorkerID] == "worker-17:a" && head[.xWorkerToken] == "secret")
        #expect(head[.contentType] == "application/json" && head[.xOpsToken] == nil)
    }

    @Test func `every known header is found in lower, upper and mixed case, at the end of the bytes too`() throws {
        #expect(KnownHeader.allCases.count == 27)
        for header in KnownHeader.allCases where ![.host, .contentLength, .transferEncoding].contains(header) {
            let name = "\(header.name)"
            let value = header == .expect ? "100-continue" : "v"
            for spelling in [name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst()] {
                for padding in ["", "Zzzzzzzzzzzzzzzzzzzzzzzzzzzzz: zzzzzzzzzz\r\n"] {
                    let text = "GET / HTTP/1.1\r\nHost: h\r\n\(spelling): \(value)\r\n\(padding)\r\n"
                    #expect(verdict(of: text).head?[header] == value, "\(spelling)")
                }
            }
            let near = name.dropLast() + (name.hasSuffix("x") ? "y" : "x")
            #expect(verdict(of: "GET / HTTP/1.1\r\nHost: h\r\n\(near): v\r\n\r\n").head?[header] == .some(nil))
        }
    }

    @Test func `other headers are found without regard to case, in order, repeated ones too`() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-b: 2\r\nX-a: 3\r\n\r\n"
        try GuardedBytes(Array(text.utf8)).withSpan { span in
            var table = HeaderTable(capacity: 10)
            var progress = HeadProgress()
            let head = try RequestParser.parse(span, limits: HeadLimits(), progress: &progress, into: &table)
            #expect(head?.method == .get)
            let found = table.firstIndex(of: "x-a", in: span)
            let first = try #require(found)
            let value = span.slice(table[first].value).string
            let second = table.firstIndex(of: "x-a", in: span, from: first + 1)
            let missing = table.firstIndex(of: "x-c", in: span)
            #expect(first == 1 && value == "1" && second == 3 && missing == nil)
        }
    }

    @Test func `a repeated known header is told and its first value kept`() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nX-Worker-ID: a\r\nX-Worker-ID: b\r\n\r\n"
        try GuardedBytes(Array(text.utf8)).withSpan { span in
            var table = HeaderTable()
            var progress = HeadProgress()
            let parsed = try RequestParser.parse(span, limits: HeadLimits(), progress: &progress, into: &table)
            let (workerIDs, hosts) = (table.isRepeated(.xWorkerID), table.isRepeated(.host))
            #expect(parsed != nil && workerIDs && !hosts)
            let found = table[.xWorkerID]
            let workerID = try #require(found)
            let value = span.slice(workerID).string
            #expect(value == "a")
        }
    }

    @Test func `an empty value is there and empty`() {
        let head = verdict(of: "GET / HTTP/1.1\r\nHost: h\r\nOrigin:\r\nX-Worker-ID: \t \r\n\r\n").head
        #expect(head?[.origin] == "" && head?[.xWorkerID] == "" && head?[.accept] == .some(nil))
    }

    @Test(arguments: [
        ("GET", HTTPMethod.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
        ("OPTIONS", .options), ("PATCH", .patch), ("TRACE", .trace), ("get", .other), ("PROPFIND", .other),
        ("M-SEARCH", .other), ("GETX", .other),
    ])
    func `a method is recognised by its exact name, RFC 9110 section 9.1`(_ name: String, _ method: HTTPMethod) {
        let head = verdict(of: "\(name) / HTTP/1.1\r\nHost: h\r\n\r\n").head
        #expect(head?.method == method && head?.methodName == name)
    }

    @Test(arguments: [
        ("GET /a%20b?x=1?y HTTP/1.1", "/a%20b", "x=1?y", "h"),
        ("GET /? HTTP/1.1", "/", "", "h"),
        ("GET //x HTTP/1.1", "//x", "", "h"),
        ("GET http://other:80/p?q HTTP/1.1", "/p", "q", "other:80"),
        ("GET HTTP://other HTTP/1.1", "", "", "other"),
        ("GET https://[::1]:8081/p HTTP/1.1", "/p", "", "[::1]:8081"),
        ("GET http://other?q=/ HTTP/1.1", "", "q=/", "other"),
        ("OPTIONS * HTTP/1.1", "*", "", "h"),
    ])
    func `origin form, absolute form and the asterisk are targets, section 3.2`(
        _ line: String, _ path: String, _ query: String, _ authority: String
    ) {
        let head = verdict(of: "\(line)\r\nHost: h\r\n\r\n").head
        #expect(head?.path == path && head?.query == query && head?.authority == authority)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: h\r\n", true), ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n", false),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n", false),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n", false),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n", true), ("GET / HTTP/1.0\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: , Keep-Alive\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n", false), ("GET / HTTP/1.7\r\nHost: h\r\n", true),
    ])
    func `HTTP 1_1 persists unless closed, HTTP 1_0 only when asked, section 9_3`(_ text: String, _ stays: Bool) {
        #expect(verdict(of: text + "\r\n").head?.keepAlive == stays)
    }

    @Test func `100-continue is expected only by HTTP 1_1 with a body, RFC 9110 section 10_1_1`() {
        let expect = "Host: h\r\nExpect: 100-Continue\r\n"
        #expect(verdict(of: "PUT / HTTP/1.1\r\n\(expect)Content-Length: 5\r\n\r\n").head?.expectsContinue == true)
        #expect(
            verdict(of: "PUT / HTTP/1.1\r\n\(expect)Transfer-Encoding: chunked\r\n\r\n").head?.expectsContinue == true)
        #expect(verdict(of: "PUT / HTTP/1.1\r\n\(expect)Content-Length: 0\r\n\r\n").head?.expectsContinue == false)
        #expect(verdict(of: "PUT / HTTP/1.0\r\n\(expect)Content-Length: 5\r\n\r\n").head?.expectsContinue == false)
    }

    @Test func `a body is framed by its length, by chunks, or is none, section 6_3`() {
        func framing(_ lines: String) -> BodyFraming? {
            verdict(of: "POST / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n").head?.framing
        }
        #expect(framing("") == BodyFraming.none)
        #expect(framing("Content-Length: 0\r\n") == .length(0))
        #expect(framing("Content-Length: 00012\r\n") == .length(12))
        #expect(framing("Content-Length: 9223372036854775807\r\n") == .length(Int.max))
        #expect(framing("Transfer-Encoding: Chunked\r\n") == .chunked)
    }

    @Test func `one empty line before the request is forgiven, two are not, section 2_2`() {
        let head = verdict(of: "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nrest").head
        #expect(head?.path == "/" && head?.byteCount == 29)
        #expect(verdict(of: "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").reason == .requestLineMalformed)
    }

    @Test func `limits of target, header block and header count hold to the byte`() {
        let limits = HeadLimits(uriBytesMax: 9, headerBytesMax: 30, headerCountMax: 3)
        #expect(verdict(of: "GET /23456789a HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits).reason == .targetTooLong)
        #expect(verdict(of: "GET /23456789a", limits: limits).failure?.status == .uriTooLong)
        #expect(verdict(of: "GET /23456789 HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits).head != nil)
        #expect(verdict(of: "GET /?3456789 HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits).head != nil)
        #expect(verdict(of: "GET /?3456?89a HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits).reason == .targetTooLong)

        func block(_ value: String) -> Verdict {
            verdict(of: "GET / HTTP/1.1\r\nHost: h\r\nA: \(value)\r\n\r\n", limits: limits)
        }
        #expect(block(String(repeating: "v", count: 14)).head != nil)
        #expect(block(String(repeating: "v", count: 15)).failure?.status == .headersTooLarge)
        #expect(block(String(repeating: "v", count: 500)).reason == .headersTooLarge)

        func lines(_ count: Int) -> Verdict {
            verdict(
                of: "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "A:\r\n", count: count) + "\r\n", limits: limits
            )
        }
        #expect(lines(2).head?.fields.count == 3)
        #expect(lines(3).reason == .headersTooMany && lines(3).failure?.status == .headersTooLarge)
    }

    @Test func `the default limits are those of the contract`() {
        let hundred = String(repeating: "A: b\r\n", count: 99)
        #expect(verdict(of: "GET / HTTP/1.1\r\nHost: h\r\n\(hundred)\r\n").head?.fields.count == 100)
        #expect(verdict(of: "GET / HTTP/1.1\r\nHost: h\r\n\(hundred)A: b\r\n\r\n").reason == .headersTooMany)
        let uri = "/" + String(repeating: "u", count: 8191)
        #expect(verdict(of: "GET \(uri) HTTP/1.1\r\nHost: h\r\n\r\n").head?.path == uri)
        #expect(verdict(of: "GET \(uri)u HTTP/1.1\r\nHost: h\r\n\r\n").failure?.status == .uriTooLong)
        let value = String(repeating: "v", count: 16384 - 9 - 5 - 2)
        #expect(verdict(of: "GET / HTTP/1.1\r\nHost: h\r\nA: \(value)\r\n\r\n").head != nil)
        #expect(verdict(of: "GET / HTTP/1.1\r\nHost: h\r\nA: \(value)v\r\n\r\n").reason == .headersTooLarge)
    }

    @Test func `a failure tells its code and the byte at fault`() {
        let failure = verdict(of: "GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n").failure
        #expect(failure == HTTPFailure(.fieldNameInvalid, atByte: 28))
        var message = ByteBuffer()
        failure?.appendMessage(to: &message)
        #expect(message.bytes.string == "invalid header name at byte 28")
        for reason in HTTPFailure.Reason.allCases {
            let failure = HTTPFailure(reason, atByte: 7)
            #expect(failure.status.code >= 400 && failure.description.hasSuffix(" at byte 7"))
            #expect((failure.status == .badRequest) == ("\(failure.code)" == "INVALID_REQUEST"))
        }
    }
}
