// Clients that are slow, silent or stuck. The limits are shortened; the clients wait for what the server does.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPTimeoutTests {
    @Test func `a head that does not end in time is a 408 and a close`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(50) }
        let client = try server.client()
        try client.send("GET /echo HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        let answer = try client.readResponse()
        #expect(answer.status == 408)
        #expect(answer.errorCode == "REQUEST_TIMEOUT")
        #expect(answer.header("connection") == "close")
        try client.expectClosed()
        server.stop()
    }

    @Test func `a head has its time from its first byte, not from each`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(100) }
        let client = try server.client()
        let start = monotonicSeconds()
        client.socket.timeoutSeconds = 0.01
        while client.socket.received.isEmpty, monotonicSeconds() < start + 10 {
            try client.send("x")
            if (try? client.socket.receive()) == 0 { break }
        }
        client.socket.timeoutSeconds = 10
        #expect(try client.readResponse().status == 408)
        server.stop()
    }

    @Test func `a connection that never says anything is closed without an answer`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(50) }
        let client = try server.client()
        #expect(try client.readToEnd().isEmpty)
        server.stop()
    }

    @Test func `an idle connection is closed, and its next request finds a new one`() throws {
        // The timer that the head's deadline has set looks at the idle one too, so that may come as late as that.
        let server = try TestServer {
            $0.idleTimeout = .milliseconds(50)
            $0.headerTimeout = .seconds(1)
        }
        let client = try server.client()
        #expect(try client.exchange("GET", "/echo").status == 200)
        try client.expectClosed()
        server.stop()
    }

    @Test func `a request that waits for its answer is not idle`() throws {
        let server = try TestServer { $0.idleTimeout = .milliseconds(20) }
        let client = try server.client()
        try client.send("GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n")
        try server.eventually("it arrived") { $0.handled.count == 1 }
        try throughout(seconds: 0.1, "the connection stays") { server.onReactor { $0.connectionCount } == 1 }
        server.answer("a", "patience")
        #expect(try client.readResponse().bodyText == "patience")
        try client.expectClosed()
        server.stop()
    }

    @Test func `a body slower than the rate is a 408 after its grace`() throws {
        let server = try TestServer {
            $0.bodyGrace = .milliseconds(50)
            $0.bodyRateBytesMin = 1_000_000
        }
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-ID: slow\r\nContent-Length: 1000\r\n\r\nabc")
        let answer = try client.readResponse()
        #expect(answer.status == 408)
        #expect(answer.header("x-request-id") == "slow")
        try client.expectClosed()
        #expect(server.log().handled.isEmpty)
        server.stop()
    }

    @Test func `bytes earn a body its time`() throws {
        let server = try TestServer {
            $0.bodyGrace = .milliseconds(20)
            $0.bodyRateBytesMin = 1000
        }
        let client = try server.client()
        // 500 bytes earn half a second beyond the grace; the rest comes after the grace alone would have ended.
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 501\r\n\r\n")
        try client.send([UInt8](repeating: 97, count: 500))
        try throughout(seconds: 0.1, "no 408") { server.log().answered.isEmpty }
        try client.send("b")
        #expect(try client.readResponse().status == 200)
        server.stop()
    }

    @Test func `a streamed body that is too slow fails for its reader`() throws {
        let server = try TestServer { $0.bodyGrace = .milliseconds(50) }
        let client = try server.client()
        try client.send("POST /stream/a/1000 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        #expect(try client.readResponse().status == 408)
        try server.eventually("the reader was told") { _ in
            server.onReactor { [handler = server.handler] _ in handler.readings["a"]!.failure } == .timedOut
        }
        server.stop()
    }

    @Test func `time in which we do not read is not the client's`() throws {
        let server = try TestServer {
            $0.bodyGrace = .milliseconds(100)
            $0.bodyRateBytesMin = 1_000_000_000
            $0.streamBytesMax = 1000
            $0.idleTimeout = .milliseconds(50)
        }
        let client = try server.client()
        try client.send("POST /stream/a/3000?wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n")
        try client.send([UInt8](repeating: 97, count: 2000))
        try throughout(seconds: 0.3, "no 408") { server.log().answered.isEmpty }
        server.onReactor { [handler = server.handler] _ in handler.letRead("a") }
        try client.send([UInt8](repeating: 97, count: 1000))
        #expect(try client.readResponse().bodyText == "3000")
        server.stop()
    }

    @Test func `a client that takes no bytes is closed, and holds no more than the bound`() throws {
        let server = try TestServer {
            $0.idleTimeout = .milliseconds(100)
            $0.unsentBytesMax = 200_000
        }
        let client = try server.client(receiveBufferBytes: 4096)
        // Pipelined answers far beyond the kernels' buffers.
        try client.send((0..<400).map { _ in "GET /big/100000 HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        try server.eventually("answers wait") { _ in
            server.onReactor { server in
                server.connections.firstLive().map { server.connections.at($0).pointee.isPaused } ?? false
            }
        }
        let unsent = server.onReactor { server in
            server.connections.firstLive().map { server.connections.at($0).pointee.stream.unsentBytes } ?? 0
        }
        #expect(unsent < 200_000 + 101_000)
        try server.eventually("it is closed") { _ in server.onReactor { $0.connectionCount } == 0 }
        #expect(server.log().handled.count < 400)
        server.stop()
    }

    @Test func `a client that sends for ever after the last answer is cut off`() throws {
        let server = try TestServer { $0.lingerTimeout = .milliseconds(100) }
        let client = try server.client()
        try client.send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(try client.readResponse().status == 200)
        let start = monotonicSeconds()
        #expect(throws: TestFailure.self) {
            while monotonicSeconds() < start + 10 { try client.send("more of it") }
        }
        try server.eventually("gone") { _ in server.onReactor { $0.connectionCount } == 0 }
        server.stop()
    }
}
