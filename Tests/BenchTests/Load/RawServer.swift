// A server that sends what the test says, whatever it was asked: one answer a connection, then it closes.

import Reactor

/// `@unchecked Sendable`: what changes after `init` is touched on the reactor's thread only.
final class RawServer: @unchecked Sendable {
    let port: Int
    private let thread: ReactorThread

    /// - Parameter answer: what the n-th connection, from 0, is sent.
    init(_ answer: @escaping @Sendable (Int) -> String) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 1024)
        let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        port = Int(listener.boundPort)
        let number = listener.release()
        let ready = Latch(1)
        thread = ReactorThread(reactor) { reactor in
            let owner = RawOwner(reactor, answer)
            precondition(reactor.poller.addListener(Descriptor(number), owner: owner, tag: 0) != nil, "no listener")
            ready.countDown()
        }
        ready.wait()
    }

    deinit {
        thread.reactor.stop()
        thread.join()
    }
}

private final class RawOwner: ListenerOwner, StreamOwner {
    private let reactor: Reactor
    private let answer: (Int) -> String
    private var streams: [UInt32: SlotID] = [:]
    private var count = 0

    init(_ reactor: Reactor, _ answer: @escaping (Int) -> String) {
        self.reactor = reactor
        self.answer = answer
    }

    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        let tag = UInt32(count)
        count += 1
        streams[tag] = reactor.poller.addStream(descriptor, connecting: false, owner: self, tag: tag)
    }

    func received(_ bytes: RawSpan, tag: UInt32) {
        guard let id = streams[tag] else { return }
        var text = answer(Int(tag))
        // Short enough for the kernel to take at once.
        text.withUTF8 { _ = reactor.poller.send(id, UnsafeRawBufferPointer($0)) }
        close(tag)
    }

    private func close(_ tag: UInt32) {
        if let id = streams.removeValue(forKey: tag) { reactor.poller.remove(id) }
    }

    func acceptFailed(_ error: SystemError, tag: UInt32) {}
    func connected(tag: UInt32) {}
    func receiveEnded(tag: UInt32) { close(tag) }
    func sent(_ count: Int, tag: UInt32) {}
    func failed(_ error: SystemError, tag: UInt32) { close(tag) }
}
