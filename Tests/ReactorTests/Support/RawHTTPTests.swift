// The test client must itself be trusted: every framing, and what it refuses.

import Foundation
import TestSupport
import Testing

@Suite struct RawHTTPTests {
    /// Sends `answer` to the first client and closes; returns the client.
    private func client(receiving answer: String) throws -> RawHTTP {
        let server = try OneAnswerServer(answer)
        let client = try RawHTTP(port: server.port, timeoutSeconds: 5)
        try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return client
    }

    @Test func `pipelined responses are read one by one`() throws {
        let client = try client(
            receiving: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok"
                + "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(try client.readResponse().isInterim)
        let second = try client.readResponse()
        #expect(second.status == 200)
        #expect(second.bodyText == "ok")
        #expect(second.header("x-a") == "1")
        #expect(try client.readResponse().status == 204)
        try client.expectClosed()
    }

    @Test func `a chunked body is put together and its trailers kept`() throws {
        let client = try client(
            receiving:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
        )
        let response = try client.readResponse()
        #expect(response.bodyText == "abc0123456789")
        #expect(response.trailers.first?.value == "v")
    }

    @Test func `a body without a length ends with the connection`() throws {
        let response = try client(receiving: "HTTP/1.0 200 OK\r\n\r\nall of it").readResponse()
        #expect(response.bodyText == "all of it")
    }

    @Test func `a head's announced body is not waited for`() throws {
        let client = try client(receiving: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.readResponse(isHead: true).body.isEmpty)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
    ])
    func `a response that breaks the framing fails the test`(answer: String) throws {
        #expect(throws: TestFailure.self) { try client(receiving: answer).readResponse() }
    }

    @Test func `a server that does not answer is a timeout`() throws {
        let server = try OneAnswerServer(nil)
        let client = try RawHTTP(port: server.port, timeoutSeconds: 0.05)
        #expect(throws: TestFailure.self) { try client.readResponse() }
    }
}

/// Listens on 127.0.0.1 until the process ends. Given an answer, a thread reads the client's first bytes, sends it and
/// closes.
private final class OneAnswerServer: Sendable {
    let port: Int

    init(_ answer: String?) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 4) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard isListening else { throw TestFailure("cannot listen") }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard let answer else { return }
        Thread.detachNewThread {
            let client = accept(listener, nil, nil)
            var room = [UInt8](repeating: 0, count: 1024)
            _ = recv(client, &room, room.count, 0)
            _ = send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
            close(client)
        }
    }
}
