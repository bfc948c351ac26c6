// What is not HTTP, not JSON or not a sound request: each sent over a socket, with what must come back and whether the
// connection goes on. Source: api.md sections 1, 2 and 6.

import TestSupport
import Testing

/// One request that must be refused.
struct Refusal: Sendable, CustomTestStringConvertible {
    var rule: String
    var bytes: [UInt8]
    var status: Int
    var code: String
    var details = ProblemDetails()
    /// The connection cannot be understood any further.
    var closes = false

    var testDescription: String { rule }

    private static let worker = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "refused")]

    /// A worker's request.
    static func request(
        _ rule: String, _ method: String, _ target: String, body: String? = nil, more: [(String, String)] = [],
        _ status: Int, _ code: String, _ details: ProblemDetails = ProblemDetails(), closes: Bool = false
    ) -> Refusal {
        Refusal(
            rule: rule, bytes: RawHTTP.request(method, target, headers: worker + more, body: body), status: status,
            code: code, details: details, closes: closes)
    }

    /// A body that is not JSON at the first place where `at` stands.
    static func notJSON(_ rule: String, _ target: String, _ body: String, at mark: String, says: String) -> Refusal {
        let offset = body.firstRange(of: mark).map { body.utf8.distance(from: body.startIndex, to: $0.lowerBound) }
        return .request(
            rule, "POST", target, body: body, 400, "INVALID_REQUEST",
            ProblemDetails(says: says, offset: offset ?? body.utf8.count))
    }

    static func raw(_ rule: String, _ text: String, _ status: Int, _ code: String, offset: Int? = nil) -> Refusal {
        Refusal(
            rule: rule, bytes: Array(text.utf8), status: status, code: code, details: ProblemDetails(offset: offset),
            closes: true)
    }

    /// Sends it on a connection of its own and checks all of the answer.
    func check(port: Int) throws {
        let http = try RawHTTP(port: port, timeoutSeconds: 30)
        try http.send(bytes)
        let response = try http.readResponse()
        try expectProblem(response, status, code, details)
        if closes {
            #expect(response.header("Connection") == "close")
            try http.expectClosed()
        } else {
            #expect(response.header("Connection") == nil)
            try http.expectKept()
        }
    }
}

@Suite struct RefusalTests {
    private static let notHTTP: [Refusal] = [
        .raw("a line without a target", "hello\r\n\r\n", 400, "INVALID_REQUEST", offset: 5),
        .raw("the start of a TLS handshake", "\u{16}\u{3}\u{1}\u{0}\u{1}\r\n\r\n", 400, "INVALID_REQUEST", offset: 0),
        .raw("no Host", "GET /health HTTP/1.1\r\n\r\n", 400, "INVALID_REQUEST"),
        .raw("two Hosts", "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "INVALID_REQUEST"),
        .raw("a line feed alone", "GET /health HTTP/1.1\nHost: a\n\n", 400, "INVALID_REQUEST"),
        .raw("a header without a colon", "GET /health HTTP/1.1\r\nHost a\r\n\r\n", 400, "INVALID_REQUEST"),
        .raw(
            "two framings", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
            400, "INVALID_REQUEST"),
        .raw(
            "a length that is none", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "INVALID_REQUEST"),
        .raw("HTTP/2.0", "GET /health HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP_VERSION_NOT_SUPPORTED"),
        .raw("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, "NOT_IMPLEMENTED"),
        .raw(
            "an unknown transfer coding",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "NOT_IMPLEMENTED"),
        .raw(
            "an expectation that cannot be met",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx",
            417, "EXPECTATION_FAILED"),
        .raw(
            "a target of more than 8 KiB", "GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\nHost: a\r\n\r\n",
            414, "URI_TOO_LONG"),
        .raw(
            "headers of more than 16 KiB",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Long: \(String(repeating: "a", count: 16384))\r\n\r\n", 431,
            "HEADERS_TOO_LARGE"),
        .raw(
            "101 header lines",
            "GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X-A: a\r\n", count: 100))\r\n", 431,
            "HEADERS_TOO_LARGE"),
        .raw(
            "a broken chunk size",
            "POST /internal/heartbeat HTTP/1.1\r\nHost: a\r\nX-Worker-Token: \(GatewayProcess.workerToken)\r\n"
                + "X-Worker-ID: refused\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400, "INVALID_REQUEST", offset: 0),
    ]

    @Test(arguments: notHTTP)
    func `what the HTTP layer cannot accept is answered and the connection closed`(refusal: Refusal) throws {
        try refusal.check(port: Live.shared.port)
    }

    private static let heartbeat = "/internal/heartbeat"
    private static let notJSON: [Refusal] = [
        .notJSON("NaN", heartbeat, Sample.heartbeat(",\"x\":NaN"), at: "NaN", says: "NaN is not JSON"),
        .notJSON("Infinity", heartbeat, Sample.heartbeat(",\"x\":[Infinity]"), at: "Infinity", says: "Infinity"),
        .notJSON(
            "-Infinity", heartbeat, Sample.heartbeat(",\"x\":-Infinity"), at: "-Inf", says: "-Infinity is not JSON"),
        .notJSON("bytes after the value", heartbeat, Sample.heartbeat() + " !", at: "!", says: "after the end"),
        .notJSON("an empty body", heartbeat, "", at: "?", says: "ends too early"),
        .notJSON("half a document", heartbeat, "{\"active_tasks\":1", at: "?", says: "ends too early"),
        .notJSON("single quotes", heartbeat, "{'a':1}", at: "'a", says: "double quotes"),
        .notJSON("a trailing comma", "/internal/results", "[\(Sample.result("r")),!]", at: "!", says: "JSON value"),
        .notJSON(
            "NaN deep in data", "/internal/results", "[\(Sample.result("r", data: "{\"a\":{\"b\":[1,NaN]}}"))]",
            at: "NaN",
            says: "NaN is not JSON"),
        .notJSON(
            "a control character in a string", "/internal/party/results", "[{\"party_id\":\"a\tb\"}]", at: "\t",
            says: "control character"),
        .notJSON(
            "a leading zero", "/internal/tasks/t/complete", "{\"duration_ms\":012}", at: "012", says: "leading zeros"),
        .notJSON("no JSON at all", "/internal/tasks/t/fail", "reason=timeout", at: "reason", says: "JSON value"),
    ]

    @Test(arguments: notJSON)
    func `what is not JSON is a 400 that tells the byte`(refusal: Refusal) throws {
        try refusal.check(port: Live.shared.port)
    }

    @Test(arguments: [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func `what is not UTF-8 is a 400 that tells the byte`(bytes: [UInt8]) throws {
        let head = Array(Sample.heartbeat(",\"x\":\"").dropLast().utf8)
        let body = head + bytes + Array("\"}".utf8)
        let live = try Live.shared
        let worker = try live.worker()
        let request = RawHTTP.request(
            "POST", Self.heartbeat, headers: worker.headers + [("Content-Length", "\(body.count)")])
        try worker.http.send(request + body)
        try expectProblem(
            worker.http.readResponse(), 400, "INVALID_REQUEST", ProblemDetails(says: "UTF-8", offset: head.count))
        try worker.http.expectKept()
    }

    private static let badQueries: [(query: String, name: String)] = [
        ("capacity=0", "capacity"), ("capacity=101", "capacity"), ("capacity=ten", "capacity"),
        ("capacity=", "capacity"),
        ("capacity=1.5", "capacity"), ("capacity=%2B5", "capacity"), ("max_tier=0", "max_tier"),
        ("max_tier=5", "max_tier"), ("wait=-1", "wait"), ("wait=31", "wait"), ("wait=nan", "wait"),
        ("wait=inf", "wait"), ("wait=0x10", "wait"), ("wait=1e1", "wait"), ("poll_id=", "poll_id"),
        ("poll_id=a%20b", "poll_id"), ("poll_id=\(String(repeating: "p", count: 65))", "poll_id"),
        ("platforms=a%zz", "platforms"), ("platforms=a%20b", "platforms"), ("platforms=%22", "platforms"),
    ]

    @Test(arguments: badQueries)
    func `a bad query parameter is a 400 that names it`(query: String, name: String) throws {
        try Refusal.request(
            query, "GET", "/internal/work?\(query)", 400, "INVALID_REQUEST", ProblemDetails(parameter: name)
        ).check(port: Live.shared.port)
    }

    @Test func `more than 64 platforms are a bad query parameter`() throws {
        let names = (0..<65).map { "p\($0)" }.joined(separator: ",")
        try Refusal.request(
            "65", "GET", "/internal/work?platforms=\(names)", 400, "INVALID_REQUEST",
            ProblemDetails(parameter: "platforms")
        ).check(port: Live.shared.port)
    }

    @Test(arguments: ["/internal/tasks/a%zz/complete", "/internal/tasks/a%00/complete", "/internal/tasks/%ff/fail"])
    func `a task id with a broken escape is a 400`(target: String) throws {
        try Refusal.request(target, "POST", target, 400, "INVALID_REQUEST").check(port: Live.shared.port)
    }

    private static let badIDs: [[(String, String)]] = [
        [], [("X-Worker-ID", "")], [("X-Worker-ID", "a b")], [("X-Worker-ID", String(repeating: "w", count: 129))],
        [("X-Worker-ID", "ü")], [("X-Worker-ID", "a"), ("X-Worker-ID", "b")],
    ]

    @Test(arguments: 0..<badIDs.count)
    func `a worker's request without one valid worker id is a 400`(which: Int) throws {
        let headers = [("X-Worker-Token", GatewayProcess.workerToken)] + Self.badIDs[which]
        let http = try RawHTTP(port: Live.shared.port)
        let targets = [
            ("GET", "/internal/work"), ("POST", "/internal/heartbeat"), ("POST", "/internal/tasks/t/complete"),
        ]
        for (method, target) in targets {
            let body = method == "POST" ? Sample.heartbeat() : nil
            let response = try http.exchange(method, target, headers: headers, body: body)
            try expectProblem(response, 400, "INVALID_REQUEST", ProblemDetails(says: "X-Worker-ID"))
        }
        try http.expectKept()
    }

    @Test func `the worker id may come in the query, and the header goes before it`() throws {
        let live = try Live.shared
        let queue = try QueueView(live)
        let token = [("X-Worker-Token", GatewayProcess.workerToken)]
        let (asked, sent) = (Fresh.name("query"), Fresh.name("header"))
        let target = "/internal/heartbeat?worker_id=\(asked.replacing("-", with: "%2D"))"
        let body = Sample.heartbeat()
        #expect(try live.gateway.exchange("POST", target, headers: token, body: body).status == 200)
        #expect(try queue.hasSeen(asked))
        let other = "/internal/heartbeat?worker_id=\(Fresh.name("unheard"))"
        let both = token + [("X-Worker-ID", sent)]
        #expect(try live.gateway.exchange("POST", other, headers: both, body: body).status == 200)
        #expect(try queue.hasSeen(sent))
        #expect(try live.gateway.exchange("POST", other + "%zz", headers: token, body: body).status == 400)
    }

    @Test(arguments: [
        [("Content-Encoding", "gzip")], [("Content-Type", "multipart/form-data; boundary=x")],
    ])
    func `a body in a coding or as multipart is a 415 before it is read`(more: [(String, String)]) throws {
        for target in ["/internal/heartbeat", "/internal/results", "/internal/tasks/t/complete"] {
            try Refusal.request(
                target, "POST", target, body: "abc", more: more, 415, "UNSUPPORTED_MEDIA_TYPE"
            ).check(port: Live.shared.port)
        }
    }

    @Test func `a client's valid request id is echoed, any other is replaced`() throws {
        let worker = try Live.shared.worker()
        for id in ["a", "A.b_c-9", String(repeating: "x", count: 128)] {
            let good = try worker.send(
                "POST", Self.heartbeat, body: Sample.heartbeat(), more: [("X-Request-ID", id)])
            #expect(good.header("X-Request-ID") == id)
            let bad = try worker.send("POST", Self.heartbeat, body: "{", more: [("X-Request-ID", id)])
            try expectProblem(bad, 400, "INVALID_REQUEST")
            #expect(bad.header("X-Request-ID") == id)
        }
        var made: Set<String> = []
        for id in ["", "a b", "a/b", "ü", String(repeating: "x", count: 129)] {
            let response = try worker.send("POST", Self.heartbeat, body: "{}", more: [("X-Request-ID", id)])
            try expectProblem(response, 422, "VALIDATION_ERROR")
            #expect(response.header("X-Request-ID") != id)
            made.insert(try #require(response.header("X-Request-ID")))
        }
        #expect(made.count == 5)
    }

    @Test(arguments: [("Expect: tea", 417), ("Transfer-Encoding: gzip", 501), ("Content-Length: x", 400)])
    func `what the HTTP layer refuses carries the client's request id too`(line: String, status: Int) throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        try http.send("POST /internal/heartbeat HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine.1\r\n\(line)\r\n\r\n")
        let response = try http.readResponse()
        #expect(response.status == status)
        #expect(response.header("X-Request-ID") == "mine.1")
        #expect(try response.jsonObject()["request_id"] as? String == "mine.1")
    }

    @Test func `refusals between pipelined requests come in their order`() throws {
        let worker = try Live.shared.worker()
        var bytes: [UInt8] = []
        for number in 0..<40 {
            let target = number % 4 == 3 ? "/nowhere" : Self.heartbeat
            let body = [Sample.heartbeat(), "{}", "NaN", ""][number % 4]
            bytes += RawHTTP.request(
                "POST", target, headers: worker.headers + [("X-Request-ID", "n\(number)")], body: body)
        }
        try worker.http.send(bytes)
        for number in 0..<40 {
            let response = try worker.http.readResponse()
            #expect(response.status == [200, 422, 400, 404][number % 4])
            #expect(response.header("X-Request-ID") == "n\(number)")
        }
        try worker.http.expectKept()
    }
}
