// Several requests on one connection at once. RFC 9112 section 9.3.2.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPPipeliningTests {
    private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

    @Test func `answers leave in the order of their requests, RFC 9112 section 9.3.2`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/hold/a") + get("/hold/b") + get("/echo") + get("/hold/c") + get("/big/9000"))
        try server.eventually("all arrived") { $0.handled.count == 5 }
        server.answer("c", "third")
        server.answer("b", "second")
        #expect(throws: TestFailure.self) {
            client.socket.timeoutSeconds = 0.05
            _ = try client.readResponse()
        }
        client.socket.timeoutSeconds = 10
        server.answer("a", "first")
        #expect(try client.readResponse().bodyText == "first")
        #expect(try client.readResponse().bodyText == "second")
        #expect(try client.readResponse().bodyText == "GET /echo ")
        #expect(try client.readResponse().bodyText == "third")
        #expect(try client.readResponse().body.count == 9000)
        server.stop()
    }

    @Test func `reading stops at the bound of requests in flight and goes on below it`() throws {
        let server = try TestServer { $0.pipelineMax = 10 }
        let client = try server.client()
        try client.send((0..<35).map { get("/hold/\($0)") }.joined())
        try server.eventually("the bound is reached") { $0.handled.count == 10 }
        for number in 0..<35 {
            try server.eventually("request \(number) arrived") { $0.handled.count == min(35, number + 10) }
            server.answer("\(number)", "\(number)")
            #expect(try client.readResponse().bodyText == "\(number)")
        }
        server.stop()
    }

    @Test func `answers held back count towards the bound of unsent bytes`() throws {
        let server = try TestServer { $0.unsentBytesMax = 20_000 }
        let client = try server.client()
        try client.send(get("/hold/a") + (0..<20).map { _ in get("/big/5000") }.joined())
        try server.eventually("the bound is reached") { $0.handled.count == 5 }
        try throughout(seconds: 0.05, "reading has stopped") { server.log().handled.count == 5 }
        server.answer("a")
        _ = try client.readResponse()
        for _ in 0..<20 { #expect(try client.readResponse().body.count == 5000) }
        server.stop()
    }

    @Test func `a thousand requests in one piece are answered one by one`() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send((0..<3000).map { get("/echo/\($0)") }.joined())
        for number in 0..<3000 { #expect(try client.readResponse().bodyText == "GET /echo/\(number) ") }
        server.stop()
    }

    @Test func `one connection's pipeline leaves every other connection room for a request`() throws {
        let server = try TestServer {
            $0.connectionsMax = 4
            $0.pipelinedStock = 8
        }
        let greedy = try server.client()
        try greedy.send((0..<100).map { get("/hold/\($0)") }.joined())
        try server.eventually("the stock is used up") { $0.handled.count == 8 }
        for _ in 0..<3 {
            let modest = try server.client()
            try modest.send(get("/hold/m") + get("/echo"))
            try server.eventually("a first request is served") { $0.handled.last == "/hold/m" }
            server.answer("m", "m")
            #expect(try modest.readResponse().bodyText == "m")
            #expect(try modest.readResponse().bodyText == "GET /echo ")
        }
        server.stop()
    }

    @Test func `a head may be cut anywhere`() throws {
        let server = try TestServer()
        let request = Array(
            "POST /echo?a=1 HTTP/1.1\r\nHost: a\r\nX-Request-ID: abc\r\nContent-Length: 5\r\n\r\nhello".utf8)
        let client = try server.client()
        for cut in 1..<request.count {
            try client.send(Array(request[..<cut]))
            // The first part has arrived once the server has parsed it, which this second connection follows.
            _ = try RawHTTP.exchange(port: server.port, "GET", "/echo")
            try client.send(Array(request[cut...]))
            let answer = try client.readResponse()
            #expect(answer.bodyText == "POST /echo hello")
            #expect(answer.header("x-request-id") == "abc")
        }
        server.stop()
    }

    @Test func `requests may come byte by byte`() throws {
        let server = try TestServer()
        let client = try server.client()
        let requests =
            get("/echo/1") + "POST /echo/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz" + get("/echo/3")
        for byte in requests.utf8 { try client.send([byte]) }
        #expect(try client.readResponse().bodyText == "GET /echo/1 ")
        #expect(try client.readResponse().bodyText == "POST /echo/2 xyz")
        #expect(try client.readResponse().bodyText == "GET /echo/3 ")
        server.stop()
    }
}
