// The pollers' contract, on each of the kernel's interfaces that this machine has.

import CReactor
import TestSupport
import Testing

@testable import Reactor

@Suite struct PollerTests {
    @Test(arguments: PollerKind.usable)
    func `an event for a descriptor closed in the same wait reaches nobody`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pairs = [try SocketPair(), try SocketPair()]
        let owner = Recorder()
        owner.ids = pairs.map { $0.join(poller, owner, tag: 7)! }
        poller.settle()
        // Both are ready; whichever is told first closes the other, and puts a new stream in its slot.
        for pair in pairs { pair.write("x") }
        let fresh = try SocketPair()
        owner.onReceive = { [unowned owner, unowned poller] in
            for id in owner.ids { poller.remove(id) }
            owner.ids = [fresh.join(poller, owner, tag: 9)!]
        }
        try poller.poll(until: "one is told") { !owner.log.isEmpty }
        poller.settle()
        #expect(owner.log == ["received 1 by 7"])
    }

    @Test(arguments: PollerKind.usable)
    func `a slot's next tenant hears nothing of what was asked for the last one`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 1)
        let owner = Recorder()
        for round in 0..<50 as Range<UInt32> {
            let pair = try SocketPair()
            let id = try #require(pair.join(poller, owner, tag: round))
            // Asked of the kernel or not yet, with bytes on their way or not, receiving or not.
            if round % 2 == 0 { poller.settle() }
            if round % 3 == 0 { pair.write("late") }
            if round % 5 == 0 { poller.setReceiving(id, false) }
            poller.remove(id)
            let next = try SocketPair()
            let nextID = try #require(next.join(poller, owner, tag: 1000))
            #expect(nextID.index == id.index)
            poller.settle()
            #expect(pair.isPeerClosed)
            #expect(!next.isPeerClosed)
            next.write("mine")
            try poller.poll(until: "the tenant is told") { owner.log.contains("received 4 by 1000") }
            poller.remove(nextID)
            poller.settle()
            #expect(owner.log == ["received 4 by 1000"], "round \(round)")
            owner.log = []
        }
    }

    @Test(arguments: PollerKind.usable)
    func `while receiving is off nothing is told, and afterwards everything`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        poller.setReceiving(id, false)
        pair.write("abc")
        poller.settle()
        #expect(owner.log.isEmpty)
        poller.setReceiving(id, true)
        #expect(owner.log.isEmpty, "told from inside a call to the poller")
        try poller.poll(until: "told") { !owner.log.isEmpty }
        #expect(owner.log == ["received 3 by 1"])
    }

    @Test(arguments: PollerKind.usable)
    func `a fast sender loses nothing to an owner that stops and resumes`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        var random = RandomSource(seed: 11)
        let bytes = random.bytes(6_000_000)
        var sent = 0
        var isReceiving = true
        owner.onReceive = { [unowned poller] in
            #expect(isReceiving, "told while receiving was off")
            guard random.int(in: 0...3) == 0 else { return }
            isReceiving = false
            poller.setReceiving(id, false)
        }
        while owner.received.count < bytes.count {
            sent += pair.write(bytes[sent...].prefix(random.int(in: 1...200_000)))
            poller.poll(timeout: .zero)
            guard !isReceiving, random.int(in: 0...2) == 0 else { continue }
            isReceiving = true
            poller.setReceiving(id, true)
            // Once more off and on within one turn.
            if random.int(in: 0...3) == 0 {
                poller.setReceiving(id, false)
                poller.setReceiving(id, true)
            }
        }
        #expect(owner.received == bytes)
    }

    @Test(arguments: PollerKind.usable)
    func `the end of the peer's bytes is told once`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        #expect(poller.peerIsThere(id))
        pair.endSending()
        try poller.poll(until: "told") { !owner.log.isEmpty }
        poller.settle()
        #expect(owner.log == ["ended by 1"])
    }

    @Test(arguments: PollerKind.usable)
    func `an end that came while receiving was off follows the bytes before it`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        owner.onReceive = {
            owner.onReceive = {}
            poller.setReceiving(id, false)
        }
        pair.write("a")
        try poller.poll(until: "the first is told") { !owner.log.isEmpty }
        pair.write("bc")
        pair.endSending()
        poller.settle()
        #expect(owner.log == ["received 1 by 1"])
        poller.setReceiving(id, true)
        try poller.poll(until: "the end is told") { owner.log.last == "ended by 1" }
        #expect(owner.log == ["received 1 by 1", "received 2 by 1", "ended by 1"])
    }

    @Test(arguments: PollerKind.usable)
    func `a reset is told to an owner that does not receive`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let pair = try SocketPair.tcp()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        poller.settle()
        poller.setReceiving(id, false)
        poller.settle()
        pair.reset()
        try poller.poll(until: "told") { !owner.log.isEmpty }
        #expect(owner.log == ["failed Connection reset by peer by 1"])
    }

    @Test(arguments: PollerKind.usable)
    func `a full table refuses a stream and closes its descriptor`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 1)
        let owner = Recorder()
        let first = try SocketPair()
        let second = try SocketPair()
        #expect(first.join(poller, owner, tag: 1) != nil)
        #expect(second.join(poller, owner, tag: 2) == nil)
        #expect(second.isPeerClosed)
        #expect(!first.isPeerClosed)
    }

    @Test(arguments: PollerKind.usable)
    func `a connection refused is a failure of its stream`(_ kind: PollerKind) throws {
        let port: UInt16
        do {
            let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
            port = listener.boundPort
        }
        let poller = try kind.makePoller(descriptorsMax: 8)
        let owner = Recorder()
        let descriptor = try Descriptor.connect(host: "127.0.0.1", port: port)
        _ = poller.addStream(descriptor, connecting: true, owner: owner, tag: 4)
        try poller.poll(until: "told") { !owner.log.isEmpty }
        #expect(owner.log == ["failed Connection refused by 4"])
    }

    @Test(arguments: PollerKind.usable)
    func `accepted connections come with their addresses, and none after the listener is gone`(
        _ kind: PollerKind
    ) throws {
        let poller = try kind.makePoller(descriptorsMax: 64)
        let owner = Recorder()
        let descriptor = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        let port = descriptor.boundPort
        let id = poller.addListener(descriptor, owner: owner, tag: 3) ?? .none
        for _ in 0..<20 {
            let client = try Descriptor.connect(host: "127.0.0.1", port: port)
            let number = owner.accepts.count
            _ = poller.addStream(client, connecting: true, owner: owner, tag: UInt32(number))
            try poller.poll(until: "accepted and connected") {
                owner.accepts.count == number + 1 && owner.log.contains("connected by \(number)")
            }
        }
        #expect(owner.accepts.allSatisfy { $0.description == "127.0.0.1" && $0.port != port })
        #expect(Set(owner.accepts.map(\.port)).count == 20)
        // A listener that rests leaves connections to wait.
        poller.setReceiving(id, false)
        poller.settle()
        let late = try Descriptor.connect(host: "127.0.0.1", port: port)
        poller.settle()
        #expect(owner.accepts.count == 20)
        poller.setReceiving(id, true)
        try poller.poll(until: "the late one is accepted") { owner.accepts.count == 21 }
        poller.remove(id)
        poller.settle()
        var refusal: Int32 = 0
        do throws(SystemError) {
            let refused = try Descriptor.connect(host: "127.0.0.1", port: port)
            refusal = cr_socket_error(refused.number)
        } catch {
            refusal = error.number
        }
        #expect(refusal == ECONNREFUSED)
        #expect(late.number >= 0)
    }

    @Test(arguments: PollerKind.usable)
    func `a watch is told as long as it is ready, and of what it asks for`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 8)
        let owner = Recorder()
        let pair = try SocketPair()
        let id = try #require(poller.addWatch(pair.ours, interest: .readable, owner: owner, tag: 5))
        poller.settle()
        #expect(owner.log.isEmpty)
        pair.write("x")
        // Nobody reads: it is told again and again.
        try poller.poll(until: "told twice") { owner.log.count >= 2 }
        #expect(Set(owner.log) == ["ready 1 by 5"])
        poller.setWatch(id, interest: .writable)
        poller.settle()
        owner.log = []
        try poller.poll(until: "told of the new interest") { !owner.log.isEmpty }
        #expect(Set(owner.log) == ["ready 2 by 5"])
        poller.setWatch(id, interest: [])
        poller.settle()
        owner.log = []
        poller.settle()
        #expect(owner.log.isEmpty)
        pair.closePeer()
        try poller.poll(until: "a hang-up is told unasked") { owner.log.contains("ready 4 by 5") }
        poller.remove(id)
        owner.log = []
        poller.settle()
        #expect(owner.log.isEmpty)
        #expect(cr_socket_error(pair.ours) == 0, "a watched descriptor is its owner's to close")
    }

    @Test(arguments: PollerKind.usable)
    func `after the end no owner is told of anything, and every descriptor is closed`(_ kind: PollerKind) throws {
        let poller = try kind.makePoller(descriptorsMax: 64)
        let owner = Recorder()
        let pairs = try (0..<32).map { _ in try SocketPair() }
        for pair in pairs { _ = try #require(pair.join(poller, owner, tag: 1)) }
        poller.settle()
        for pair in pairs { pair.write("late") }
        poller.close()
        poller.settle()
        #expect(owner.log.isEmpty)
        #expect(pairs.allSatisfy { $0.isPeerClosed })
    }
}
