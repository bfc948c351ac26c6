// When each request is to be sent: the plan that latencies are measured from, whatever the server makes of it.
// A pure value; each load loop has its own, which holds every n-th send of the whole. Times are passed in.
// Source: Tene, "How NOT to measure latency": a stalled server must not stall the plan.

import Reactor

/// Planned send times: a lead at the first rate, then the shape.
struct Schedule {
    enum Shape: Equatable, Sendable {
        case constant(perSecond: Double)
        /// Grows (or falls) linearly over `over`, and stays at `to` afterwards.
        case ramp(from: Double, to: Double, over: Interval)

        /// The rate at the beginning.
        var firstRate: Double {
            switch self {
            case .constant(let rate): rate
            case .ramp(let from, _, _): from
            }
        }
    }

    let start: Instant
    let lead: Interval
    let shape: Shape
    private let loopIndex: Int
    private let loopCount: Int
    /// Sends of this loop that were taken.
    private(set) var taken = 0

    /// - Parameters:
    ///   - lead: the warm-up, at the shape's first rate.
    ///   - loopIndex: this loop takes the sends `loopIndex`, `loopIndex + loopCount`, …
    init(_ shape: Shape, start: Instant, lead: Interval, loopIndex: Int = 0, loopCount: Int = 1) {
        self.shape = shape
        self.start = start
        self.lead = lead
        self.loopIndex = loopIndex
        self.loopCount = loopCount
    }

    /// When this loop's next request is to be sent.
    var next: Instant { time(of: loopIndex + taken * loopCount) }

    mutating func take() -> Instant {
        let planned = next
        taken += 1
        return planned
    }

    /// How many of this loop's sends are planned in `range`, taken or not.
    func count(in range: Range<Instant>) -> Int {
        max(0, ordinal(at: range.upperBound) - ordinal(at: range.lowerBound))
    }

    /// The first of this loop's sends at or after `instant`.
    private func ordinal(at instant: Instant) -> Int {
        var low = 0
        var high = 1
        while time(of: loopIndex + high * loopCount) < instant { high *= 2 }
        while low < high {
            let middle = (low + high) / 2
            if time(of: loopIndex + middle * loopCount) < instant { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// - Parameter number: of all loops' sends, from 0.
    func time(of number: Int) -> Instant {
        let first = shape.firstRate
        let leadSends = first * lead.seconds
        let beyond = Double(number) - leadSends
        if beyond <= 0 { return start + .seconds(Double(number) / first) }
        let seconds: Double
        switch shape {
        case .constant(let rate): seconds = beyond / rate
        case .ramp(let from, let to, let over): seconds = Self.rampSeconds(beyond, from, to, over.seconds)
        }
        return start + lead + .seconds(seconds)
    }

    /// Solves from·t + (to − from)·t² / 2·over = sends for t.
    private static func rampSeconds(_ sends: Double, _ from: Double, _ to: Double, _ over: Double) -> Double {
        let rampSends = (from + to) / 2 * over
        if sends >= rampSends { return over + (sends - rampSends) / to }
        let growth = (to - from) / over
        // Twice the sends over the sum of both rates: the form that does not cancel where the growth is small.
        return 2 * sends / (from + (from * from + 2 * growth * sends).squareRoot())
    }
}
