// A Redis of a test's own and a blocking client for it: one thread, one command at a time over a unix socket.

import Foundation
import TestSupport

/// A reply of Redis, as it came.
enum Reply: Equatable, Sendable {
    case status(String)
    case error(String)
    case integer(Int)
    case bulk(String)
    case null
    case array([Reply])

    var array: [Reply] {
        if case .array(let items) = self { items } else { [] }
    }

    /// The text of a bulk, status or integer reply.
    var text: String {
        switch self {
        case .status(let text), .bulk(let text), .error(let text): text
        case .integer(let number): String(number)
        case .null: "(null)"
        case .array: "(array)"
        }
    }

    var integer: Int { Int(text) ?? .min }
}

/// A `redis-server` in a temporary folder, ended with this.
final class PrivateRedis {
    enum Failure: Error {
        case neverListened
        case closed
        case replied(String)
    }

    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let socketPath: String
    private var connection: RedisConnection!

    init(arguments: [String] = []) throws {
        folder = try TemporaryFolder()
        socketPath = folder.path("s")
        process = try ChildProcess(
            "redis-server",
            ["--port", "0", "--unixsocket", socketPath, "--save", "", "--dir", folder.path("")] + arguments,
            outputPath: folder.path("log"), errorPath: folder.path("log"))
        TestRun.record(child: process.pid)
        connection = try eventuallyValue("redis-server listens") { RedisConnection(to: socketPath) }
    }

    deinit {
        process.signal(SIGKILL)
        _ = try? process.waitForExit()  // Killed: it ends.
        TestRun.forget(child: process.pid)
    }

    func anotherConnection() throws -> RedisConnection {
        guard let connection = RedisConnection(to: socketPath) else { throw Failure.neverListened }
        return connection
    }

    @discardableResult
    func callAsFunction(_ arguments: [String]) throws -> Reply { try connection(arguments) }

    @discardableResult
    func callAsFunction(_ arguments: String...) throws -> Reply { try connection(arguments) }
}

/// One connection: a command out, its reply in.
final class RedisConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var at = 0

    init?(to path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard result == 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// - Throws: `replied` for an error reply.
    @discardableResult
    func callAsFunction(_ arguments: [String]) throws -> Reply {
        var request = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            request += Array("$\(argument.utf8.count)\r\n\(argument)\r\n".utf8)
        }
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes { write(descriptor, $0.baseAddress! + sent, $0.count - sent) }
            guard count > 0 else { throw PrivateRedis.Failure.closed }
            sent += count
        }
        let reply = try nextReply()
        if case .error(let message) = reply { throw PrivateRedis.Failure.replied(message) }
        return reply
    }

    @discardableResult
    func callAsFunction(_ arguments: String...) throws -> Reply { try self(arguments) }

    private func readByte() throws -> UInt8 {
        if at == received.count {
            received = [UInt8](repeating: 0, count: 65_536)
            let count = received.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, $0.count) }
            guard count > 0 else { throw PrivateRedis.Failure.closed }
            received.removeLast(received.count - count)
            at = 0
        }
        at += 1
        return received[at - 1]
    }

    private func readLine() throws -> String {
        var line: [UInt8] = []
        while true {
            let byte = try readByte()
            if byte == UInt8(ascii: "\r") { break }
            line.append(byte)
        }
        _ = try readByte()
        return String(decoding: line, as: UTF8.self)
    }

    /// The next reply or message; waits for it.
    func nextReply() throws -> Reply {
        let line = try readLine()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .status(rest)
        case "-": return .error(rest)
        case ":": return .integer(Int(rest) ?? 0)
        case "$":
            guard let count = Int(rest), count >= 0 else { return .null }
            var bytes: [UInt8] = []
            for _ in 0..<count { bytes.append(try readByte()) }
            _ = try readLine()
            return .bulk(String(decoding: bytes, as: UTF8.self))
        case "*":
            guard let count = Int(rest), count >= 0 else { return .null }
            return .array(try (0..<count).map { _ in try nextReply() })
        default: throw PrivateRedis.Failure.closed
        }
    }
}
