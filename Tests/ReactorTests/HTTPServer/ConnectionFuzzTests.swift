// Many clients at once that cut, pipeline, dawdle, break off and reset at random, from a printed seed. In the end
// nothing may be left: no exchange, no connection, no buffer, no descriptor.

import Foundation
import TestSupport
import Testing

@testable import Reactor

@Suite(.serialized) struct HTTPConnectionFuzzTests {
    /// A message and what its answers must be; nil where the connection may end in any way after it.
    private struct Script {
        var bytes: [UInt8] = []
        var statuses: [Int] = []
        var bodies: [String?] = []
        var isSound = true

        mutating func add(_ text: String, _ status: Int, _ body: String?) {
            bytes += Array(text.utf8)
            statuses.append(status)
            bodies.append(body)
        }
    }

    private func script(_ random: inout RandomSource) -> Script {
        var script = Script()
        for number in 0..<random.int(in: 1...12) {
            let body = String(repeating: "b", count: random.int(in: 0...random.pick([10, 3000, 40_000])))
            switch random.int(in: 0...6) {
            case 0, 1: script.add("GET /echo/\(number) HTTP/1.1\r\nHost: a\r\n\r\n", 200, "GET /echo/\(number) ")
            case 2:
                script.add(
                    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)", 200,
                    "POST /echo \(body)")
            case 3:
                let size = String(max(1, body.utf8.count), radix: 16)
                let data = body.isEmpty ? "b" : body
                script.add(
                    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n\(data)\r\n"
                        + "0\r\nX: y\r\n\r\n", 200, "POST /echo \(data)")
            case 4:
                script.add(
                    "POST /refuse/401 HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)", 401,
                    nil)
            case 5:
                script.add(
                    "POST /stream/\(random.next())/100000 HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)"
                        + "\r\n\r\n\(body)", 200, "\(body.utf8.count)")
            default: script.add("GET /big/\(body.utf8.count) HTTP/1.1\r\nHost: a\r\n\r\n", 200, body)
            }
        }
        if random.chance(0.3) {
            script.isSound = false
            let faults = [
                "GET / HTTP/1.1\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "GE",
            ]
            script.bytes += Array(random.pick(faults).utf8)
        }
        return script
    }

    /// One client: sends its script in random pieces, then reads to the end, or breaks off somewhere.
    private func play(_ script: Script, _ server: TestServer, _ random: inout RandomSource) throws {
        let client = try server.client()
        let breaksOff = random.chance(0.35)
        var offset = 0
        let end = breaksOff ? random.int(in: 0...script.bytes.count) : script.bytes.count
        for length in random.pieces(of: end, lengthMax: random.pick([3, 200, 70_000])) {
            try client.send(Array(script.bytes[offset..<offset + length]))
            offset += length
        }
        if breaksOff || !script.isSound {
            switch random.int(in: 0...2) {
            case 0: client.socket.reset()
            case 1: client.close()
            default:
                client.socket.finishSending()
                _ = try client.readToEnd()
            }
            return
        }
        for (status, body) in zip(script.statuses, script.bodies) {
            let answer = try client.readResponse()
            guard answer.status == status, body == nil || answer.bodyText == body else {
                throw TestFailure("a \(answer.status) with \(answer.bodyText.prefix(80)) in place of a \(status)")
            }
        }
        if random.chance(0.5) { client.socket.reset() }
    }

    @Test func `clients that do what they like leave nothing behind`() throws {
        let seed = RandomSource().seed
        let server = try TestServer {
            $0.pipelineMax = 4
            $0.unsentBytesMax = 50_000
            $0.streamBytesMax = 10_000
            $0.lingerTimeout = .milliseconds(100)
        }
        let failures = Locked<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            var random = RandomSource(seed: seed &+ UInt64(thread))
            for round in 0..<100 {
                do {
                    try play(script(&random), server, &random)
                } catch {
                    failures.withLock { $0.append("thread \(thread), round \(round): \(error)") }
                }
            }
        }
        #expect(failures.withLock { $0 } == [])
        try server.eventually("all connections are gone") { _ in server.onReactor { $0.connectionCount } == 0 }
        // `stop` checks exchanges and buffers, and that each request ended exactly once.
        server.stop()
    }

    @Test func `connections opened and closed in random order leave no descriptor`() throws {
        var random = RandomSource()
        let server = try TestServer { $0.lingerTimeout = .milliseconds(100) }
        let target = "/proc/self/fd"
        func sockets() throws -> Int {
            // Only sockets to this server's port count: other tests open and close theirs meanwhile.
            let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
            let port = String(format: ":%04X ", server.port)
            var inodes = Set<String>()
            for line in table.split(separator: "\n") where line.contains(port) {
                inodes.insert(String(line.split(separator: " ")[9]))
            }
            return try FileManager.default.contentsOfDirectory(atPath: target).filter { name in
                guard let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(target)/\(name)")
                else { return false }  // closed since it was listed
                return inodes.contains(where: { link == "socket:[\($0)]" && $0 != "0" })
            }.count
        }
        var open: [RawHTTP] = []
        for _ in 0..<1500 {
            if open.count < 60, random.chance(0.55) || open.isEmpty {
                let client = try server.client()
                if random.chance(0.7) { try client.send("GET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n") }
                if random.chance(0.3) {
                    try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
                }
                open.append(client)
            } else {
                let client = open.remove(at: random.int(in: 0...(open.count - 1)))
                if random.chance(0.5) { client.socket.reset() } else { client.close() }
            }
        }
        for client in open { client.socket.reset() }
        open = []
        try server.eventually("the server has noticed") { _ in
            server.onReactor { server in
                // A client that only closed might still read: its requests stay until they are answered.
                var next = server.exchanges.firstLive()
                while let index = next {
                    server.respond(server.exchanges.id(at: index), status: 200) { $0.append("x") }
                    next = server.exchanges.firstLive(from: index + 1)
                }
                return server.connectionCount
            } == 0
        }
        try eventually("only the listener is left") { try sockets() == 1 }
        server.stop()
        #expect(try sockets() == 0)
    }
}
