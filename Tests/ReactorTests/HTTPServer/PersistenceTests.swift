// When connections live on and when they close. RFC 9112 section 9.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPPersistenceTests {
    @Test func `HTTP/1.1 keeps the connection, RFC 9112 section 9.3`() throws {
        let server = try TestServer()
        let client = try server.client()
        for number in 1...3 {
            let answer = try client.exchange("GET", "/echo?\(number)")
            #expect(answer.status == 200)
            #expect(answer.bodyText == "GET /echo ")
            #expect(answer.header("connection") == nil)
            #expect(answer.header("date")?.hasSuffix(" GMT") == true)
            #expect(answer.header("x-test") == "1")
        }
        server.stop()
    }

    @Test func `Connection close is honoured and announced, RFC 9112 section 9.6`() throws {
        let server = try TestServer()
        let client = try server.client()
        let answer = try client.exchange("GET", "/echo", headers: [("Connection", "close")])
        #expect(answer.header("connection") == "close")
        try client.expectClosed()
        server.stop()
    }

    @Test func `what follows a closing request is not read, RFC 9112 section 9.6`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.readResponse().status == 200)
        try client.expectClosed()
        #expect(server.log().handled == ["/echo"])
        server.stop()
    }

    @Test func `HTTP/1.0 closes unless it asks to stay, RFC 9112 section 9.3`() throws {
        let server = try TestServer()
        let closing = try server.client()
        try closing.send("GET /echo HTTP/1.0\r\n\r\n")
        let last = try closing.readResponse()
        #expect(last.header("connection") == "close")
        try closing.expectClosed()

        let staying = try server.client()
        for _ in 0..<2 {
            try staying.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try staying.readResponse().header("connection") == "keep-alive")
        }
        server.stop()
    }

    @Test func `a client that ends its sending half still gets its answers, RFC 9112 section 9.6`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        client.socket.finishSending()
        try server.eventually("both arrived") { $0.handled.count == 2 }
        server.answer("a", "first")
        #expect(try client.readResponse().bodyText == "first")
        #expect(try client.readResponse().bodyText == "GET /echo ")
        try client.expectClosed()
        #expect(server.log().abandoned.isEmpty)
        server.stop()
    }

    @Test func `the empty line that some clients send after a body is ignored, RFC 9112 section 2.2`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.readResponse().bodyText == "POST /echo ok")
        #expect(try client.readResponse().bodyText == "GET /echo ")
        server.stop()
    }

    @Test func `HEAD has the length of GET and no body, RFC 9110 section 9.3.2`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("HEAD /big/1234 HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try client.readResponse(isHead: true)
        #expect(head.header("content-length") == "1234")
        #expect(try client.readResponse().bodyText == "GET /echo ")
        #expect(server.log().answered.first?.bodyBytes == 0)
        server.stop()
    }

    @Test(arguments: [204, 304])
    func `an answer of a status without body has none and no length, RFC 9112 section 6.3`(status: Int) throws {
        let server = try TestServer()
        let client = try server.client()
        let answer = try client.exchange("GET", "/status/\(status)")
        #expect(answer.status == status)
        #expect(answer.header("content-length") == nil)
        #expect(answer.header("transfer-encoding") == nil)
        #expect(try client.exchange("GET", "/echo").bodyText == "GET /echo ")
        server.stop()
    }

    @Test func `the client's address comes with its request`() throws {
        let server = try TestServer()
        let client = try server.client()
        _ = try client.exchange("GET", "/echo")
        #expect(server.log().lastPeer?.description == "127.0.0.1")
        server.stop()
    }

    @Test func `an idle connection holds no buffer, and its state is small`() throws {
        let server = try TestServer()
        let clients = try (0..<50).map { _ in try server.client() }
        for client in clients { _ = try client.exchange("POST", "/echo", body: String(repeating: "b", count: 70_000)) }
        #expect(server.onReactor { $0.connectionCount } == 50)
        #expect(server.onReactor { $0.reactor.buffers.lentCount } == 0)
        #expect(MemoryLayout<HTTPConnection>.stride <= 512)
        #expect(MemoryLayout<Exchange>.stride <= 512)
        print("HTTPConnection \(MemoryLayout<HTTPConnection>.stride), Exchange \(MemoryLayout<Exchange>.stride) bytes")
        server.stop()
    }
}
