import CReactor
import TestSupport
import Testing

@testable import Reactor

@Suite struct StreamTests {
    /// One side of a pair as a connection that echoes nothing, only keeps account.
    private final class Side: StreamOwner {
        var stream: Stream?
        var outcomes: [Stream.FlushOutcome] = []
        var unsentBytes: Int { stream?.unsentBytes ?? 0 }
        func connected(tag: UInt32) {}
        func received(_ bytes: RawSpan, tag: UInt32) {}
        func receiveEnded(tag: UInt32) {}
        func sent(_ count: Int, tag: UInt32) { outcomes.append(stream!.sent(count)) }
        func failed(_ error: SystemError, tag: UInt32) { outcomes.append(.failed(error)) }
    }

    @Test(arguments: PollerKind.usable)
    func `a slow reader gets every byte in order, written before and while the stream waits`(
        _ kind: PollerKind
    ) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8, kind: kind)
        let pair = try SocketPair()
        let side = Side()
        let id = try #require(pair.join(reactor.poller, side, tag: 0))
        side.stream = Stream(id: id, reactor: reactor)
        var random = RandomSource(seed: 5)
        var expected: [UInt8] = []
        var received: [UInt8] = []
        for _ in 0..<60 {
            let bytes = random.bytes(random.int(in: 1...40_000))
            expected += bytes
            side.stream!.write { $0.append(bytes.span.bytes) }
            #expect(side.unsentBytes > 0)
            side.outcomes.append(side.stream!.flush())
            received += pair.read(limit: 10_000)
            _ = reactor.poller.poll(timeout: .zero)
        }
        #expect(side.outcomes.contains(.waiting), "the reader was not slow enough to show anything")
        while received.count < expected.count {
            let more = pair.read()
            received += more
            if more.isEmpty { #expect(reactor.poller.poll(timeout: .seconds(5)) > 0) }
        }
        #expect(received == expected)
        #expect(side.outcomes.last == .done)
        #expect(side.unsentBytes == 0)
        side.stream.take()!.close()
        reactor.poller.settle()
        #expect(pair.isPeerClosed)
    }

    @Test(arguments: PollerKind.usable)
    func `an idle stream holds no buffer`(_ kind: PollerKind) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8, kind: kind)
        let pair = try SocketPair()
        let side = Side()
        let id = try #require(pair.join(reactor.poller, side, tag: 0))
        side.stream = Stream(id: id, reactor: reactor)
        side.stream!.write { $0.append("hello") }
        side.outcomes.append(side.stream!.flush())
        try reactor.poller.poll(until: "it is out") { side.outcomes.last == .done }
        #expect(reactor.buffers.keptCount >= 1)
        let kept = reactor.buffers.keptCount
        side.stream!.write { $0.append("again") }
        side.outcomes.append(side.stream!.flush())
        try reactor.poller.poll(until: "it is out too") { side.outcomes.last == .done }
        #expect(reactor.buffers.keptCount == kept, "the same buffer served twice")
        side.stream.take()!.close()
    }

    @Test(arguments: PollerKind.usable)
    func `sending to a peer that is gone fails, once`(_ kind: PollerKind) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8, kind: kind)
        var pair: SocketPair? = try SocketPair()
        let side = Side()
        let id = try #require(pair!.join(reactor.poller, side, tag: 0))
        pair = nil
        side.stream = Stream(id: id, reactor: reactor)
        side.stream!.write { $0.append("hello") }
        side.outcomes.append(side.stream!.flush())
        try reactor.poller.poll(until: "it is told") { side.outcomes.last != .waiting }
        #expect(side.outcomes.last == .failed(SystemError(number: EPIPE)))
        side.stream.take()!.close()
    }
}

@Suite struct BackoffTests {
    @Test func `waits double from the first to the longest, between half and the whole of the step`() {
        var random = RandomSource(seed: 3)
        var backoff = Backoff()
        var step = Backoff.first.nanoseconds
        for _ in 0..<100 {
            let wait = backoff.next(using: &random).nanoseconds
            #expect(wait >= step / 2 && wait <= step)
            step = min(step * 2, Backoff.longest.nanoseconds)
        }
        backoff.reset()
        let again = backoff.next(using: &random)
        #expect(again <= Backoff.first)
    }
}

@Suite struct ResolverTests {
    @Test func `names are answered on the reactor's thread, unknown ones with nothing`() async throws {
        try await onReactor { reactor in
            let answers: [String?] = await withCheckedContinuation { continuation in
                Resolver.resolve(["localhost", "no-such-host.invalid"], attempt: 0, reactor: reactor) { answers in
                    #expect(reactor.executor.isCurrent)
                    continuation.resume(returning: answers)
                }
            }
            #expect(answers[0] == "127.0.0.1" || answers[0] == "::1")
            #expect(answers[1] == nil)
        }
    }

    @Test func `another attempt tries another address, counted round`() async throws {
        try await onReactor { reactor in
            for attempt in UInt32(0)..<5 {
                let answers: [String?] = await withCheckedContinuation { continuation in
                    Resolver.resolve(["localhost"], attempt: attempt, reactor: reactor) {
                        continuation.resume(returning: $0)
                    }
                }
                #expect(answers[0] == "127.0.0.1" || answers[0] == "::1")
            }
        }
        #expect(Resolver.isNumeric("10.0.0.1") && Resolver.isNumeric("::1") && !Resolver.isNumeric("localhost"))
    }
}
