import CReactor
import Testing

@testable import Reactor

@Suite struct EpollPollerTests {
    @Test func `an event for a descriptor closed in the same wait reaches nobody`() throws {
        let poller = try EpollPoller(descriptorsMax: 8)
        let pairs = [try SocketPair(), try SocketPair()]
        let owner = Recorder(poller)
        owner.ids = pairs.map { $0.join(poller, owner, tag: 7)! }
        // Both are ready; whichever is told first closes the other, and puts a new stream in its slot.
        for pair in pairs { pair.write("x") }
        let fresh = try SocketPair()
        owner.onReceive = { [unowned owner] in
            for id in owner.ids { poller.remove(id) }
            owner.ids = [fresh.join(poller, owner, tag: 9)!]
        }
        #expect(poller.poll(timeout: .seconds(5)) == 2)
        #expect(owner.log == ["received 1 by 7"])
    }

    @Test func `what does not fit is sent later, whole and in order`() throws {
        let poller = try EpollPoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder(poller)
        let id = try #require(pair.join(poller, owner, tag: 1))
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var sentCount = 0
        var received: [UInt8] = []
        while received.count < bytes.count {
            let outcome = bytes[sentCount...].withUnsafeBytes { poller.send(id, $0) }
            guard case .sent(let count) = outcome else {
                Issue.record("not sent: \(outcome)")
                return
            }
            sentCount += count
            received += pair.readAll()
            if sentCount < bytes.count {
                owner.log.removeAll()
                #expect(poller.poll(timeout: .seconds(5)) > 0)
                #expect(owner.log == ["sent 0 by 1"])
            }
        }
        #expect(received == bytes)
    }

    @Test func `while receiving is off nothing is told, and afterwards everything`() throws {
        let poller = try EpollPoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder(poller)
        let id = try #require(pair.join(poller, owner, tag: 1))
        poller.setReceiving(id, false)
        pair.write("abc")
        #expect(poller.poll(timeout: .zero) == 0)
        poller.setReceiving(id, true)
        #expect(poller.poll(timeout: .seconds(5)) == 1)
        #expect(owner.log == ["received 3 by 1"])
    }

    @Test func `the end of the peer's bytes is told once`() throws {
        let poller = try EpollPoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder(poller)
        let id = try #require(pair.join(poller, owner, tag: 1))
        #expect(poller.peerIsThere(id))
        pair.endSending()
        #expect(poller.poll(timeout: .seconds(5)) == 1)
        #expect(owner.log == ["ended by 1"])
        #expect(poller.poll(timeout: .zero) == 0)
    }

    @Test func `a full table refuses a stream and closes its descriptor`() throws {
        let poller = try EpollPoller(descriptorsMax: 1)
        let owner = Recorder(poller)
        let first = try SocketPair()
        let second = try SocketPair()
        #expect(first.join(poller, owner, tag: 1) != nil)
        #expect(second.join(poller, owner, tag: 2) == nil)
        #expect(second.isPeerClosed)
        #expect(!first.isPeerClosed)
    }

    @Test func `a connection refused is a failure of its stream`() throws {
        let port: UInt16
        do {
            let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
            port = listener.boundPort
        }
        let poller = try EpollPoller(descriptorsMax: 8)
        let owner = Recorder(poller)
        let descriptor = try Descriptor.connect(host: "127.0.0.1", port: port)
        let id = poller.addStream(descriptor, connecting: true, owner: owner, tag: 4)
        #expect(id != nil)
        #expect(poller.poll(timeout: .seconds(5)) == 1)
        #expect(owner.log == ["failed Connection refused by 4"])
    }
}

/// Writes down what a poller tells.
final class Recorder: StreamOwner {
    /// The poller holds its owners.
    private unowned let poller: any Poller
    var ids: [SlotID] = []
    var log: [String] = []
    var onReceive: () -> Void = {}
    init(_ poller: any Poller) { self.poller = poller }

    func connected(tag: UInt32) { log.append("connected by \(tag)") }
    func received(_ bytes: RawSpan, tag: UInt32) {
        log.append("received \(bytes.byteCount) by \(tag)")
        onReceive()
    }
    func receiveEnded(tag: UInt32) { log.append("ended by \(tag)") }
    func sent(_ count: Int, tag: UInt32) { log.append("sent \(count) by \(tag)") }
    func failed(_ error: SystemError, tag: UInt32) { log.append("failed \(error) by \(tag)") }
}

/// Two connected, non-blocking sockets; the first is handed to a poller, the second is the test's.
final class SocketPair {
    private var first: Int32
    private let second: Int32

    init() throws {
        var numbers: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &numbers) == 0 else { throw SystemError.tooManyConnections }
        first = numbers[0]
        second = numbers[1]
    }

    deinit {
        if first >= 0 { cr_close(first) }
        cr_close(second)
    }

    /// Hands the first socket to a poller.
    func join(_ poller: any Poller, _ owner: any StreamOwner, tag: UInt32) -> SlotID? {
        let descriptor = Descriptor(first)
        first = -1
        return poller.addStream(descriptor, connecting: false, owner: owner, tag: tag)
    }

    func write(_ text: String) { _ = Array(text.utf8).withUnsafeBytes { cr_send(second, $0.baseAddress, $0.count) } }

    /// What has arrived, at most `limit` bytes.
    func read(limit: Int = 65536) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes { cr_receive(second, $0.baseAddress, $0.count) }
        return Array(bytes.prefix(max(0, count)))
    }

    func readAll() -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let more = read()
            if more.isEmpty { return all }
            all += more
        }
    }

    func endSending() { cr_end_sending(second) }

    var isPeerClosed: Bool { cr_peer_alive(second) == 0 }
}
