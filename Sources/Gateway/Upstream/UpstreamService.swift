// An upstream service as all reactors see it: where it answers, its circuit and its retry budget, shared without locks.
// Made once at start. Each reactor has connections of its own (`HTTPClient`).

import Reactor
import Synchronization

final class UpstreamService: Sendable {
    let name: ServiceName
    /// Endpoints with one path in front of every target: equals that share the load.
    struct Group: Sendable {
        var path: String
        var endpoints: [HTTPClientEndpoint]
    }

    /// None: the service is not configured.
    let groups: [Group]
    private let endpointCount: Int
    private let rule: BreakerRule
    private let breaker = Atomic<UInt64>(BreakerState().word)
    private let budget = Atomic<UInt64>(RetryBudget().word)

    init(_ name: ServiceName, _ urls: [HTTPEndpoint], rule: BreakerRule) {
        self.name = name
        self.rule = rule
        groups = Dictionary(grouping: urls, by: \.path).sorted { $0.key < $1.key }.map { path, urls in
            Group(path: path, endpoints: urls.map { HTTPClientEndpoint($0) })
        }
        endpointCount = urls.count
    }

    /// Where one attempt goes: to a group by the number of its endpoints, inside it by load (`HTTPClient`).
    func choose(using generator: inout some RandomNumberGenerator) -> Group? {
        if groups.count <= 1 { return groups.first }
        var left = Int.random(in: 0..<endpointCount, using: &generator)
        return groups.first { group in
            left -= group.endpoints.count
            return left < 0
        }
    }

    /// 0 closed, 1 half-open, 2 open.
    var breakerPhase: BreakerState.Phase { BreakerState(word: breaker.load(ordering: .relaxed)).phase }

    /// Asks the circuit for leave to send one request.
    func admit(_ now: Instant) -> BreakerState.Decision {
        Self.update(breaker) { word in
            var state = BreakerState(word: word)
            let decision = state.admit(nowMs: Self.milliseconds(now), rule)
            word = state.word
            return decision
        }
    }

    /// Tells the circuit what became of it. Told once for each permit.
    func settle(_ permit: BreakerState.Permit, _ outcome: BreakerState.Outcome, _ now: Instant) {
        Self.update(breaker) { word in
            var state = BreakerState(word: word)
            state.settle(permit, outcome, nowMs: Self.milliseconds(now), rule)
            word = state.word
        }
    }

    func noteRequest() {
        Self.update(budget) { word in
            var state = RetryBudget(word: word)
            state.noteRequest()
            word = state.word
        }
    }

    /// Takes one retry out of the budget; false where there is none.
    func takeRetry(_ now: Instant) -> Bool {
        Self.update(budget) { word in
            var state = RetryBudget(word: word)
            let isAllowed = state.takeRetry(nowSeconds: Self.milliseconds(now) / 1000)
            word = state.word
            return isAllowed
        }
    }

    private static func milliseconds(_ now: Instant) -> Int { Int(now.nanoseconds / 1_000_000) }

    /// Changes a shared word by a pure function, again where another thread was first.
    private static func update<Result>(_ atomic: borrowing Atomic<UInt64>, _ change: (inout UInt64) -> Result) -> Result
    {
        var before = atomic.load(ordering: .relaxed)
        while true {
            var after = before
            let result = change(&after)
            if after == before { return result }
            let outcome = atomic.compareExchange(
                expected: before, desired: after, ordering: .acquiringAndReleasing)
            if outcome.exchanged { return result }
            before = outcome.original
        }
    }
}
