// How a server ends: idle connections at once, requests when they are answered.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPDrainTests {
    private func drain(_ server: TestServer) {
        server.onReactor { [handler = server.handler] server in server.drain { handler.isDrained = true } }
    }

    private func isDrained(_ server: TestServer) -> Bool {
        server.onReactor { [handler = server.handler] _ in handler.isDrained }
    }

    @Test func `draining closes idle connections and takes no new ones`() throws {
        let server = try TestServer()
        let idle = try server.client()
        #expect(try idle.exchange("GET", "/echo").status == 200)
        drain(server)
        try idle.expectClosed()
        // Over io_uring the socket is gone when the kernel has ended its accepting, a moment later.
        try eventually("no new ones are taken") { (try? server.client()) == nil }
        #expect(isDrained(server))
        server.stop()
    }

    @Test func `a request in flight is answered with Connection close, then the drain is complete`() throws {
        let server = try TestServer { $0.lingerTimeout = .milliseconds(200) }
        let client = try server.client()
        try client.send(
            "GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        try server.eventually("both heads arrived") { $0.begun == 2 }
        drain(server)
        #expect(!isDrained(server))
        try client.send("cdGET /echo/never HTTP/1.1\r\nHost: a\r\n\r\n")
        try server.eventually("the body is complete") { $0.handled.count == 2 }
        server.answer("a", "last but one")
        #expect(try client.readResponse().bodyText == "last but one")
        let last = try client.readResponse()
        #expect(last.bodyText == "POST /echo abcd")
        #expect(last.header("connection") == "close")
        try client.expectClosed()
        client.close()
        try eventually("drained") { isDrained(server) }
        server.stop()
    }

    @Test func `draining a server without connections is done at once`() throws {
        let server = try TestServer()
        drain(server)
        #expect(isDrained(server))
        server.stop()
    }

    @Test func `closing abandons what is not answered`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n")
        try server.eventually("it arrived") { $0.handled.count == 1 }
        server.stop()
        try client.expectClosed()
    }
}
