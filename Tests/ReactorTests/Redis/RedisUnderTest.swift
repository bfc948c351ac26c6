// Names for the clients under test: the fixtures have a Redis client of their own, called the same.

import Foundation

@testable import Reactor

typealias ClientUnderTest = RedisClient
typealias ReplyUnderTest = RedisReply
typealias ValueUnderTest = RedisValue

extension RedisEndpoint {
    /// A test's server, `redis://127.0.0.1:PORT/DATABASE`.
    init?(url: String) {
        guard let parts = URLComponents(string: url), let host = parts.host, let port = parts.port.map(UInt16.init)
        else { return nil }
        self.init(.tcp(host: host, port: port), database: Int(parts.path.dropFirst()) ?? 0)
    }
}

/// Keeps what the flights of a test are told, in order.
final class FlightLog: RedisFlightOwner {
    enum Entry: Equatable {
        case reply(tag: UInt64, index: Int, ValueUnderTest)
        case failed(tag: UInt64, RedisFailure)
    }

    private(set) var entries: [Entry] = []

    func replied(_ reply: ReplyUnderTest, index: Int, of tag: UInt64) {
        entries.append(.reply(tag: tag, index: index, reply.value))
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) { entries.append(.failed(tag: tag, failure)) }

    func clear() { entries.removeAll() }
}

extension ByteBuffer {
    /// Writes a whole command: for tests, which may allocate.
    mutating func command(_ arguments: String...) {
        beginCommand(arguments.count)
        for text in arguments { argument(text) }
    }
}

extension Reactor {
    /// Starts a client and returns once it is connected.
    func connected(
        _ endpoint: RedisEndpoint, scripts: [RedisScript] = [], limits: RedisLimits = RedisLimits()
    ) async throws -> ClientUnderTest {
        let client = try ClientUnderTest(reactor: self, endpoint: endpoint, scripts: scripts, limits: limits)
        join(client)
        client.start()
        try await until("connected; last reason: \(client.lastReason ?? "none")") { client.isConnected }
        return client
    }
}
