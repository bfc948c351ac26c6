// A loop that is asked to be awake at a time is, though nothing happens and no timer is due.

import Testing

@testable import Reactor

@Suite struct WakeUpTests {
    /// Asks to be woken `times` times, one after the other. Told and read on the reactor's thread, until the latch opens.
    private final class Sleeper: TurnParticipant, TimerOwner, @unchecked Sendable {
        let done = Latch(1)
        let reactor: Reactor
        var left: Int
        var early = 0
        var timersFired = 0

        init(_ reactor: Reactor, times: Int) {
            self.reactor = reactor
            left = times
        }

        func start() {
            reactor.join(self)
            reactor.wakeUpAt = reactor.now + Interval(nanoseconds: 300_000)
        }

        func turnEnded() {
            guard let due = reactor.wakeUpAt, reactor.now >= due else { return }
            // Never before its time: the clock is read behind the wait.
            if Instant.read() < due { early += 1 }
            left -= 1
            reactor.wakeUpAt = left > 0 ? reactor.now + Interval(nanoseconds: 300_000) : nil
            if left == 0 { done.countDown() }
        }

        func timerFired(tag: UInt64) { timersFired += 1 }
    }

    private func run(_ setUp: @escaping @Sendable (Sleeper) -> Void) throws -> Sleeper {
        let reactor = try Reactor(index: 0, descriptorsMax: 8)
        let sleeper = Sleeper(reactor, times: 20)
        let thread = ReactorThread(reactor) { reactor in
            reactor.waitExactly()
            sleeper.start()
            setUp(sleeper)
        }
        let isDone = sleeper.done.wait(.seconds(20))
        reactor.stop()
        thread.join()
        #expect(isDone)
        return sleeper
    }

    @Test func `a loop without events and timers wakes when it was asked to`() throws {
        let sleeper = try run { _ in }
        #expect(sleeper.left == 0 && sleeper.early == 0)
    }

    @Test func `a timer far away does not keep it asleep`() throws {
        let sleeper = try run { sleeper in
            _ = sleeper.reactor.schedule(at: sleeper.reactor.now + .seconds(3600), sleeper, tag: 0)
        }
        #expect(sleeper.left == 0 && sleeper.timersFired == 0)
    }
}
