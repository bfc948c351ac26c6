// The search for the highest rate that is good, against servers of a known knee.

import Testing

@testable import Bench

@Suite struct KneeSearchTests {
    /// A server that is fast up to `knee` and hopeless above.
    private func found(firstRate: Double, knee: Double) -> KneeSearch {
        var search = KneeSearch(firstRate: firstRate, p99MicrosMax: 5000, failedShareMax: 0.01)
        while let rate = search.next {
            search.record(
                KneeSearch.Step(
                    rate: rate, achievedRate: min(rate, knee), p99Micros: rate <= knee ? 900 : 80_000, failedShare: 0))
        }
        return search
    }

    @Test func `the knee is found to within the gap, from below and from above`() throws {
        for knee in [130.0, 1000, 7_777, 123_456] {
            for firstRate in [10.0, 1000, 500_000] {
                let rate = try #require(found(firstRate: firstRate, knee: knee).knee).rate
                #expect(rate <= knee && rate >= knee / (1 + KneeSearch.gapMax), "\(firstRate) to \(knee)")
            }
        }
    }

    @Test func `a server that is never good has no knee, and the search ends`() {
        let search = found(firstRate: 1000, knee: 0)
        #expect(search.knee == nil)
        #expect(search.next == nil)
        #expect(search.steps.count <= KneeSearch.stepsMax)
    }

    @Test func `a server that has no knee ends the search at its last step`() {
        let search = found(firstRate: 1, knee: .infinity)
        #expect(search.steps.count == KneeSearch.stepsMax)
        #expect(search.knee?.rate == search.steps.last?.rate)
    }

    @Test func `few answers, failures and slowness each make a step bad`() {
        let good = KneeSearch.Step(rate: 100, achievedRate: 100, p99Micros: 900, failedShare: 0)
        var slow = good
        slow.p99Micros = 5001
        var behind = good
        behind.achievedRate = 97
        var failing = good
        failing.failedShare = 0.02
        for (step, isGood) in [(good, true), (slow, false), (behind, false), (failing, false)] {
            var search = KneeSearch(firstRate: 100, p99MicrosMax: 5000, failedShareMax: 0.01)
            search.record(step)
            #expect(search.steps[0].isGood == isGood)
            #expect(search.next == (isGood ? 200 : 50))
        }
    }
}
