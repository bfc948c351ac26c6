// Times in the histogram, against an exact list of the same times.

import Reactor
import TestSupport
import Testing

@testable import Bench

@Suite struct LatenciesTests {
    @Test func `percentiles are exact to three digits`() {
        var random = RandomSource(seed: 5)
        var latencies = Latencies()
        var exact: [Int64] = []
        for _ in 0..<20_000 {
            // From microseconds to minutes, evenly over the decades.
            let time = Int64(Double.random(in: 3.5...11, using: &random).exponential10)
            exact.append(time)
            latencies.record(Interval(nanoseconds: time))
        }
        exact.sort()
        for percent in [50.0, 90, 99, 99.9, 99.99] {
            let wanted = Double(exact[Int((percent / 100 * 20_000).rounded(.up)) - 1]) / 1000
            let got = latencies.microseconds(percent: percent)
            #expect(abs(got - wanted) <= max(wanted * 0.002, 0.6), "\(percent): \(got) for \(wanted)")
        }
        #expect(latencies.maxMicroseconds == Double(exact[19_999]) / 1000)
        #expect(latencies.microseconds(percent: 100) <= latencies.maxMicroseconds)
        #expect(latencies.count == 20_000)
    }

    @Test func `two histograms add up to that of both`() {
        var (left, right, both) = (Latencies(), Latencies(), Latencies())
        for number in 1...1000 {
            let time = Interval.milliseconds(Int64(number))
            if number % 3 == 0 { left.record(time) } else { right.record(time) }
            both.record(time)
        }
        left.add(right)
        for percent in [1.0, 50, 99, 100] {
            #expect(left.microseconds(percent: percent) == both.microseconds(percent: percent))
        }
        #expect(left.count == 1000 && left.maxMicroseconds == 1_000_000)
        left.reset()
        #expect(left.count == 0 && left.microseconds(percent: 99) == 0)
    }

    @Test func `no time is lost for being too long or negative`() {
        var latencies = Latencies()
        latencies.record(.seconds(99_999))
        latencies.record(Interval(nanoseconds: -5))
        #expect(latencies.count == 2)
        #expect(latencies.microseconds(percent: 100) >= 3.59e9)
        #expect(latencies.microseconds(percent: 1) < 1)
    }
}

extension Double {
    /// 10 to this power.
    fileprivate var exponential10: Double {
        var power = 1.0
        for _ in 0..<Int(self) { power *= 10 }
        // Near enough between the decades: the test needs spread, not exactness.
        return power * (1 + 9 * (self - self.rounded(.down)))
    }
}
