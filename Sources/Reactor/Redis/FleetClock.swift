// The time of the fleet: Redis' clock, which all gateways share, kept as an offset to this machine's monotonic clock.
// A pure value. Error: half the difference between the two ways of the round trip, so less than its length.
// Source: Cristian, "Probabilistic clock synchronization", 1989.

/// Redis' clock as seen from here.
public struct FleetClock: Sendable {
    /// Redis' time minus the monotonic clock, in nanoseconds.
    private var offsetNanoseconds: Int64
    /// Length of the round trip that last set the clock.
    public private(set) var roundTrip: Interval?

    /// Starts with this machine's own time.
    public init(now: Instant, wallMicroseconds: Int64) {
        offsetNanoseconds = wallMicroseconds * 1000 - now.nanoseconds
    }

    /// Takes a reading of Redis' `TIME` that was asked for at `sent` and arrived at `received`.
    public mutating func set(serverMicroseconds: Int64, sent: Instant, received: Instant) {
        let trip = received - sent
        offsetNanoseconds = serverMicroseconds * 1000 + trip.nanoseconds / 2 - received.nanoseconds
        roundTrip = trip
    }

    /// Microseconds since the Unix epoch at `now`.
    public func microseconds(at now: Instant) -> Int64 { (now.nanoseconds + offsetNanoseconds) / 1000 }
}
