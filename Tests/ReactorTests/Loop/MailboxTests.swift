import CReactor
import Synchronization
import TestSupport
import Testing

@testable import Reactor

@Suite struct MailboxTests {
    @Test func `a full mailbox refuses one more message, and takes it once it was emptied`() {
        let mailbox = Mailbox()
        for _ in 0..<Mailbox.messagesMax { #expect(mailbox.post {}) }
        #expect(!mailbox.post {})
        #expect(mailbox.drain().messages.count == Mailbox.messagesMax)
        #expect(mailbox.post {})
        #expect(mailbox.drain().messages.count == 1)
    }

    @Test func `messages keep their order`() {
        let mailbox = Mailbox()
        let seen = Locked<[Int]>([])
        for number in 0..<100 { _ = mailbox.post { seen.withLock { $0.append(number) } } }
        for message in mailbox.drain().messages { message() }
        #expect(seen.withLock { $0 } == Array(0..<100))
    }

    @Test func `every message of many threads arrives once`() async throws {
        let received = Counter()
        try await onReactor { reactor in
            let senders = (0..<4).map { _ in
                Task.detached {
                    for _ in 0..<5000 {
                        // Full is no loss: the sender is told, and tries again.
                        while !reactor.post({ received.add() }) { sched_yield() }
                    }
                }
            }
            for sender in senders { await sender.value }
            try await reactor.until("all arrived") { received.count >= 20000 }
        }
        #expect(received.count == 20000)
    }
}

private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    var count: Int { value.load(ordering: .relaxed) }
    func add() { value.add(1, ordering: .relaxed) }
}

@Suite struct ReactorTurnTests {
    @Test func `a task and what it awaits stay on the reactor's thread`() async throws {
        try await onReactor { reactor in
            #expect(reactor.executor.isCurrent)
            await reactor.sleep(.milliseconds(1))
            #expect(reactor.executor.isCurrent)
            await Task.yield()
            #expect(reactor.executor.isCurrent)
            _ = await Task.detached { 1 }.value
            #expect(reactor.executor.isCurrent)
            async let child = Self.isOn(reactor)
            #expect(await child)
        }
    }

    private static func isOn(_ reactor: Reactor) async -> Bool { reactor.executor.isCurrent }

    @Test func `a sleep is never shorter than asked`() async throws {
        try await onReactor { reactor in
            for milliseconds in [1, 3, 7, 20] {
                let start = Instant.read()
                await reactor.sleep(.milliseconds(Int64(milliseconds)))
                // `now` is the turn's start, which may lie a little before `start`.
                #expect(Instant.read() - start > .milliseconds(Int64(milliseconds) - 1))
            }
        }
    }

    @Test func `timers fire in turns of their own, cancelled ones never`() async throws {
        try await onReactor { reactor in
            let owner = Bell()
            _ = reactor.schedule(at: reactor.now + .milliseconds(4), owner, tag: 1)
            let cancelled = reactor.schedule(at: reactor.now + .milliseconds(4), owner, tag: 2)
            _ = reactor.schedule(at: reactor.now + .milliseconds(12), owner, tag: 3)
            reactor.cancel(cancelled)
            try await reactor.until("both rang") { owner.tags.count == 2 }
            #expect(owner.tags == [1, 3])
        }
    }

    @Test func `participants are told at the end of each turn, in the order of joining`() async throws {
        try await onReactor { reactor in
            let order = Order()
            for number in 1...3 { reactor.join(Member(number, order)) }
            try await reactor.until("two turns") { order.numbers.count >= 6 }
            #expect(order.numbers.prefix(6) == [1, 2, 3, 1, 2, 3])
        }
    }

    @Test func `a turn that takes too long is reported`() async throws {
        try await onReactor { reactor in
            var stalls: [Interval] = []
            reactor.stalled = { stalls.append($0) }
            let end = Instant.read() + .milliseconds(60)
            while Instant.read() < end {}
            try await reactor.until("reported") { stalls.contains { $0 >= .milliseconds(60) } }
        }
    }
}

private final class Bell: TimerOwner {
    var tags: [UInt64] = []
    func timerFired(tag: UInt64) { tags.append(tag) }
}

private final class Order { var numbers: [Int] = [] }

private final class Member: TurnParticipant {
    let number: Int
    let order: Order
    init(_ number: Int, _ order: Order) {
        self.number = number
        self.order = order
    }
    func turnEnded() { order.numbers.append(number) }
}
