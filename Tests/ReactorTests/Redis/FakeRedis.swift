// A Redis that answers what the test says, byte for byte: on the test's own reactor, without a process.

@testable import Reactor

/// Listens on a free port of 127.0.0.1; answers the client's introduction by itself and everything else by `answer`.
final class FakeRedis: ListenerOwner, StreamOwner {
    enum Answer {
        case bytes(String)
        case silence
        case close
    }

    private let reactor: Reactor
    private var listener = SlotID.none
    private var stream: Stream?
    private let reader = RedisReader()
    private var waiting: [UInt8] = []
    let port: UInt16
    /// Bytes sent a turn; what is left waits for the next.
    var bytesPerTurn = Int.max
    var answer: ([String]) -> Answer = { _ in .bytes("+OK\r\n") }
    /// Replaces the answer to the introduction's `ROLE`.
    var role = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
    private(set) var acceptCount = 0

    init(_ reactor: Reactor) throws {
        self.reactor = reactor
        let descriptor = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        port = descriptor.boundPort
        guard let id = reactor.poller.addListener(descriptor, owner: self, tag: 0) else {
            throw NeverCameTrue(description: "a listener")
        }
        listener = id
        reactor.join(self)
    }

    var endpoint: RedisEndpoint { RedisEndpoint(.tcp(host: "127.0.0.1", port: port)) }

    func close() {
        drop()
        reactor.poller.remove(listener)
    }

    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        acceptCount += 1
        drop()
        waiting.removeAll()
        reader.reset()
        guard let id = reactor.poller.addStream(descriptor, connecting: false, owner: self, tag: 0) else { return }
        stream = Stream(id: id, reactor: reactor)
    }

    private func drop() { if let stream = stream.take() { stream.close() } }

    func acceptFailed(_ error: SystemError, tag: UInt32) {}
    func connected(tag: UInt32) {}
    func sent(_ count: Int, tag: UInt32) { if stream != nil { _ = stream!.sent(count) } }
    func receiveEnded(tag: UInt32) { drop() }
    func failed(_ error: SystemError, tag: UInt32) { drop() }

    func received(_ bytes: RawSpan, tag: UInt32) {
        reader.feed(bytes)
        while reader.next() == .reply { respond(command()) }
    }

    private func command() -> [String] {
        let reader = reader
        return reader.reply.value.elements?.compactMap(\.text) ?? []
    }

    private func respond(_ command: [String]) {
        switch command.first {
        case "CLIENT": send("+OK\r\n")
        case "ROLE": send(role)
        case "TIME": send("*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n")
        default:
            switch answer(command) {
            case .bytes(let text): send(text)
            case .silence: break
            case .close: drop()
            }
        }
    }

    func send(_ text: String) { waiting.append(contentsOf: text.utf8) }
}

extension FakeRedis: TurnParticipant {
    func turnEnded() {
        guard !waiting.isEmpty, stream != nil else { return }
        let count = min(bytesPerTurn, waiting.count)
        stream!.write { buffer in waiting[0..<count].withUnsafeBytes { buffer.append($0) } }
        _ = stream!.flush()
        waiting.removeFirst(count)
        // A turn comes soon, also for what is left.
        if !waiting.isEmpty { reactor.spawn {} }
    }
}
