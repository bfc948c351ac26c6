// Sending under the pollers' contract: who holds the bytes, and what becomes of them when a stream or its peer goes.

import CReactor
import TestSupport
import Testing

@testable import Reactor

@Suite struct PollerSendTests {
    /// A writer that keeps to the contract: one loan at a time, on with the rest when it is told.
    private final class Writer: StreamOwner {
        // The poller holds its streams' owners.
        unowned let poller: any Poller
        var id = SlotID.none
        let bytes: UnsafeMutableRawBufferPointer
        var done = 0
        var isWaiting = false
        var error: SystemError?

        init(_ poller: any Poller, _ content: [UInt8]) {
            self.poller = poller
            bytes = .allocate(byteCount: content.count, alignment: 16)
            bytes.copyBytes(from: content)
        }
        deinit { bytes.deallocate() }

        func goOn() {
            while !isWaiting, error == nil, done < bytes.count {
                switch poller.send(id, UnsafeRawBufferPointer(rebasing: bytes[done...])) {
                case .sent(let count):
                    done += count
                    isWaiting = done < bytes.count
                case .inFlight: isWaiting = true
                case .failed(let failure): error = failure
                }
            }
        }
        func connected(tag: UInt32) {}
        func received(_ bytes: RawSpan, tag: UInt32) {}
        func receiveEnded(tag: UInt32) {}
        func failed(_ failure: SystemError, tag: UInt32) { error = error ?? failure }
        func sent(_ count: Int, tag: UInt32) {
            isWaiting = false
            done += count
            goOn()
        }
    }

    private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) } }

    @Test(arguments: PollerKind.usable)
    func `what does not fit is sent later, whole and in order`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let content = pattern(1_000_000)
        let writer = Writer(poller, content)
        writer.id = try #require(pair.join(poller, writer, tag: 1))
        writer.goOn()
        poller.settle()
        #expect(writer.isWaiting && writer.done < content.count, "all of it fitted")
        var received: [UInt8] = []
        try poller.poll(until: "all has arrived") {
            received += pair.read(limit: 50_000)
            return received.count == content.count && writer.done == content.count
        }
        #expect(received == content)
    }

    @Test(arguments: PollerKind.usable)
    func `a stream that waits for room costs no turns`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let writer = Writer(poller, pattern(1_000_000))
        writer.id = try #require(pair.join(poller, writer, tag: 1))
        writer.goOn()
        poller.settle()
        let start = Instant.read()
        #expect(poller.poll(timeout: .milliseconds(20)) == 0)
        #expect(Instant.read() - start >= .milliseconds(20))
    }

    @Test(arguments: PollerKind.usable)
    func `bytes lent to a stream that is removed may be written over at once`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        for count in [10, 3_000_000] {
            let pair = try SocketPair()
            let content = pattern(count)
            let writer = Writer(poller, content)
            writer.id = try #require(pair.join(poller, writer, tag: 1))
            writer.goOn()
            poller.remove(writer.id)
            writer.bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
            let done = writer.done
            poller.settle()
            #expect(writer.done == done && writer.error == nil, "told after its removal")
            let received = pair.readAll()
            #expect(!received.isEmpty)
            #expect(received.elementsEqual(content.prefix(received.count)))
            #expect(pair.isPeerClosed)
        }
    }

    @Test(arguments: PollerKind.usable)
    func `a connection closed while it sends gives its buffer to the next without harm`(_ kind: PollerKind) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 16, kind: kind)
        let owner = Recorder()
        let pairs = [try SocketPair(), try SocketPair()]
        for (pair, text) in zip(pairs, ["first", "other"]) {
            let id = try #require(pair.join(reactor.poller, owner, tag: 1))
            var stream = Stream(id: id, reactor: reactor)
            stream.write { $0.append(text) }
            _ = stream.flush()
            stream.close()
        }
        #expect(reactor.buffers.keptCount == 1, "they had one buffer between them")
        reactor.poller.settle()
        #expect(pairs.map { String(decoding: $0.readAll(), as: UTF8.self) } == ["first", "other"])
        #expect(reactor.buffers.lentCount == 0)
    }

    @Test(arguments: PollerKind.usable)
    func `a peer's reset is told to who has bytes unsent`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair.tcp()
        let writer = Writer(poller, pattern(30_000_000))
        writer.id = try #require(pair.join(poller, writer, tag: 1))
        writer.goOn()
        try poller.poll(until: "the kernel takes no more") { poller.poll(timeout: .milliseconds(5)) == 0 }
        #expect(writer.done < writer.bytes.count)
        pair.reset()
        try poller.poll(until: "it is told") { writer.error != nil }
        poller.remove(writer.id)
        poller.settle()
    }

    @Test(arguments: PollerKind.usable)
    func `what a peer sent before it went is received although a send fails`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let owner = Recorder()
        let pair = try SocketPair()
        let id = try #require(pair.join(poller, owner, tag: 1))
        poller.settle()
        pair.write("last words")
        pair.closePeer()
        let bytes = Array("too late".utf8)
        try bytes.withUnsafeBytes { bytes in
            let outcome = poller.send(id, bytes)
            if kind == .epoll { #expect(outcome == .failed(SystemError(number: EPIPE))) }
            try poller.poll(until: "both are told") { owner.log.count >= 2 }
        }
        #expect(owner.log.first == "received 10 by 1")
    }

    @Test(arguments: PollerKind.usable)
    func `an end of sending follows what was sent before it`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let owner = Recorder()
        let pair = try SocketPair()
        let id = try #require(pair.join(poller, owner, tag: 1))
        let bytes = Array("bye".utf8)
        bytes.withUnsafeBytes { bytes in
            _ = poller.send(id, bytes)
            poller.endSending(id)
            poller.settle()
        }
        #expect(pair.read() == bytes)
        #expect(pair.isPeerClosed)
        pair.write("still heard")
        try poller.poll(until: "receiving goes on") { owner.log.contains("received 11 by 1") }
    }

    @Test(arguments: PollerKind.usable)
    func `more streams send in one turn than the poller keeps loans for`(_ kind: PollerKind) throws {
        let count = 2 * UringPoller.sendsMax + 10
        let poller = try kind.makePoller(descriptorsMax: count)
        var writers: [(Writer, SocketPair)] = []
        for number in 0..<count {
            let pair = try SocketPair()
            let writer = Writer(poller, Array("stream \(number)".utf8))
            writer.id = try #require(pair.join(poller, writer, tag: UInt32(number)))
            writers.append((writer, pair))
        }
        for (writer, _) in writers { writer.goOn() }
        try poller.poll(until: "all are out") { writers.allSatisfy { $0.0.done == $0.0.bytes.count } }
        for (number, (_, pair)) in writers.enumerated() {
            #expect(String(decoding: pair.readAll(), as: UTF8.self) == "stream \(number)")
        }
    }
}
