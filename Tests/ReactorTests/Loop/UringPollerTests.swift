// What is the io_uring poller's own: buffers that run out, requests that are all answered, a ring that changes hands.
// Where the kernel refuses io_uring there is nothing to test.

import CReactor
import TestSupport
import Testing

@testable import Reactor

@Suite(.enabled(if: PollerKind.usable.contains(.ioUring)))
struct UringPollerTests {
    @Test func `streams that go without a buffer get theirs in turn, and lose nothing`() throws {
        let poller = try UringPoller(descriptorsMax: 64, bufferCount: 2)
        var streams: [(Recorder, SocketPair)] = []
        var random = RandomSource(seed: 7)
        let contents = (0..<40).map { _ in random.bytes(60_000) }
        for number in 0..<40 {
            let pair = try SocketPair()
            let owner = Recorder()
            owner.ids = [pair.join(poller, owner, tag: UInt32(number))!]
            streams.append((owner, pair))
        }
        var sent = [Int](repeating: 0, count: 40)
        var wentWithout = false
        try poller.poll(until: "all have all") {
            for number in 0..<40 { sent[number] += streams[number].1.write(contents[number][sent[number]...]) }
            wentWithout = wentWithout || !poller.state.pointee.starved.isEmpty
            return streams.indices.allSatisfy { streams[$0].0.received.count == contents[$0].count }
        }
        #expect(wentWithout, "there were buffers for all")
        for number in 0..<40 { #expect(streams[number].0.received == contents[number]) }
    }

    @Test func `a connection that we opened gets a buffer before all who wait for one`() throws {
        let poller = try UringPoller(descriptorsMax: 64, bufferCount: 1)
        let owner = Recorder()
        let pairs = try (0..<20).map { _ in try SocketPair() }
        owner.ids = pairs.map { $0.join(poller, owner, tag: 1)! }
        let ours = try SocketPair()
        owner.ids.append(ours.join(poller, owner, tag: 2, connecting: true)!)
        try poller.poll(until: "connected") { owner.log.contains("connected by 2") }
        poller.settle()
        owner.log = []
        for pair in pairs { pair.write("x") }
        ours.write("answer")
        try poller.poll(until: "all have theirs") { owner.log.count == 21 }
        let place = try #require(owner.log.firstIndex(of: "received 6 by 2"))
        #expect(place <= 2, "after \(place) others")
    }

    @Test func `a stream that waits for a buffer can be removed`() throws {
        let poller = try UringPoller(descriptorsMax: 64, bufferCount: 1)
        let owner = Recorder()
        let pairs = try (0..<20).map { _ in try SocketPair() }
        owner.ids = pairs.map { $0.join(poller, owner, tag: 1)! }
        for pair in pairs { pair.write("x") }
        poller.poll(timeout: .seconds(5))
        #expect(!poller.state.pointee.starved.isEmpty)
        for id in owner.ids { poller.remove(id) }
        owner.log = []
        poller.settle()
        #expect(owner.log.isEmpty)
        #expect(poller.requestCount == 0)
    }

    @Test func `every request has its last word when all is removed`() throws {
        let poller = try UringPoller(descriptorsMax: 64)
        let owner = Recorder()
        let pairs = try (0..<30).map { _ in try SocketPair() }
        owner.ids = pairs.map { $0.join(poller, owner, tag: 1)! }
        for id in owner.ids.prefix(10) { poller.setReceiving(id, false) }
        let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        owner.ids.append(poller.addListener(listener, owner: owner, tag: 2)!)
        let watched = try SocketPair()
        owner.ids.append(poller.addWatch(watched.ours, interest: .readable, owner: owner, tag: 3)!)
        poller.settle()
        #expect(poller.requestCount >= 32)
        for id in owner.ids { poller.remove(id) }
        poller.settle()
        #expect(poller.requestCount == 0)
    }

    @Test func `a poller that was never waited on closes its descriptors`() throws {
        let pair = try SocketPair()
        do {
            let poller = try UringPoller(descriptorsMax: 8)
            let owner = Recorder()
            #expect(pair.join(poller, owner, tag: 1) != nil)
            #expect(!pair.isPeerClosed)
        }
        #expect(pair.isPeerClosed)
    }

    @Test func `a stream's bytes beyond a bound wait with the kernel, not with us, while receiving is off`() throws {
        let poller = try UringPoller(descriptorsMax: 8)
        let pair = try SocketPair.tcp()
        let owner = Recorder()
        let id = try #require(pair.join(poller, owner, tag: 1))
        owner.onReceive = { poller.setReceiving(id, false) }
        let bytes = [UInt8](repeating: 7, count: 100_000)
        var sent = 0
        for _ in 0..<2000 {
            sent += pair.write(bytes[...])
            poller.poll(timeout: .zero)
        }
        let held = poller.entries.at(id.index).pointee.held.count
        #expect(owner.received.count + held < sent, "the kernel's buffers hold nothing")
        #expect(held <= UringPoller.heldBytesMax)
    }

    @Test func `tokens tell slots, tenants and kinds apart`() {
        for (index, generation) in [(0, 1), (5, 7), (9_999_999, .max)] as [(UInt32, UInt32)] {
            let id = SlotID(index: index, generation: generation)
            let token = UringToken(word: UringToken(.poll, id).word)
            #expect(token.kind == .poll && token.index == index && token.isFor(id))
            #expect(!token.isFor(SlotID(index: index, generation: generation &+ 1)))
        }
        #expect(UringToken(word: 0).kind == .nobody)
        #expect(UringToken(word: UringToken(sendAt: 700).word).index == 700)
    }
}
