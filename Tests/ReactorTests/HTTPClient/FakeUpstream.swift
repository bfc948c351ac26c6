// An upstream that does what the test says, byte for byte: on the test's own reactor, several connections at once.

import CReactor

@testable import Reactor

/// Listens on a free port of one address; every request that arrives is answered by `answer`.
final class FakeUpstream: ListenerOwner, StreamOwner {
    /// What a connection does with a request, step by step, a step a turn.
    enum Step {
        case send([UInt8])
        /// So many bytes `x`, as the client takes them.
        case fill(Int)
        case close
        /// Closes with a reset.
        case reset
    }

    final class Peer {
        let id: SlotID
        let descriptor: Int32
        var received: [UInt8] = []
        var steps: [Step] = []
        var requestCount = 0
        init(_ id: SlotID, _ descriptor: Int32) {
            self.id = id
            self.descriptor = descriptor
        }
    }

    private let reactor: Reactor
    private var listener = SlotID.none
    private var peers: [UInt32: Peer] = [:]
    private var nextTag: UInt32 = 0
    let port: UInt16
    /// Steps that answer a request (its head and body as text), on a connection that has had so many before it.
    var answer: (_ request: String, _ earlier: Int) -> [Step] = { _, _ in [] }
    /// Whether connections that come from now on are read.
    var isReading = true
    private(set) var acceptCount = 0
    private(set) var requests: [String] = []
    /// Bytes of `fill` that the kernel took.
    private(set) var filledBytes = 0

    init(_ reactor: Reactor, host: String = "127.0.0.1", port: UInt16 = 0) throws {
        self.reactor = reactor
        let descriptor = try Descriptor.listen(host: host, port: port, sharedPort: false)
        self.port = descriptor.boundPort
        guard let id = reactor.poller.addListener(descriptor, owner: self, tag: 0) else {
            throw NeverCameTrue(description: "a listener")
        }
        listener = id
        reactor.join(self)
    }

    /// Answers everything with one text.
    convenience init(_ reactor: Reactor, always text: String) throws {
        try self.init(reactor)
        answer = { _, _ in [.send(Array(text.utf8))] }
    }

    var endpoint: HTTPClientEndpoint { HTTPClientEndpoint(host: "127.0.0.1", port: port) }
    var openCount: Int { peers.count }

    func close() {
        for tag in Array(peers.keys) { drop(tag) }
        reactor.poller.remove(listener)
    }

    /// Closes every connection, as a server does with idle ones.
    func dropAll() {
        for (tag, peer) in peers {
            // Seen at once, and not when the poller closes the descriptor.
            cr_end_sending(peer.descriptor)
            drop(tag)
        }
    }

    /// Sends bytes nobody asked for on every connection.
    func sendToAll(_ text: String) {
        for peer in peers.values { peer.steps.append(.send(Array(text.utf8))) }
    }

    /// Reads from all connections.
    func readAgain() {
        isReading = true
        for peer in peers.values { reactor.poller.setReceiving(peer.id, true) }
    }

    private func drop(_ tag: UInt32) {
        if let peer = peers.removeValue(forKey: tag) { reactor.poller.remove(peer.id) }
    }

    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        acceptCount += 1
        let tag = nextTag
        nextTag += 1
        let number = descriptor.number
        if let id = reactor.poller.addStream(descriptor, connecting: false, owner: self, tag: tag) {
            peers[tag] = Peer(id, number)
            if !isReading { reactor.poller.setReceiving(id, false) }
        }
    }

    func acceptFailed(_ error: SystemError, tag: UInt32) {}
    func connected(tag: UInt32) {}
    func sent(_ count: Int, tag: UInt32) {}
    func receiveEnded(tag: UInt32) { drop(tag) }
    func failed(_ error: SystemError, tag: UInt32) { drop(tag) }

    func received(_ bytes: RawSpan, tag: UInt32) {
        guard let peer = peers[tag] else { return }
        peer.received += bytes.array
        while let request = Self.takeRequest(&peer.received) {
            requests.append(request)
            peer.steps += answer(request, peer.requestCount)
            peer.requestCount += 1
        }
    }

    private static func takeRequest(_ bytes: inout [UInt8]) -> String? {
        // A head has at most so many bytes: a long body is not searched with each piece of it.
        let text = String(decoding: bytes.prefix(16 * 1024), as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.upperBound]
        let length = head.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
        let count = head.utf8.count + length
        guard bytes.count >= count else { return nil }
        defer { bytes.removeFirst(count) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

extension FakeUpstream: TurnParticipant {
    func turnEnded() {
        var goesOn = false
        for (tag, peer) in peers where !peer.steps.isEmpty {
            switch peer.steps.removeFirst() {
            case .send(let bytes):
                let count = send(bytes[...], to: peer)
                if count < bytes.count { peer.steps.insert(.send(Array(bytes[count...])), at: 0) }
            case .fill(let bytes):
                let count = send(Self.filling.prefix(bytes), to: peer)
                filledBytes += count
                if count < bytes { peer.steps.insert(.fill(bytes - count), at: 0) }
            case .close: drop(tag)
            case .reset:
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(peer.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
                drop(tag)
            }
            goesOn = goesOn || peers[tag]?.steps.isEmpty == false
        }
        // A turn comes soon for what is left.
        if goesOn { reactor.spawn {} }
    }

    /// - Returns: how many bytes the kernel took.
    private func send(_ bytes: ArraySlice<UInt8>, to peer: Peer) -> Int {
        // Past the poller, which may keep a loan: what is sent here lives for this call only.
        max(0, bytes.withUnsafeBytes { cr_send(peer.descriptor, $0.baseAddress, $0.count) })
    }

    private static let filling = [UInt8](repeating: UInt8(ascii: "x"), count: 64 * 1024)
}

extension HTTPClient {
    /// A GET and the whole of its answer.
    func get(
        _ target: String = "/", _ endpoints: HTTPClientEndpoint..., timeouts: HTTPClientTimeouts = HTTPClientTimeouts()
    ) async throws(HTTPClientFailure) -> (status: Int, body: String) {
        let request = HTTPClientRequest(.get, target, endpoints: endpoints, timeouts: timeouts)
        let response = try await send(request)
        return (response.status, String(decoding: try await response.collect(bytesMax: 1 << 30), as: UTF8.self))
    }

    /// Why a request fails; nil where it does not.
    func failure(
        _ endpoints: HTTPClientEndpoint..., method: HTTPMethod = .get,
        timeouts: HTTPClientTimeouts = HTTPClientTimeouts()
    ) async -> HTTPClientFailure? {
        do throws(HTTPClientFailure) {
            let response = try await send(HTTPClientRequest(method, "/", endpoints: endpoints, timeouts: timeouts))
            _ = try await response.collect(bytesMax: 1 << 30)
            return nil
        } catch {
            return error
        }
    }
}

/// A response of known length.
func answer(_ body: String, status: String = "200 OK", headers: String = "") -> [UInt8] {
    Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)".utf8)
}
