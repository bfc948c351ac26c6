// Answers written in pieces. RFC 9112 sections 6.3 and 7.1.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPStreamedAnswerTests {
    private func get(_ target: String, version: String = "1.1", method: String = "GET") -> String {
        "\(method) \(target) HTTP/\(version)\r\nHost: a\r\n\r\n"
    }

    private func start(_ request: String, _ server: TestServer) throws -> RawHTTP {
        let client = try server.client()
        try client.send(request)
        try server.eventually("it arrived") { _ in
            server.onReactor { [handler = server.handler] _ in handler.held["a"] != nil }
        }
        return client
    }

    /// Runs `body` with the exchange that `/events/a` holds.
    private func act(_ server: TestServer, _ body: @escaping (HTTPServer, SlotID) -> Void) {
        server.onReactor { [handler = server.handler] server in body(server, handler.held["a"]!) }
    }

    private func write(_ text: String, _ server: TestServer) {
        act(server) { server, exchange in _ = server.writeBody(exchange, Array(text.utf8).span.bytes) }
    }

    @Test func `pieces go out as chunks when they are written, RFC 9112 section 7.1`() throws {
        let server = try TestServer()
        let client = try start(get("/events/a"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text, headers: { $0.append("X-Live: 1\r\n") }) }
        write("hello", server)
        // The head and the first piece arrive before the answer has ended.
        try eventually("a piece arrived") {
            _ = try client.socket.receive()
            return String(decoding: client.socket.received, as: UTF8.self).contains("hello")
        }
        write("", server)
        write(" world", server)
        act(server) { $0.endResponse($1) }
        let answer = try client.readResponse()
        #expect(answer.header("transfer-encoding") == "chunked")
        #expect(answer.header("content-length") == nil)
        #expect(answer.header("x-live") == "1")
        #expect(answer.bodyText == "hello world")
        #expect(server.log().answered.map(\.bodyBytes) == [11])
        #expect(try client.exchange("GET", "/echo").bodyText == "GET /echo ")
        server.stop()
    }

    @Test func `an answer to HTTP/1.0 ends with the connection, RFC 9112 section 6.3`() throws {
        let server = try TestServer()
        let client = try start(
            "GET /events/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hold/b HTTP/1.0\r\n\r\n", server)
        act(server) { $0.beginResponse($1, status: 200, type: .text) }
        write("all", server)
        act(server) { $0.endResponse($1) }
        let answer = try client.readResponse()
        #expect(answer.header("transfer-encoding") == nil)
        #expect(answer.header("connection") == "close")
        #expect(answer.bodyText == "all")
        // What was pipelined behind it can have no answer any more.
        #expect(server.log().abandoned.count == 1)
        server.stop()
    }

    @Test func `a known length is announced and kept to`() throws {
        let server = try TestServer()
        let client = try start(get("/events/a"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text, length: 5) }
        write("he", server)
        write("llo", server)
        act(server) { $0.endResponse($1) }
        let answer = try client.readResponse()
        #expect(answer.header("content-length") == "5")
        #expect(answer.bodyText == "hello")
        #expect(try client.exchange("GET", "/echo").status == 200)
        server.stop()
    }

    @Test func `an answer that ends short closes, so that the client sees the cut`() throws {
        let server = try TestServer()
        let client = try start(get("/events/a"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text, length: 5) }
        write("he", server)
        act(server) { $0.endResponse($1) }
        #expect(throws: TestFailure.self) { try client.readResponse() }
        #expect(server.log().abandoned.count == 1)
        server.stop()
    }

    @Test func `HEAD gets the head of a streamed answer alone`() throws {
        let server = try TestServer()
        let client = try start(get("/events/a", method: "HEAD"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text) }
        write("unseen", server)
        act(server) { $0.endResponse($1) }
        #expect(try client.readResponse(isHead: true).header("transfer-encoding") == "chunked")
        #expect(try client.exchange("GET", "/echo").bodyText == "GET /echo ")
        server.stop()
    }

    @Test func `a streamed answer waits for its turn`() throws {
        let server = try TestServer()
        let client = try start(get("/hold/first") + get("/events/a") + get("/echo"), server)
        try server.eventually("all arrived") { $0.handled.count == 3 }
        act(server) { $0.beginResponse($1, status: 200, type: .text) }
        write("one ", server)
        server.answer("first", "first")
        #expect(try client.readResponse().bodyText == "first")
        write("two", server)
        act(server) { $0.endResponse($1) }
        #expect(try client.readResponse().bodyText == "one two")
        #expect(try client.readResponse().bodyText == "GET /echo ")
        server.stop()
    }

    @Test func `a writer stops at the bound and is told when there is room`() throws {
        let server = try TestServer { $0.streamBytesMax = 100_000 }
        let client = try start(get("/events/a"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text) }
        let piece = [UInt8](repeating: 122, count: 50_000)
        var written = 0
        // A turn between two pieces lets the kernel take what it can.
        while written < 100_000_000 {
            var waiting = 0
            act(server) { server, exchange in waiting = server.writeBody(exchange, piece.span.bytes) ?? -1 }
            written += piece.count
            #expect(waiting >= 0)
            if waiting >= 100_000 { break }
        }
        #expect(written < 100_000_000, "the client takes nothing, so the writer is stopped")
        #expect(server.log().roomTold == 0)
        let total = written
        client.socket.timeoutSeconds = 1
        while server.log().roomTold == 0 { _ = try client.socket.receive() }
        act(server) { $0.endResponse($1) }
        #expect(try client.readResponse().body.count == total)
        #expect(server.log().roomTold == 1)
        server.stop()
    }

    @Test func `a client that goes away abandons a streamed answer once, and writing to it says so`() throws {
        let server = try TestServer()
        let client = try start(get("/events/a"), server)
        act(server) { $0.beginResponse($1, status: 200, type: .text) }
        write("some", server)
        client.socket.reset()
        try server.eventually("told") { $0.abandoned.count == 1 }
        act(server) { server, exchange in
            #expect(server.writeBody(exchange, [1].span.bytes) == nil)
            server.endResponse(exchange)
            server.failResponse(exchange)
        }
        #expect(server.log().abandoned.count == 1)
        server.stop()
    }
}
