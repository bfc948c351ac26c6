// When a key set is asked for, with a clock of the test's own.

import Reactor
import Testing

@testable import Gateway

@Suite struct KeyFreshnessTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private func after(_ seconds: Double) -> Instant { start + .seconds(seconds) }

    private func loaded(_ lifetime: Int = 100) -> KeyFreshness {
        var rule = KeyFreshness(refetchInterval: .seconds(30), now: start)
        #expect(rule.beginDue(start) == true)
        rule.fetched(lifetimeSeconds: lifetime, now: start)
        return rule
    }

    @Test func `it is due at once, and again at the end of its lifetime`() {
        var rule = loaded()
        #expect(rule.beginDue(after(99.9)) == false)
        #expect(rule.timeUntilDue(after(40)) == .seconds(60))
        #expect(rule.beginDue(after(100)) == true)
        #expect(rule.beginDue(after(100)) == false, "one fetch at a time")
    }

    @Test func `an unknown key is asked for once an interval`() {
        var rule = loaded()
        #expect(rule.demand(after(1)) == .fetch)
        #expect(rule.demand(after(1)) == .wait)
        rule.fetched(lifetimeSeconds: 100, now: after(2))
        #expect(rule.demand(after(30.9)) == .refuse)
        #expect(rule.demand(after(31)) == .fetch)
    }

    @Test func `with no set at all it is asked for once a second`() {
        var rule = KeyFreshness(refetchInterval: .seconds(30), now: start)
        #expect(rule.demand(start) == .fetch)
        rule.failed(now: start)
        #expect(rule.demand(after(0.9)) == .refuse)
        #expect(rule.demand(after(1)) == .fetch)
        rule.fetched(lifetimeSeconds: 100, now: after(1.1))
        // The first set at last: a key that is missing in it is asked for at once.
        #expect(rule.demand(after(1.2)) == .fetch)
    }

    @Test func `failures are repeated after pauses that double up to a minute`() {
        var rule = loaded()
        var now = after(100)
        for seconds in [1.0, 2, 4, 8, 16, 32, 60, 60] {
            #expect(rule.beginDue(now) == true)
            rule.failed(now: now)
            #expect(rule.timeUntilDue(now) == .seconds(seconds))
            now = now + .seconds(seconds)
        }
        #expect(rule.beginDue(now) == true)
        rule.fetched(lifetimeSeconds: 100, now: now)
        #expect(rule.timeUntilDue(now) == .seconds(100))
    }

    @Test func `a lifetime is kept within a second and a day`() {
        #expect(loaded(0).timeUntilDue(start) == .seconds(1))
        #expect(loaded(1_000_000).timeUntilDue(start) == .seconds(86_400))
    }

    @Test(
        arguments: [
            (nil, nil, 3600), ("public, max-age=21600, must-revalidate", nil, 21_600), ("MAX-AGE=60", "20", 40),
            ("max-age=60", "90", 0), ("no-store", nil, 0), ("max-age=soon", nil, 3600), ("max-age=-5", nil, 0),
            ("max-age=99999999999", nil, 86_400),
        ] as [(String?, String?, Int)])
    func `a lifetime is what Cache-Control says, less the age`(control: String?, age: String?, seconds: Int) {
        #expect(KeyFreshness.lifetimeSeconds(cacheControl: control, age: age) == seconds)
    }
}
