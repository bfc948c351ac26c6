// Request bodies as the server takes them: by length, in chunks, asked for with 100-continue, handed over in pieces.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPRequestBodyTests {
    private let chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func `a body by length may be cut anywhere, RFC 9112 section 6.2`() throws {
        let server = try TestServer()
        let client = try server.client()
        let head = Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n".utf8)
        let body = Array("0123456789abcdefghij".utf8)
        for cut in 0...20 {
            try client.send(head + body[..<cut])
            _ = try RawHTTP.exchange(port: server.port, "GET", "/echo")
            try client.send(Array(body[cut...]) + Array("GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            #expect(try client.readResponse().bodyText == "POST /echo 0123456789abcdefghij")
            #expect(try client.readResponse().bodyText == "GET /echo/next ")
        }
        server.stop()
    }

    @Test func `a body far larger than one receive arrives whole`() throws {
        let server = try TestServer()
        let client = try server.client()
        let text = String(repeating: "0123456789", count: 100_000)
        for _ in 0..<2 {
            #expect(try client.exchange("POST", "/echo", body: text).body.count == text.utf8.count + 11)
        }
        server.stop()
    }

    @Test func `a chunked body with trailers ends where the next request begins, RFC 9112 section 7.1`() throws {
        let server = try TestServer()
        let message = Array(
            ("POST /echo/1 HTTP/1.1\r\n" + chunked + "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\nU: w\r\n\r\n"
                + "GET /echo/2 HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
        let client = try server.client()
        for cut in 0..<message.count {
            try client.send(Array(message[..<cut]))
            _ = try RawHTTP.exchange(port: server.port, "GET", "/echo")
            try client.send(Array(message[cut...]))
            #expect(try client.readResponse().bodyText == "POST /echo/1 hello0123456789")
            #expect(try client.readResponse().bodyText == "GET /echo/2 ")
        }
        server.stop()
    }

    @Test func `a chunked body over the limit is a 413, whatever its chunks`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /limit/8 HTTP/1.1\r\n" + chunked + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 413)
        #expect(answer.errorCode == "PAYLOAD_TOO_LARGE")
        #expect(answer.header("connection") == "close")
        try client.expectClosed()
        #expect(server.log().handled.isEmpty)
        server.stop()
    }

    @Test(arguments: ["zz\r\n", "5\r\nhelloX\r\n", "5\nhello\r\n", "-1\r\n", "0x5\r\n", "0\r\nbad trailer\r\n\r\n"])
    func `broken chunks are a 400 and close, RFC 9112 section 7.1`(chunks: String) throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nX-Request-ID: my-id\r\n" + chunked + chunks)
        let answer = try client.readResponse()
        #expect(answer.status == 400)
        #expect(answer.errorCode == "INVALID_REQUEST")
        #expect(answer.header("x-request-id") == "my-id")
        try client.expectClosed()
        server.stop()
    }

    // MARK: 100-continue, RFC 9110 section 10.1.1

    private let expecting = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    @Test func `a client that expects 100 is told to continue, RFC 9110 section 10.1.1`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(expecting)
        #expect(try client.readResponse().status == 100)
        try client.send("hello")
        #expect(try client.readResponse().bodyText == "POST /echo hello")
        #expect(try client.exchange("GET", "/echo").status == 200)
        server.stop()
    }

    @Test func `100 waits for the answers before it, RFC 9110 section 15.2`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n" + expecting)
        try server.eventually("both heads arrived") { $0.begun == 2 }
        server.answer("a", "first")
        #expect(try client.readResponse().bodyText == "first")
        #expect(try client.readResponse().status == 100)
        try client.send("hello")
        #expect(try client.readResponse().bodyText == "POST /echo hello")
        server.stop()
    }

    @Test func `a body that comes unasked gets no 100 after it, RFC 9110 section 10.1.1`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(expecting + "hello")
        #expect(try client.readResponse().bodyText == "POST /echo hello")
        #expect(try client.exchange("GET", "/echo").status == 200)
        server.stop()
    }

    @Test func `a refused client that expects 100 gets the refusal alone, and a close`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /refuse/401 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 401)
        #expect(answer.header("www-authenticate") != nil)
        #expect(answer.header("connection") == "close")
        try client.expectClosed()
        server.stop()
    }

    @Test func `an expectation of HTTP/1.0 is ignored, RFC 9110 section 10.1.1`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        try server.eventually("the head arrived") { $0.begun == 1 }
        try client.send("hello")
        #expect(try client.readResponse().bodyText == "POST /echo hello")
        server.stop()
    }

    // MARK: Handed over in pieces

    @Test func `a streamed body is read piece by piece and answered at its end`() throws {
        let server = try TestServer()
        let client = try server.client()
        let text = String(repeating: "x", count: 300_000)
        #expect(try client.exchange("POST", "/stream/a/1000000", body: text).bodyText == "300000")
        #expect(try client.exchange("POST", "/stream/b/1000000", body: "").bodyText == "0")
        #expect(try client.exchange("GET", "/stream/c/1000000").bodyText == "0")
        #expect(try client.exchange("GET", "/echo").status == 200)
        server.stop()
    }

    @Test func `a chunked streamed body has no length to be known before`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /stream/a/100 HTTP/1.1\r\n" + chunked + "5\r\nhello\r\n")
        try server.eventually("the head arrived") { $0.begun == 1 }
        try client.send("3\r\nyou\r\n0\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.readResponse().bodyText == "8")
        #expect(try client.readResponse().status == 200)
        server.stop()
    }

    @Test func `a reader that does not read stops the sender, and loses nothing`() throws {
        let server = try TestServer { $0.streamBytesMax = 100_000 }
        let client = try server.client()
        let count = 16_000_000
        try client.send("POST /stream/a/\(count)?wait HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n")
        let piece = [UInt8](repeating: 120, count: 100_000)
        client.socket.timeoutSeconds = 0.2
        var stopped = 0
        #expect(throws: TestFailure.self) {
            while true {
                try client.send(piece)
                stopped += piece.count
            }
        }
        #expect(stopped < count, "the kernel's buffers and ours hold only so much")
        let waiting = server.onReactor { [handler = server.handler] _ in handler.readings["a"]!.body.waitingBytes }
        #expect(waiting >= 100_000 && waiting < 100_000 + EpollPoller.receiveBytes)
        server.onReactor { [handler = server.handler] _ in handler.letRead("a") }
        try server.eventually("the reader has it") { _ in
            server.onReactor { [handler = server.handler] _ in handler.readings["a"]!.received.count } >= stopped
        }
        client.socket.reset()
        try server.eventually("told once") { $0.abandoned.count == 1 }
        server.stop()
    }

    @Test func `a streamed body over its bound is a 413, announced or not`() throws {
        let server = try TestServer()
        let announced = try server.client()
        #expect(try announced.exchange("POST", "/stream/a/4", body: "hello").status == 413)
        let chunks = try server.client()
        try chunks.send("POST /stream/b/4 HTTP/1.1\r\n" + chunked + "5\r\nhello\r\n0\r\n\r\n")
        #expect(try chunks.readResponse().status == 413)
        try chunks.expectClosed()
        for name in ["a", "b"] {
            try server.eventually("the reader of \(name) was told") { _ in
                server.onReactor { [handler = server.handler] _ in handler.readings[name]!.failure } == .tooLarge
            }
        }
        server.stop()
    }

    @Test func `an answer before a short body's end keeps the connection, before a long one closes it`() throws {
        let server = try TestServer()
        for (count, keeps) in [(1000, true), (1_000_000, false)] {
            let client = try server.client()
            try client.send("POST /stream/e/\(count)?wait HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\nabc")
            try server.eventually("the head arrived") { _ in
                server.onReactor { [handler = server.handler] _ in handler.readings["e"] != nil }
            }
            server.onReactor { [handler = server.handler] server in
                server.respond(handler.readings["e"]!.exchange, status: 409) { $0.append("early") }
                handler.letRead("e")
                handler.readings["e"] = nil
            }
            let answer = try client.readResponse()
            #expect(answer.status == 409)
            #expect(answer.header("connection") == (keeps ? nil : "close"))
            if keeps {
                try client.send(String(repeating: "y", count: count - 3) + "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.readResponse().bodyText == "GET /echo ")
            } else {
                try client.expectClosed()
            }
        }
        server.stop()
    }
}
