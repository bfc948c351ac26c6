// The arithmetic of a token bucket.
import Testing

@testable import Reactor

@Suite struct TokenBucketTests {
    @Test func `a full bucket gives its burst and no more`() {
        let rate = BucketRate(perMinute: 60, burst: 3)
        var fullInUs: UInt64 = 0
        for remaining in [2, 1, 0] {
            let decision = rate.take(fullInUs: fullInUs)
            #expect(decision.isAllowed)
            #expect(decision.remaining == remaining)
            #expect(decision.retryInUs == 0)
            fullInUs = decision.fullInUs
        }
        #expect(fullInUs == 3_000_000)
        let refused = rate.take(fullInUs: fullInUs)
        #expect(refused == BucketDecision(isAllowed: false, remaining: 0, fullInUs: 3_000_000, retryInUs: 1_000_000))
    }

    @Test func `a token comes back after its interval, not a microsecond earlier`() {
        let rate = BucketRate(perMinute: 60, burst: 1)
        #expect(!rate.take(fullInUs: 1).isAllowed)
        #expect(rate.take(fullInUs: 1).retryInUs == 1)
        #expect(rate.take(fullInUs: 0).isAllowed)
    }

    @Test func `waiting as long as told is enough`() {
        for perMinute in [1, 7, 10, 59, 60, 1000, 599_999, 600_000] {
            let rate = BucketRate(perMinute: perMinute, burst: 2)
            let refused = rate.take(fullInUs: rate.windowUs)
            #expect(!refused.isAllowed)
            #expect(rate.take(fullInUs: rate.windowUs - refused.retryInUs).isAllowed)
            #expect(!rate.take(fullInUs: rate.windowUs - refused.retryInUs + 1).isAllowed)
        }
    }

    @Test(arguments: [1, 7, 999, 1000, 123_457, 600_000])
    func `rounding never allows more than the rate`(_ perMinute: Int) {
        let rate = BucketRate(perMinute: perMinute, burst: 1)
        #expect(Int(rate.intervalUs) * perMinute >= 60_000_000)
        // And at most one per cent less.
        #expect(Int(rate.intervalUs) * perMinute <= 60_600_000)
    }

    @Test func `seconds for headers are rounded up`() {
        let decision = BucketDecision(isAllowed: false, remaining: 0, fullInUs: 2_000_001, retryInUs: 1)
        #expect(decision.resetSeconds == 3)
        #expect(decision.retryAfterSeconds == 1)
        let free = BucketDecision(isAllowed: true, remaining: 1, fullInUs: 0, retryInUs: 0)
        #expect(free.resetSeconds == 0)
        #expect(free.retryAfterSeconds == 0)
    }

    @Test func `a rate of zero is no limit`() {
        #expect(BucketRate(perMinute: 0, burst: 5).isUnlimited)
        #expect(!BucketRate(perMinute: 1, burst: 5).isUnlimited)
    }

    @Test func `a burst that would take longer than the window to refill is cut`() {
        let rate = BucketRate(perMinute: 1, burst: 100_000)
        #expect(rate.burst == Int(BucketRate.windowUsMax / 60_000_000))
        #expect(rate.windowUs <= BucketRate.windowUsMax)
        #expect(rate.take(fullInUs: 0).remaining == rate.burst - 1)
    }
}
