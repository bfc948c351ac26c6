// What the tests of pollers share: an owner that writes down what it is told, and sockets whose other end is the test's.

import CReactor
import TestSupport
import Testing

@testable import Reactor

extension Poller {
    /// One wait and what came of it.
    /// - Returns: the number of events that were delivered.
    @discardableResult
    func poll(timeout: Interval?) -> Int {
        let count = wait(timeout: timeout)
        deliver()
        return count
    }

    /// Waits and delivers until `condition` holds.
    func poll(
        until what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
    ) throws {
        let deadline = Instant.read() + .seconds(20)
        while !condition() {
            guard Instant.read() < deadline else { throw NeverCameTrue(description: "never came true: \(what)") }
            poll(timeout: .milliseconds(50))
        }
    }

    /// Lets everything happen that can happen now.
    func settle() { for _ in 0..<4 { poll(timeout: .zero) } }
}

/// Writes down what a poller tells.
final class Recorder: StreamOwner, ListenerOwner, WatchOwner {
    var ids: [SlotID] = []
    var log: [String] = []
    var received: [UInt8] = []
    var accepts: [PeerAddress] = []
    var onReceive: () -> Void = {}

    func connected(tag: UInt32) { log.append("connected by \(tag)") }
    func received(_ bytes: RawSpan, tag: UInt32) {
        log.append("received \(bytes.byteCount) by \(tag)")
        received += bytes.array
        onReceive()
    }
    func receiveEnded(tag: UInt32) { log.append("ended by \(tag)") }
    func sent(_ count: Int, tag: UInt32) { log.append("sent \(count) by \(tag)") }
    func failed(_ error: SystemError, tag: UInt32) { log.append("failed \(error) by \(tag)") }
    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) { accepts.append(peer) }
    func acceptFailed(_ error: SystemError, tag: UInt32) { log.append("accept failed \(error) by \(tag)") }
    func ready(_ readiness: Readiness, tag: UInt32) { log.append("ready \(readiness.rawValue) by \(tag)") }
}

/// Two connected, non-blocking sockets; the first is handed to a poller, the second is the test's.
final class SocketPair {
    private var first: Int32
    private var second: Int32

    init() throws {
        var numbers: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &numbers) == 0 else { throw SystemError.tooManyConnections }
        first = numbers[0]
        second = numbers[1]
    }

    private init(_ first: Int32, _ second: Int32) {
        self.first = first
        self.second = second
    }

    /// The same over TCP, where a connection can be reset.
    static func tcp() throws -> SocketPair {
        let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        let client = try Descriptor.connect(host: "127.0.0.1", port: listener.boundPort)
        var address = cr_address()
        let accepted = cr_accept(listener.number, &address)
        guard accepted >= 0 else { throw SystemError(number: -accepted) }
        return SocketPair(accepted, client.release())
    }

    /// The first socket, while it is not joined to a poller.
    var ours: Int32 { first }

    deinit {
        if first >= 0 { cr_close(first) }
        closePeer()
    }

    func closePeer() {
        if second >= 0 { cr_close(second) }
        second = -1
    }

    /// Closes with a reset instead of an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(second, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        closePeer()
    }

    /// Hands the first socket to a poller.
    func join(_ poller: any Poller, _ owner: any StreamOwner, tag: UInt32, connecting: Bool = false) -> SlotID? {
        let descriptor = Descriptor(first)
        first = -1
        return poller.addStream(descriptor, connecting: connecting, owner: owner, tag: tag)
    }

    func write(_ text: String) { _ = write(Array(text.utf8)[...]) }

    /// - Returns: how many bytes the kernel took.
    func write(_ bytes: ArraySlice<UInt8>) -> Int {
        max(0, bytes.withUnsafeBytes { cr_send(second, $0.baseAddress, $0.count) })
    }

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
