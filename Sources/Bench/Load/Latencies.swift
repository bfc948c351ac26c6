// Times in a histogram of three digits: recording costs a few nanoseconds and allocates nothing.
// A value; its loop owns it. Limits: `unitNanoseconds` to `longest`; a longer time counts as that.
// Source: HdrHistogram.

import Histogram
import Reactor

struct Latencies: Sendable {
    /// Times are kept in units of this.
    static let unitNanoseconds: UInt64 = 256
    static let longest = Interval.seconds(3600)

    /// What all begin as: making one costs milliseconds, a copy microseconds.
    private static let empty = Histogram<UInt64>(
        lowestDiscernibleValue: unitNanoseconds, highestTrackableValue: UInt64(longest.nanoseconds),
        numberOfSignificantValueDigits: .three)

    private var histogram = Latencies.empty
    /// The exact longest time, which the histogram would round.
    private(set) var longestSeen = Interval.zero

    var count: Int { Int(histogram.totalCount) }

    mutating func record(_ interval: Interval) {
        let clamped = min(max(interval.nanoseconds, 0), Self.longest.nanoseconds)
        histogram.record(UInt64(clamped))
        if interval > longestSeen { longestSeen = interval }
    }

    mutating func add(_ other: Latencies) {
        histogram.add(other.histogram)
        longestSeen = max(longestSeen, other.longestSeen)
    }

    /// The library's own reset takes a millisecond, in which a loop would send nothing.
    mutating func reset() {
        guard count > 0 else { return }
        histogram = Self.empty
        longestSeen = .zero
    }

    /// - Parameter percent: 0 … 100.
    func microseconds(percent: Double) -> Double {
        guard count > 0 else { return 0 }
        let nanoseconds = min(histogram.valueAtPercentile(percent), UInt64(longestSeen.nanoseconds))
        return Double(nanoseconds) / 1000
    }

    var meanMicroseconds: Double { count > 0 ? histogram.mean / 1000 : 0 }
    var maxMicroseconds: Double { Double(longestSeen.nanoseconds) / 1000 }
}
