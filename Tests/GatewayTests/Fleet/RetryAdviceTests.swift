// When a worker that got nothing is told to come back.

import TestSupport
import Testing

@testable import Gateway
@testable import Reactor

@Suite struct RetryAdviceTests {
    private func advice(emptyFor seconds: Double, hasWaited: Bool = false, dueInMs: Int? = nil) -> [Int] {
        var generator = RandomSource()
        var advice = RetryAdvice()
        let start = Instant(nanoseconds: 1_000_000)
        _ = advice.seconds(now: start, dueInMs: nil, hasWaited: false, using: &generator)
        return (0..<1000).map { _ in
            advice.seconds(
                now: start + .seconds(seconds), dueInMs: dueInMs, hasWaited: hasWaited, using: &generator)
        }
    }

    @Test func `it grows with the time that the queue has been empty, to a limit`() {
        let average = [0.0, 30, 100, 1000, 100_000].map { Double(advice(emptyFor: $0).reduce(0, +)) / 1000 }
        #expect(average[0] < average[1] && average[1] < average[2] && average[2] < average[3])
        #expect(abs(average[4] - average[3]) < 1)
        #expect(advice(emptyFor: 100_000).allSatisfy { $0 <= 23 })
    }

    @Test func `it differs from worker to worker, so that they do not come back at once`() {
        #expect(Set(advice(emptyFor: 1000)).count > 10)
    }

    @Test func `who waited comes back sooner, and nobody at once`() {
        #expect(advice(emptyFor: 1000, hasWaited: true).allSatisfy { (1...5).contains($0) })
        #expect(advice(emptyFor: 0).allSatisfy { $0 >= 1 })
    }

    @Test func `a delayed task that is due earlier shortens it`() {
        #expect(advice(emptyFor: 1000, dueInMs: 1500).allSatisfy { $0 <= 2 })
        #expect(advice(emptyFor: 1000, dueInMs: 0).allSatisfy { $0 == 1 })
    }

    @Test func `what was found starts it again`() {
        var generator = RandomSource()
        var advice = RetryAdvice()
        _ = advice.seconds(now: Instant(nanoseconds: 0), dueInMs: nil, hasWaited: false, using: &generator)
        advice.found()
        let later = Instant(nanoseconds: 0) + .seconds(1000)
        #expect(advice.seconds(now: later, dueInMs: nil, hasWaited: false, using: &generator) <= 2)
    }
}
