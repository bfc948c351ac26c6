// How a server ends: idle connections at once, requests when they are answered.

import Dispatch
import Glibc
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
        try eventually("drained") { isDrained(server) }
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

    @Test func `a patient drain closes a connection with its next answer, or when it stays silent`() throws {
        let server = try TestServer { $0.lingerTimeout = .seconds(10) }
        let (talking, silent) = (try server.client(), try server.client())
        for client in [talking, silent] { #expect(try client.exchange("GET", "/echo").status == 200) }
        server.onReactor { [handler = server.handler] server in
            server.drain(patience: .milliseconds(300)) { handler.isDrained = true }
        }
        let answer = try talking.exchange("GET", "/echo")
        #expect(answer.status == 200)
        #expect(answer.header("connection") == "close")
        try talking.expectClosed()
        try silent.expectClosed()
        // What the silent one sends now has crossed with our end: it meets no reset.
        try silent.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try silent.socket.receive() == 0)
        talking.close()
        silent.close()
        try eventually("drained") { isDrained(server) }
        server.stop()
    }

    @Test func `whoever waits in the queue when accepting stops is served by those who share the socket`() throws {
        let old = try TestServer { $0.lingerTimeout = .milliseconds(200) }
        let new = try TestServer()
        // The same socket once more, as a successor has it.
        let descriptor = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        let port = Int(descriptor.boundPort)
        let copy = dup(descriptor.number)
        let own = Handover(descriptor)
        #expect(old.onReactor { $0.listen(own.take(), tag: 7) })
        let before = try RawHTTP(port: port)
        #expect(try before.exchange("GET", "/echo").status == 200)
        let stopped = DispatchSemaphore(value: 0)
        old.onReactor { server in server.stopAccepting { stopped.signal() } }
        #expect(stopped.wait(timeout: .now() + 10) == .success)
        let waiting = try (0..<5).map { _ in try RawHTTP(port: port) }
        for client in waiting { try client.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(old.onReactor { $0.acceptedCount } == 1)
        #expect(new.onReactor { $0.listen(Descriptor(copy), tag: 7) })
        for client in waiting { #expect(try client.readResponse().status == 200) }
        #expect(try before.exchange("GET", "/echo").status == 200)
        old.stop()
        new.stop()
    }

    @Test func `draining a server without connections is done at once`() throws {
        let server = try TestServer()
        drain(server)
        try eventually("drained") { isDrained(server) }
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
