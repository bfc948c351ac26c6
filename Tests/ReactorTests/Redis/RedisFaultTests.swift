import Testing

@testable import Reactor

/// The client against a server that misbehaves on purpose.
@Suite struct RedisFaultTests {
    @Test func `replies that arrive byte by byte are replies`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            server.bytesPerTurn = 1
            server.answer = { .bytes("*2\r\n$\($0[1].utf8.count)\r\n\($0[1])\r\n:7\r\n") }
            let client = try await reactor.connected(server.endpoint)
            let value = try await client.command("ECHO", "hello")
            #expect(value == .array([.string(Array("hello".utf8)), .integer(7)]))
            client.close()
            server.close()
        }
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "$-7\r\n", "*1\r\n!\r\n"])
    func `garbage costs the connection, and the client connects again`(garbage: String) async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            server.answer = { _ in .bytes(garbage) }
            let client = try await reactor.connected(server.endpoint)
            let log = FlightLog()
            _ = client.submit(owner: log, tag: 1) { $0.command("GET", "a") }
            _ = client.submit(owner: log, tag: 2) { $0.command("GET", "b") }
            try await reactor.until("failed") { log.entries.count == 2 }
            #expect(
                log.entries == [
                    .failed(tag: 1, .protocolViolation("bytes that are not RESP")), .failed(tag: 2, .unavailable),
                ])
            server.answer = { _ in .bytes(":1\r\n") }
            try await reactor.until("back") { client.isConnected }
            #expect(try await client.command("GET", "a").number == 1)
            #expect(server.acceptCount == 2)
            client.close()
            server.close()
        }
    }

    @Test func `a reply to nothing costs the connection`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            let client = try await reactor.connected(server.endpoint)
            server.send("+surprise\r\n")
            try await reactor.until("noticed") { client.lossCount == 1 }
            try await reactor.until("back") { client.isConnected }
            client.close()
            server.close()
        }
    }

    @Test func `an end in the middle of a reply fails the flight and those behind it`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            var asked = 0
            server.answer = { _ in
                asked += 1
                return asked == 1 ? .bytes("+one\r\n$10\r\nhal") : asked == 2 ? .silence : .close
            }
            let client = try await reactor.connected(server.endpoint)
            let log = FlightLog()
            for tag in 1...2 {
                _ = client.submit(owner: log, tag: UInt64(tag), replies: 2) { buffer in
                    buffer.command("A")
                    buffer.command("B")
                }
                try await reactor.until("asked") { asked == tag * 2 || log.entries.count > 1 }
            }
            try await reactor.until("failed") { log.entries.count == 3 }
            #expect(
                log.entries == [
                    .reply(tag: 1, index: 0, .status("one")), .failed(tag: 1, .unavailable),
                    .failed(tag: 2, .unavailable),
                ])
            client.close()
            server.close()
        }
    }

    @Test func `a server that is loading its data is asked again until it has`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            server.role = "-LOADING Redis is loading the dataset in memory\r\n"
            let client = try ClientUnderTest(reactor: reactor, endpoint: server.endpoint)
            client.start()
            try await reactor.until("tried twice") { server.acceptCount >= 2 }
            #expect(client.lastFailure == .refused("LOADING Redis is loading the dataset in memory"))
            #expect(client.lossCount == 0)
            server.role = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
            try await reactor.until("connected") { client.isConnected }
            client.close()
            server.close()
        }
    }

    @Test func `an owner may submit, and close the client, from inside a reply`() async throws {
        try await onReactor { reactor in
            let server = try FakeRedis(reactor)
            server.answer = { .bytes("+\($0[0])\r\n") }
            let client = try await reactor.connected(server.endpoint)
            let owner = Closer(client)
            _ = client.submit(owner: owner, tag: 0) { $0.command("first") }
            try await reactor.until("second failed") { owner.failures == [1, 2] }
            #expect(owner.replies == ["first"])
            #expect(!client.isConnected)
            server.close()
        }
    }
}

/// Submits two more commands at its first reply and closes the client.
private final class Closer: RedisFlightOwner {
    let client: ClientUnderTest
    var replies: [String] = []
    var failures: [UInt64] = []
    init(_ client: ClientUnderTest) { self.client = client }

    func replied(_ reply: ReplyUnderTest, index: Int, of tag: UInt64) {
        replies.append(reply.bytes.string)
        _ = client.submit(owner: self, tag: 1) { $0.command("second") }
        _ = client.submit(owner: self, tag: 2) { $0.command("third") }
        client.close()
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) { failures.append(tag) }
}
