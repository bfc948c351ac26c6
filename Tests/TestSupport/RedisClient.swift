// A blocking Redis client for looking at what the gateway stored: one command, one reply (RESP2).
// Owned by one thread; not what the gateway uses, so that a defect there cannot hide here.

import Foundation

public indirect enum RedisValue: Equatable, Sendable {
    case simple(String)
    case error(String)
    case integer(Int)
    case bulk(String)
    case null
    case array([RedisValue])

    /// The text of a simple or bulk string.
    public var string: String? {
        switch self {
        case .simple(let text), .bulk(let text): text
        default: nil
        }
    }

    public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    public var array: [RedisValue]? { if case .array(let values) = self { values } else { nil } }
}

public final class RedisClient {
    private let socket: ClientSocket

    /// - Parameter url: `redis://[user:password@]host:port[/database]` or `unix:///path[?db=N]`; hosts are IPv4 addresses.
    public init(url: String, timeoutSeconds: Double = 10) throws {
        guard let parts = URLComponents(string: url) else { throw TestFailure("not a Redis URL: \(url)") }
        var database = 0
        if parts.scheme == "unix" {
            socket = try ClientSocket(unixPath: parts.path, timeoutSeconds: timeoutSeconds)
            database = parts.queryItems?.first { $0.name == "db" }?.value.flatMap { Int($0) } ?? 0
        } else {
            socket = try ClientSocket(
                port: parts.port ?? 6379, host: parts.host ?? "127.0.0.1", timeoutSeconds: timeoutSeconds)
            database = Int(parts.path.dropFirst()) ?? 0
        }
        if let password = parts.password {
            try expectOK(["AUTH"] + [parts.user].compactMap { $0 }.filter { !$0.isEmpty } + [password])
        }
        if database != 0 { try expectOK(["SELECT", "\(database)"]) }
    }

    public func command(_ arguments: String...) throws -> RedisValue { try command(arguments) }

    /// Sends one command and waits for its reply; an error reply is a value, not a throw.
    public func command(_ arguments: [String]) throws -> RedisValue {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            bytes += Array("$\(argument.utf8.count)\r\n".utf8) + Array(argument.utf8) + [13, 10]
        }
        try socket.send(bytes)
        return try readValue()
    }

    public func close() { socket.close() }

    private func expectOK(_ arguments: [String]) throws {
        let reply = try command(arguments)
        guard reply == .simple("OK") else { throw TestFailure("\(arguments[0]): \(reply)") }
    }

    private func readValue() throws -> RedisValue {
        let line = try readLine()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .simple(rest)
        case "-": return .error(rest)
        case ":": return .integer(try number(rest))
        case "$":
            let count = try number(rest)
            if count < 0 { return .null }
            let bytes = try readBytes(count + 2)
            return .bulk(String(decoding: bytes.dropLast(2), as: UTF8.self))
        case "*":
            let count = try number(rest)
            if count < 0 { return .null }
            return .array(try (0..<count).map { _ in try readValue() })
        default: throw TestFailure("not RESP: \(line)")
        }
    }

    private func number(_ text: String) throws -> Int {
        guard let value = Int(text) else { throw TestFailure("not a number in RESP: \(text)") }
        return value
    }

    private func readLine() throws -> String {
        while true {
            if let end = socket.received.firstIndex(of: 10) {
                return String(decoding: socket.take(end + 1).dropLast(2), as: UTF8.self)
            }
            try receiveMore()
        }
    }

    private func readBytes(_ count: Int) throws -> [UInt8] {
        while socket.received.count < count { try receiveMore() }
        return socket.take(count)
    }

    private func receiveMore() throws {
        guard try socket.receive() > 0 else { throw TestFailure("Redis closed the connection") }
    }
}
