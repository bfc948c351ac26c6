// How long a client waits before it tries to connect again: doubled each time, with jitter, so that a fleet whose
// server comes back does not arrive at once. A pure value; its client owns it.
// Limits: from `first` to `longest`. Source: Brooker, "Exponential backoff and jitter", 2015.

/// The waiting times between attempts.
struct Backoff {
    static let first = Interval.milliseconds(50)
    static let longest = Interval.milliseconds(5000)

    private(set) var attempts = 0

    /// The wait before the next attempt: between half of the step and the whole of it.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Interval {
        let doublings = min(attempts, 16)
        let step = min(Self.first.nanoseconds << Int64(doublings), Self.longest.nanoseconds)
        attempts += 1
        return Interval(nanoseconds: Int64.random(in: step / 2...step, using: &generator))
    }

    /// The connection is good again.
    mutating func reset() { attempts = 0 }
}
