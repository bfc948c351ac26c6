// An upstream service of the tests: real sockets, a thread a connection, each request answered as the test says.
// Any thread may use it. It ends with `stop()` or its last owner.

import Foundation
import Reactor

/// Something that requests wait for until the test lets them go on.
public final class TestGate: @unchecked Sendable {
    // Proof: `isOpen` is only touched under the condition's lock.
    private let condition = NSCondition()
    private var isOpen = false

    public init() {}

    public func open() {
        condition.lock()
        isOpen = true
        condition.broadcast()
        condition.unlock()
    }

    fileprivate func wait() {
        condition.lock()
        let deadline = Date(timeIntervalSinceNow: 60)
        while !isOpen, condition.wait(until: deadline) {}
        condition.unlock()
    }
}

public final class TestUpstream: Sendable {
    public struct Request: Sendable {
        public var method: String
        public var target: String
        public var headers: [(name: String, value: String)]
        public var body: String

        /// All values of a header, joined; nil where it was not sent.
        public func header(_ name: String) -> String? {
            let values = headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
            return values.isEmpty ? nil : values.joined(separator: ", ")
        }
    }

    /// What becomes of a request.
    public indirect enum Answer: Sendable {
        case respond(Int, headers: [String] = [], body: String = "")
        /// So many bytes `x` with their length announced, as the client takes them.
        case fill(Int, headers: [String] = [])
        /// The same in chunks, the length unknown.
        case fillChunked(Int, headers: [String] = [])
        /// These bytes, then the end of the connection.
        case raw(String)
        case reset
        /// Nothing, until the connection ends.
        case hang
        case hold(TestGate, Answer)
    }

    private struct State {
        var requests: [Request] = []
        var descriptors: Set<Int32> = []
        var filledBytes = 0
        var headCount = 0
        var handler: @Sendable (Request) -> Answer
        var headHandler: @Sendable (Request) -> Answer? = { _ in nil }
        var isStopped = false
    }

    public let port: Int
    private let listener: Int32
    private let state: Locked<State>
    private let bodies: TestGate?

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - bodies: nothing is received of a body before this opens, but for what comes with its head.
    public init(
        port: Int = 0, bodies: TestGate? = nil, _ handler: @escaping @Sendable (Request) -> Answer
    ) throws {
        self.bodies = bodies
        state = Locked(State(handler: handler))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                let bound = bind(listener, generic, size)
                return bound == 0 ? getsockname(listener, generic, &size) : bound
            }
        }
        guard code == 0, listen(listener, 256) == 0 else { throw TestFailure("no listener for an upstream") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0, let self, self.keep(descriptor) else {
                    if descriptor >= 0 { Glibc.close(descriptor) }
                    return
                }
                Thread.detachNewThread { [self] in serve(descriptor) }
            }
        }
    }

    deinit { stop() }

    public var url: String { "http://127.0.0.1:\(port)" }
    public var requests: [Request] { state.withLock { $0.requests } }
    public var requestCount: Int { state.withLock { $0.requests.count } }
    public var connectionCount: Int { state.withLock { $0.descriptors.count } }
    /// Requests whose heads have come.
    public var headCount: Int { state.withLock { $0.headCount } }
    /// Bytes of `fill` that have left.
    public var filledBytes: Int { state.withLock { $0.filledBytes } }

    /// Answers all requests from now on by `handler`.
    public func handle(_ handler: @escaping @Sendable (Request) -> Answer) { state.withLock { $0.handler = handler } }

    /// Answers requests by their heads, where `handler` has an answer: their bodies are not waited for.
    public func handleHeads(_ handler: @escaping @Sendable (Request) -> Answer?) {
        state.withLock { $0.headHandler = handler }
    }

    /// Accepts no more, and ends all connections.
    public func stop() {
        let descriptors = state.withLock { state in
            let isFirst = !state.isStopped
            state.isStopped = true
            return isFirst ? state.descriptors : nil
        }
        guard let descriptors else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
        for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func keep(_ descriptor: Int32) -> Bool {
        state.withLock { state in
            if !state.isStopped { state.descriptors.insert(descriptor) }
            return !state.isStopped
        }
    }

    private func serve(_ descriptor: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var received: [UInt8] = []
        while let request = read(descriptor, &received) {
            let handler = state.withLock { state in
                state.requests.append(request)
                return state.handler
            }
            guard answer(handler(request), descriptor, isHead: request.method == "HEAD") else { break }
        }
        state.withLock { _ = $0.descriptors.remove(descriptor) }
        Glibc.close(descriptor)
    }

    // MARK: Answering

    /// - Returns: whether the connection goes on.
    private func answer(_ answer: Answer, _ descriptor: Int32, isHead: Bool) -> Bool {
        switch answer {
        case .respond(let status, let headers, let body):
            let length = status == 304 || status == 204 ? [] : ["Content-Length: \(body.utf8.count)"]
            let head = Self.head(status, headers + length)
            return send(Array((head + (isHead ? "" : body)).utf8), descriptor)
        case .fill(let count, let headers):
            let isSent = send(Array(Self.head(200, headers + ["Content-Length: \(count)"]).utf8), descriptor)
            return isSent && fill(count, descriptor, isChunked: false)
        case .fillChunked(let count, let headers):
            let isSent = send(Array(Self.head(200, headers + ["Transfer-Encoding: chunked"]).utf8), descriptor)
            return isSent && fill(count, descriptor, isChunked: true) && send(Array("0\r\n\r\n".utf8), descriptor)
        case .raw(let text):
            _ = send(Array(text.utf8), descriptor)
            return false
        case .reset:
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
            return false
        case .hang:
            var rest: [UInt8] = []
            while Self.receive(descriptor, &rest) {}
            return false
        case .hold(let gate, let then):
            gate.wait()
            return self.answer(then, descriptor, isHead: isHead)
        }
    }

    private static func head(_ status: Int, _ headers: [String]) -> String {
        "HTTP/1.1 \(status) Test\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private func fill(_ count: Int, _ descriptor: Int32, isChunked: Bool) -> Bool {
        var left = count
        while left > 0 {
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: min(left, 64 * 1024))
            let framed =
                isChunked ? Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8) : piece
            guard send(framed, descriptor) else { return false }
            left -= piece.count
            state.withLock { $0.filledBytes += piece.count }
        }
        return true
    }

    private func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    // MARK: Reading

    private static func receive(_ descriptor: Int32, _ received: inout [UInt8]) -> Bool {
        var room = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &room, room.count, 0)
        guard count > 0 else { return false }
        received += room[..<count]
        return true
    }

    /// The next request of a connection; nil at its end, and after one that was answered by its head.
    private func read(_ descriptor: Int32, _ received: inout [UInt8]) -> Request? {
        var head: (request: Request, bytes: Int)?
        while true {
            if head == nil, let end = Self.headEnd(received) {
                let request = Self.parse(String(decoding: received[..<(end - 4)], as: UTF8.self)[...])
                head = (request, end)
                if isAnswered(request, descriptor) { return nil }
                if Self.body(received[end...], of: request) == nil { bodies?.wait() }
            }
            if let head, let found = Self.body(received[head.bytes...], of: head.request) {
                var request = head.request
                request.body = String(decoding: found.0, as: UTF8.self)
                received.removeFirst(head.bytes + found.count)
                return request
            }
            guard Self.receive(descriptor, &received) else { return nil }
        }
    }

    private func isAnswered(_ request: Request, _ descriptor: Int32) -> Bool {
        let handler = state.withLock { state in
            state.headCount += 1
            return state.headHandler
        }
        guard let early = handler(request) else { return false }
        _ = answer(early, descriptor, isHead: request.method == "HEAD")
        return true
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        let end: [UInt8] = [13, 10, 13, 10]
        return (0...bytes.count - 4).first { bytes[$0] == 13 && bytes[$0..<$0 + 4].elementsEqual(end) }.map { $0 + 4 }
    }

    /// A body without its framing, and how many bytes it took; nil where it is not complete.
    private static func body(_ bytes: ArraySlice<UInt8>, of request: Request) -> ([UInt8], count: Int)? {
        guard request.header("Transfer-Encoding") != nil else {
            let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
            return bytes.count >= length ? (Array(bytes.prefix(length)), length) : nil
        }
        var (body, rest) = ([UInt8](), bytes)
        while let line = rest.firstIndex(of: 10) {
            guard let size = Int(String(decoding: rest[..<(line - 1)], as: UTF8.self), radix: 16),
                rest.endIndex >= line + 1 + size + 2
            else { return nil }
            let data = rest[(line + 1)..<(line + 1 + size)]
            rest = rest[(line + 1 + size + 2)...]
            if size == 0 { return (body, rest.startIndex - bytes.startIndex) }
            body += data
        }
        return nil
    }

    private static func parse(_ head: Substring) -> Request {
        let lines = head.split(separator: "\r\n")
        let parts = (lines.first ?? "").split(separator: " ")
        let headers = lines.dropFirst().map { line in
            let pair = line.split(separator: ":", maxSplits: 1)
            return (name: String(pair[0]), value: String(pair.last ?? "").trimmingCharacters(in: .whitespaces))
        }
        return Request(
            method: String(parts.first ?? ""), target: parts.count > 1 ? String(parts[1]) : "", headers: headers,
            body: "")
    }
}
