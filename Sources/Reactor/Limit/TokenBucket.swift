// The arithmetic of a token bucket, as the time at which it will be full again (GCRA's theoretical arrival time).
// Pure values that take `now`; microseconds throughout. The table that threads share is TokenBucketTable.
// Limits: `perMinuteMax`, `windowUsMax`. Source: ITU-T I.371 annex A, the virtual scheduling algorithm.

/// How fast a bucket fills, and how much it holds.
public struct BucketRate: Equatable, Sendable {
    public static let perMinuteMax = 600_000
    /// Longest time from empty to full (76 hours): what the table's words can express. A larger burst is cut to it.
    public static let windowUsMax: UInt64 = 1 << 38

    public let perMinute: Int
    public let burst: Int
    /// Time in which one token comes. Rounded up, so that rounding never allows more than the rate.
    @usableFromInline let intervalUs: UInt64
    /// Time in which an empty bucket fills.
    @usableFromInline let windowUs: UInt64

    /// - Parameters:
    ///   - perMinute: 0 switches the limit off; more than `perMinuteMax` is a bug and traps.
    ///   - burst: > 0, the tokens of a full bucket.
    public init(perMinute: Int, burst: Int) {
        precondition(perMinute >= 0 && perMinute <= Self.perMinuteMax, "rate out of range")
        precondition(burst > 0, "a bucket holds at least one token")
        self.perMinute = perMinute
        guard perMinute > 0 else {
            self.burst = burst
            intervalUs = 0
            windowUs = 0
            return
        }
        let minuteUs = 60_000_000
        let interval = UInt64((minuteUs + perMinute - 1) / perMinute)
        intervalUs = interval
        self.burst = min(burst, Int(Self.windowUsMax / interval))
        windowUs = interval * UInt64(self.burst)
    }

    public var isUnlimited: Bool { perMinute == 0 }

    /// Takes one token of a bucket.
    /// - Parameter fullInUs: time until the bucket would be full, 0 where it is.
    /// - Returns: the decision; its `fullInUs` is the bucket's new state and unchanged where nothing was taken.
    @inlinable
    public func take(fullInUs: UInt64) -> BucketDecision {
        let after = fullInUs + intervalUs
        if after > windowUs {
            return BucketDecision(isAllowed: false, remaining: 0, fullInUs: fullInUs, retryInUs: after - windowUs)
        }
        return BucketDecision(
            isAllowed: true, remaining: Int((windowUs - after) / intervalUs), fullInUs: after, retryInUs: 0)
    }
}

/// What became of a request for a token.
public struct BucketDecision: Equatable, Sendable {
    public var isAllowed: Bool
    /// Whole tokens left.
    public var remaining: Int
    /// Until the bucket is full again.
    public var fullInUs: UInt64
    /// Until the next token, where none was left; else 0.
    public var retryInUs: UInt64

    @inlinable
    public init(isAllowed: Bool, remaining: Int, fullInUs: UInt64, retryInUs: UInt64) {
        self.isAllowed = isAllowed
        self.remaining = remaining
        self.fullInUs = fullInUs
        self.retryInUs = retryInUs
    }

    /// For `Retry-After`: rounded up, so that whoever obeys it gets a token.
    public var retryAfterSeconds: Int { Int((retryInUs + 999_999) / 1_000_000) }

    /// For `X-RateLimit-Reset`, after adding the time of day: rounded up.
    public var resetSeconds: Int { Int((fullInUs + 999_999) / 1_000_000) }
}
