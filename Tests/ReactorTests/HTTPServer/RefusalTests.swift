// What the server refuses, and that a refusal reaches its client. The contract's error table; RFC 9110 section 15.

import Foundation
import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPRefusalTests {
    private func expectProblem(_ answer: HTTPResponse, _ status: Int, _ code: String) throws {
        #expect(answer.status == status)
        #expect(answer.errorCode == code)
        #expect(answer.header("content-type") == "application/json")
        let id = try #require(answer.header("x-request-id"))
        #expect(try answer.jsonObject()["request_id"] as? String == id)
        #expect((try answer.jsonObject()["error"] as? [String: Any])?["message"] is String)
    }

    struct Fault {
        var request: String
        var status: Int
        var code: String
        init(_ request: String, _ status: Int, _ code: String = "INVALID_REQUEST") {
            self.request = request
            self.status = status
            self.code = code
        }
    }

    static let faults = [
        Fault("hello\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\nHost: a\n\n", 400),
        Fault("GET / HTTP/1.1\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        Fault("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        Fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
        Fault("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Fault("GET / HTTX/1.1\r\nHost: a\r\n\r\n", 400),
        Fault("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "NOT_IMPLEMENTED"),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "NOT_IMPLEMENTED"),
        Fault("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP_VERSION_NOT_SUPPORTED"),
        Fault("POST / HTTP/1.1\r\nHost: a\r\nExpect: a pony\r\nContent-Length: 1\r\n\r\n", 417, "EXPECTATION_FAILED"),
        Fault("GET /\(String(repeating: "u", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414, "URI_TOO_LONG"),
        Fault(
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "h", count: 17000))\r\n\r\n", 431,
            "HEADERS_TOO_LARGE"),
        Fault(
            "GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: 1\r\n", count: 101))\r\n", 431, "HEADERS_TOO_LARGE"),
    ]

    @Test(arguments: faults.indices)
    func `what is not a request gets its status, the error body, and a close`(index: Int) throws {
        let fault = Self.faults[index]
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n" + fault.request)
        #expect(try client.readResponse().status == 200)
        let answer = try client.readResponse()
        try expectProblem(answer, fault.status, fault.code)
        #expect(answer.header("connection") == "close")
        try client.expectClosed()
        #expect(server.log().answered.map(\.status) == [200, fault.status])
        server.stop()
    }

    @Test func `a refused head keeps the client's request id where its lines can be read`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine-1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        let answer = try client.readResponse()
        try expectProblem(answer, 400, "INVALID_REQUEST")
        #expect(answer.header("x-request-id") == "mine-1")
        server.stop()
    }

    @Test(arguments: ["has space", "a/b", "", String(repeating: "a", count: 129), "\u{e9}"])
    func `a request id of another form is replaced`(id: String) throws {
        let server = try TestServer()
        let answer = try server.client().exchange("GET", "/echo", headers: [("X-Request-ID", id)])
        let made = try #require(answer.header("x-request-id"))
        #expect(made.hasPrefix("req_") && made.utf8.count == 30)
        server.stop()
    }

    @Test func `a valid request id of any permitted length comes back`() throws {
        let server = try TestServer()
        let client = try server.client()
        for id in ["a", "AZaz09._-", String(repeating: "z", count: 128)] {
            #expect(try client.exchange("GET", "/echo", headers: [("X-Request-ID", id)]).header("x-request-id") == id)
        }
        let first = try client.exchange("GET", "/echo").header("x-request-id")
        #expect(try client.exchange("GET", "/echo").header("x-request-id") != first)
        server.stop()
    }

    @Test(arguments: [401, 404, 429]) func `a refusal before a small body keeps the connection`(status: Int) throws {
        let server = try TestServer()
        let client = try server.client()
        for cut in [0, 1, 4999, 5000] {
            let body = [UInt8](repeating: 97, count: 5000)
            let head = "POST /refuse/\(status) HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"
            try client.send(Array(head.utf8) + body[..<cut])
            try expectProblem(try client.readResponse(), status, "TEST")
            try client.send(Array(body[cut...]) + Array("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            #expect(try client.readResponse().bodyText == "GET /echo ")
        }
        server.stop()
    }

    @Test func `a refusal before a large body reaches a client that goes on sending, RFC 9112 section 9.6`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /refuse/413 HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
        // Far more than the buffers of both kernels: without lingering this would be a reset.
        let piece = [UInt8](repeating: 97, count: 1 << 20)
        do {
            for _ in 0..<8 { try client.send(piece) }
        } catch let failure as TestFailure where failure.description.contains("closed before all was sent") {
            // The server's orderly end; a reset would have failed in another way.
        }
        let answer = try client.readResponse()
        #expect(answer.status == 413)
        #expect(answer.header("connection") == "close")
        server.stop()
    }

    @Test func `an announced body over the limit is refused before it is sent`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n")
        let answer = try client.readResponse()
        try expectProblem(answer, 413, "PAYLOAD_TOO_LARGE")
        let details = (try answer.jsonObject()["error"] as? [String: Any])?["details"] as? [String: Any]
        #expect(details?["limit_bytes"] as? Int == 10 * 1024 * 1024)
        try client.expectClosed()
        server.stop()
    }

    @Test func `a refused chunked body closes`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /refuse/404 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        #expect(try client.readResponse().status == 404)
        try client.expectClosed()
        server.stop()
    }

    // MARK: Connections

    @Test func `a connection over a limit gets a 503 that it can read, and is closed`() throws {
        for counter in [
            ConnectionCounter(totalMax: 2, perAddressMax: 10), ConnectionCounter(totalMax: 10, perAddressMax: 2),
        ] {
            let server = try TestServer(counter: counter)
            let admitted = [try server.client(), try server.client()]
            for client in admitted { #expect(try client.exchange("GET", "/echo").status == 200) }
            let refused = try server.client()
            try refused.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            try refused.send([UInt8](repeating: 97, count: 100_000))
            let answer = try refused.readResponse()
            try expectProblem(answer, 503, "SERVICE_UNAVAILABLE")
            #expect(answer.header("retry-after") == "1")
            #expect(answer.header("connection") == "close")
            try refused.expectClosed()
            admitted[0].close()
            try eventually("room again") { counter.total == 1 }
            #expect(try server.client().exchange("GET", "/echo").status == 200)
            #expect(server.onReactor { $0.refusedCount } == 1)
            server.stop()
        }
    }

    @Test func `refusals beyond their own limit are closed without a word`() throws {
        let counter = ConnectionCounter(totalMax: 1, perAddressMax: 1)
        let server = try TestServer(counter: counter) { $0.refusalsMax = 1 }
        let admitted = try server.client()
        #expect(try admitted.exchange("GET", "/echo").status == 200)
        let told = try server.client()
        #expect(try told.readResponse().status == 503)
        let closed = try server.client()
        try closed.expectClosed()
        told.close()
        server.stop()
    }
}
