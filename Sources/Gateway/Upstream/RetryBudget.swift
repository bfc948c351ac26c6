// How many retries a service may cost: under a fifth of its requests, and three a second at least.
// Pure; time is passed in. One 64-bit word holds it all, so that reactors can share it without a lock.
// Source: the HTTP contract, section 3; Google's "Site Reliability Engineering", chapter 22, retry budgets.

struct RetryBudget: Equatable, Sendable {
    /// Each request earns one point, each retry costs five: a fifth.
    static let retryPoints: UInt64 = 5
    /// What a quiet time saves up: a hundred retries.
    static let pointsMax: UInt64 = 500
    static let freePerSecond: UInt64 = 3

    private var points: UInt64 = 0
    /// Monotonic second that `retries` counts in, 40 bits.
    private var second: UInt64 = 0
    private var retries: UInt64 = 0

    init() {}

    /// 40 bits of seconds, 12 of retries, 12 of points.
    init(word: UInt64) {
        points = word & 0xFFF
        retries = word >> 12 & 0xFFF
        second = word >> 24
    }

    var word: UInt64 { second << 24 | retries << 12 | points }

    /// A request that is none of the retries went out.
    mutating func noteRequest() { points = min(points + 1, Self.pointsMax) }

    /// Takes one retry; false where it would be one too many.
    mutating func takeRetry(nowSeconds: Int) -> Bool {
        let now = UInt64(nowSeconds) & (1 << 40 - 1)
        if now != second { (second, retries) = (now, 0) }
        if points >= Self.retryPoints {
            points -= Self.retryPoints
        } else if retries >= Self.freePerSecond {
            return false
        }
        retries = min(retries + 1, 0xFFF)
        return true
    }
}
