// What a run says of itself while it goes on.

import Reactor
import Testing

@testable import Bench

@Suite struct ProgressLineTests {
    @Test func `the line tells time, rate, percentiles and errors`() {
        var tally = Tally()
        let row = SeriesRow(
            second: 1, sent: 10, answered: 12_345, errors: 0, p50Micros: 81, p99Micros: 1500, maxMicros: 2000)
        func text(_ last: SeriesRow?, _ total: Interval?) -> String {
            ProgressLine.text(tally: tally, last: last, elapsed: .seconds(2.2), total: total)
        }
        #expect(text(nil, .seconds(11)) == "  2 s of 11  warming up")
        tally.sent = 10
        #expect(text(row, .seconds(11)) == "  2 s of 11  12,345/s  p50 81.0 µs  p99 1.50 ms")
        tally.count(.timeout, 3)
        #expect(text(row, nil) == "  2 s  12,345/s  p50 81.0 µs  p99 1.50 ms  3 errors")
    }
}
