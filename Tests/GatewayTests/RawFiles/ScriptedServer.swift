// A server whose answers a test writes: one request after the other, on any number of connections, one at a time.
// Its thread ends with the object. Answers that are no HTTP are sent as they are.

import Foundation
import Reactor
import Synchronization
import TestSupport

struct ScriptedRequest: Sendable {
    var method: String
    var target: String
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]
}

final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        case text(String)
        /// Sent, then the connection is closed.
        case last(String)
        /// Sent before the body has been read, then the connection is closed.
        case early(String)
    }

    let port: Int
    private let descriptor: Int32
    private let answer: @Sendable (ScriptedRequest) -> Answer
    private let seen = Locked<[ScriptedRequest]>([])
    private let isClosed = Atomic<Bool>(false)

    /// Requests so far.
    var requests: [ScriptedRequest] { seen.withLock { $0 } }

    init(_ answer: @escaping @Sendable (ScriptedRequest) -> Answer) throws {
        port = try FreePort.next()
        self.answer = answer
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard code == 0, listen(descriptor, 16) == 0 else { throw TestFailure("cannot listen on \(port)") }
        let thread = Thread { [self] in serve() }
        thread.start()
    }

    /// Ends the thread. To be called by each test. The thread closes the descriptor: closed here, its number could be
    /// another server's when the thread comes back to it.
    func close() {
        isClosed.store(true, ordering: .releasing)
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private func serve() {
        while !isClosed.load(ordering: .acquiring) {
            let connection = accept(descriptor, nil, nil)
            if connection < 0 { continue }
            converse(connection)
            Glibc.close(connection)
        }
        Glibc.close(descriptor)
    }

    private func converse(_ connection: Int32) {
        var received: [UInt8] = []
        let blank = Array("\r\n\r\n".utf8)
        while true {
            var end: Int?
            while end == nil {
                end = received.indices.first { received[$0...].starts(with: blank) }
                if end == nil, !receive(connection, &received) { return }
            }
            guard let end else { return }
            let lines = String(decoding: received[..<end], as: UTF8.self).components(separatedBy: "\r\n")
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.components(separatedBy: ": ")
                headers[parts[0].lowercased()] = parts.dropFirst().joined(separator: ": ")
            }
            received.removeFirst(end + 4)
            let words = lines[0].components(separatedBy: " ")
            var request = ScriptedRequest(method: words[0], target: words[1], headers: headers, body: [])
            if case .early(let text) = answer(request) {
                seen.withLock { $0.append(request) }
                return transmit(connection, text)
            }
            let count = Int(headers["content-length"] ?? "") ?? 0
            while received.count < count { if !receive(connection, &received) { return } }
            request.body = Array(received.prefix(count))
            received.removeFirst(count)
            seen.withLock { $0.append(request) }
            switch answer(request) {
            case .text(let text): transmit(connection, text)
            case .last(let text), .early(let text): return transmit(connection, text)
            }
        }
    }

    private func receive(_ connection: Int32, _ received: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(connection, &buffer, buffer.count, 0)
        if count > 0 { received += buffer[..<count] }
        return count > 0
    }

    private func transmit(_ connection: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
