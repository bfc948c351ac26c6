// How busy a reactor is: the share of the last second or more that its turns worked. A pure value of one reactor.

import Reactor

struct BusyMeter {
    /// Shorter windows would show single turns.
    static let window = Interval.seconds(1)

    private var worked = Interval.zero
    private var waited = Interval.zero

    /// Adds one turn.
    /// - Returns: the share, 0 to 1, when a window is full; then the next begins.
    mutating func add(worked more: Interval, waited idle: Interval) -> Double? {
        worked.nanoseconds += more.nanoseconds
        waited.nanoseconds += idle.nanoseconds
        let total = worked.nanoseconds + waited.nanoseconds
        guard total >= Self.window.nanoseconds else { return nil }
        defer { self = BusyMeter() }
        return Double(worked.nanoseconds) / Double(total)
    }
}
