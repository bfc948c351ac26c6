// Clients that go away, in every state, and what must not happen then: a lost exchange, an answer to somebody else.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPDisappearanceTests {
    private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

    @Test(arguments: [
        "", "GET /ec", "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", "GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "POST /stream/a/100 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        "POST /refuse/401 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "no request\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ])
    func `a reset in any state leaves nothing behind`(sent: String) throws {
        let server = try TestServer()
        let others = try server.client()
        let client = try server.client()
        try client.send(sent)
        #expect(try others.exchange("GET", "/echo").status == 200)
        client.socket.reset()
        try server.eventually("only the other is left") { _ in server.onReactor { $0.connectionCount } == 1 }
        #expect(server.onReactor { $0.exchangeCount } == 0)
        #expect(try others.exchange("GET", "/echo").status == 200)
        // `stop` checks buffers, and that each request ended once.
        server.stop()
    }

    @Test func `each unanswered exchange is abandoned once, the answered ones are not`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/hold/a") + get("/echo") + get("/hold/b") + get("/hold/c"))
        try server.eventually("all arrived") { $0.handled.count == 4 }
        server.answer("b", "answered, waiting for a")
        let held = server.onReactor { [handler = server.handler] _ in handler.held }
        client.socket.reset()
        try server.eventually("told") { $0.abandoned.count == 2 }
        #expect(server.log().abandoned == [held["a"]!, held["c"]!])
        server.answer("a", "late")
        #expect(server.log().abandoned.count == 2)
        #expect(server.log().answered.map(\.target) == ["/echo", "/hold/b"])
        server.stop()
    }

    @Test func `a half-close inside a body is a 400 after the answers before it, RFC 9112 section 8`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/hold/a") + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        client.socket.finishSending()
        try server.eventually("the end arrived") { $0.answered.count == 1 }
        server.answer("a", "first")
        #expect(try client.readResponse().bodyText == "first")
        let broken = try client.readResponse()
        #expect(broken.status == 400)
        #expect(broken.header("connection") == "close")
        try client.expectClosed()
        server.stop()
    }

    @Test func `a half-close inside a head closes without an answer`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET /echo HTT")
        client.socket.finishSending()
        #expect(try client.readToEnd().isEmpty)
        server.stop()
    }

    @Test func `a reader of a streamed body learns that its client has gone`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /stream/a/100 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        try server.eventually("the head arrived") { $0.begun == 1 }
        client.socket.reset()
        try server.eventually("the reader was told") { _ in
            server.onReactor { [handler = server.handler] _ in handler.readings["a"]!.failure } == .connectionClosed
        }
        #expect(server.log().abandoned.count == 1)
        server.stop()
    }

    @Test func `whether the client is still there can be asked`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/hold/a"))
        try server.eventually("it arrived") { $0.handled.count == 1 }
        let isThere = { server.onReactor { [handler = server.handler] in $0.isPeerThere(handler.held["a"]!) } }
        #expect(isThere())
        client.socket.finishSending()
        try eventually("it is seen") { !isThere() }
        server.answer("a")
        #expect(try client.readResponse().status == 200)
        try eventually("gone") { server.onReactor { $0.exchangeCount } == 0 }
        #expect(!isThere())
        server.stop()
    }

    @Test func `a late answer never reaches the client that has the slot now`() throws {
        let server = try TestServer()
        for round in 0..<20 {
            let gone = try server.client()
            try gone.send(get("/hold/gone"))
            try server.eventually("it arrived") { $0.handled.count == 2 * round + 1 }
            let stale = server.onReactor { [handler = server.handler] _ in handler.held["gone"]! }
            gone.socket.reset()
            try server.eventually("abandoned") { $0.abandoned.last == stale }
            let next = try server.client()
            try next.send(get("/hold/next"))
            try server.eventually("it arrived") { $0.handled.count == 2 * round + 2 }
            let fresh = server.onReactor { [handler = server.handler] server in
                server.respond(stale, status: 200) { $0.append("for somebody else") }
                return handler.held["next"]!
            }
            #expect(fresh.index == stale.index && fresh.generation != stale.generation, "the slot is used again")
            server.answer("next", "its own")
            #expect(try next.readResponse().bodyText == "its own")
            next.close()
            try server.eventually("gone") { _ in server.onReactor { $0.connectionCount } == 0 }
        }
        server.stop()
    }

    @Test func `an exchange answered twice is answered once`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/hold/a") + get("/hold/b"))
        try server.eventually("both arrived") { $0.handled.count == 2 }
        server.answer("b", "once")
        server.answer("b", "twice")
        server.answer("a", "a")
        server.answer("a", "again")
        #expect(try client.readResponse().bodyText == "a")
        #expect(try client.readResponse().bodyText == "once")
        #expect(server.log().answered.count == 2)
        #expect(try client.exchange("GET", "/echo").bodyText == "GET /echo ")
        server.stop()
    }
}
