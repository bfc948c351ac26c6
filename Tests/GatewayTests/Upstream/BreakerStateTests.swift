// The circuit breaker's rules, and that reactors share them without losing a count.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct BreakerStateTests {
    private let rule = BreakerRule(failures: 5, openMs: 30_000)

    private func permit(_ state: inout BreakerState, _ nowMs: Int) throws -> BreakerState.Permit {
        guard case .pass(let permit) = state.admit(nowMs: nowMs, rule) else { throw TestFailure("refused") }
        return permit
    }

    private func open(_ state: inout BreakerState, _ nowMs: Int) throws {
        for _ in 0..<5 { state.settle(try permit(&state, nowMs), .failure, nowMs: nowMs, rule) }
        #expect(state.phase == .open)
    }

    @Test func `it opens after failures in a row, not after as many with a success between`() throws {
        var state = BreakerState()
        for outcome in [BreakerState.Outcome.failure, .failure, .failure, .failure, .success, .failure, .failure] {
            state.settle(try permit(&state, 1), outcome, nowMs: 1, rule)
        }
        #expect(state.phase == .closed)
        for _ in 0..<2 { state.settle(try permit(&state, 1), .failure, nowMs: 1, rule) }
        #expect(state.phase == .closed)
        state.settle(try permit(&state, 1), .failure, nowMs: 1, rule)
        #expect(state.phase == .open)
    }

    @Test func `open, it refuses and says for how long`() throws {
        var state = BreakerState()
        try open(&state, 1_000)
        #expect(state.admit(nowMs: 1_000, rule) == .refuse(retryAfterMs: 30_000))
        #expect(state.admit(nowMs: 30_999, rule) == .refuse(retryAfterMs: 1))
    }

    @Test func `after its time one probe goes, and its success closes the circuit`() throws {
        var state = BreakerState()
        try open(&state, 0)
        let probe = try permit(&state, 30_000)
        #expect(probe.isProbe && state.phase == .halfOpen)
        #expect(state.admit(nowMs: 30_001, rule) == .refuse(retryAfterMs: 29_999))
        state.settle(probe, .success, nowMs: 30_002, rule)
        #expect(state.phase == .closed)
        #expect(try permit(&state, 30_003).isProbe == false)
    }

    @Test func `a probe that fails opens it for another full time`() throws {
        var state = BreakerState()
        try open(&state, 0)
        state.settle(try permit(&state, 30_000), .failure, nowMs: 31_000, rule)
        #expect(state.phase == .open)
        #expect(state.admit(nowMs: 31_001, rule) == .refuse(retryAfterMs: 29_999))
    }

    @Test func `a probe that was withdrawn leaves its place to the next request`() throws {
        var state = BreakerState()
        try open(&state, 0)
        state.settle(try permit(&state, 40_000), .neutral, nowMs: 40_001, rule)
        #expect(try permit(&state, 40_002).isProbe)
    }

    @Test func `a probe that never reports does not hold the circuit for ever`() throws {
        var state = BreakerState()
        try open(&state, 0)
        let lost = try permit(&state, 30_000)
        let next = try permit(&state, 60_000)
        #expect(next.isProbe)
        state.settle(lost, .failure, nowMs: 60_001, rule)
        #expect(state.phase == .halfOpen, "the lost one's word counts no more")
        state.settle(next, .success, nowMs: 60_002, rule)
        #expect(state.phase == .closed)
    }

    @Test func `what was sent before it opened says nothing of the probe`() throws {
        var state = BreakerState()
        let early = try permit(&state, 0)
        try open(&state, 1)
        _ = try permit(&state, 40_000)
        state.settle(early, .success, nowMs: 40_001, rule)
        #expect(state.phase == .halfOpen)
    }

    @Test func `all of it survives in one word`() throws {
        var state = BreakerState()
        try open(&state, 123_456_789)
        #expect(BreakerState(word: state.word) == state)
        _ = try permit(&state, 123_500_000)
        #expect(BreakerState(word: state.word) == state)
        #expect(BreakerState(word: BreakerState().word) == BreakerState())
    }

    @Test func `of many threads at once one is the probe`() throws {
        let service = UpstreamService(.parser, [], rule: BreakerRule(failures: 1, openMs: 1))
        let start = Instant(nanoseconds: 1_000_000_000)
        guard case .pass(let permit) = service.admit(start) else { throw TestFailure("refused") }
        service.settle(permit, .failure, start)
        for round in 1...50 {
            let now = start + .milliseconds(Int64(round) * 10)
            let permits = try concurrently(8) { _ -> BreakerState.Permit? in
                if case .pass(let permit) = service.admit(now) { permit } else { nil }
            }
            let probes = permits.compactMap { $0 }
            #expect(probes.count == 1)
            service.settle(try #require(probes.first), .failure, now)
        }
    }
}

@Suite struct RetryBudgetTests {
    @Test func `three a second are allowed whatever there is`() {
        var budget = RetryBudget()
        for second in 7...9 {
            #expect((0..<5).map { _ in budget.takeRetry(nowSeconds: second) } == [true, true, true, false, false])
        }
    }

    @Test func `many requests allow a fifth of their number`() {
        var budget = RetryBudget()
        var taken = 0
        for request in 0..<10_000 {
            budget.noteRequest()
            if budget.takeRetry(nowSeconds: 1) { taken += 1 }
            #expect(taken <= (request + 1) / 5 + 3)
        }
        #expect((1_999...2_003).contains(taken))
    }

    @Test func `a quiet time saves up a hundred and no more`() {
        var budget = RetryBudget()
        for _ in 0..<100_000 { budget.noteRequest() }
        var taken = 0
        while budget.takeRetry(nowSeconds: 1) { taken += 1 }
        #expect(taken == 100)
    }

    @Test func `all of it survives in one word`() {
        var budget = RetryBudget()
        for _ in 0..<17 { budget.noteRequest() }
        _ = budget.takeRetry(nowSeconds: 1 << 33)
        #expect(RetryBudget(word: budget.word) == budget)
    }
}
