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

    @Test func `a slow reader gets every byte in order, written before and while the stream waits`() throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8)
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
        #expect(pair.isPeerClosed)
    }

    @Test func `an idle stream holds no buffer`() throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8)
        let pair = try SocketPair()
        let side = Side()
        let id = try #require(pair.join(reactor.poller, side, tag: 0))
        var stream = Stream(id: id, reactor: reactor)
        stream.write { $0.append("hello") }
        let outcome = stream.flush()
        #expect(outcome == .done)
        #expect(reactor.buffers.keptCount >= 1)
        let kept = reactor.buffers.keptCount
        stream.write { $0.append("again") }
        _ = stream.flush()
        #expect(reactor.buffers.keptCount == kept, "the same buffer served twice")
        stream.close()
    }

    @Test func `sending to a peer that is gone fails, once`() throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8)
        var pair: SocketPair? = try SocketPair()
        let side = Side()
        let id = try #require(pair!.join(reactor.poller, side, tag: 0))
        pair = nil
        var stream = Stream(id: id, reactor: reactor)
        stream.write { $0.append("hello") }
        let outcome = stream.flush()
        #expect(outcome == .failed(SystemError(number: 32)))
        stream.close()
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
