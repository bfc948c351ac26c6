// When a published key set is asked for: again when its time is over, and at once for a key that it does not name, once
// an interval however many ask. A pure value that takes `now`. Limits: `lifetime` bounds what a server may say.
// Source: the HTTP contract, section 3; RFC 9111 section 4.2 for the lifetime.

import Reactor

struct KeyFreshness: Equatable, Sendable {
    static let lifetimeSeconds = 1...86_400
    static let lifetimeDefaultSeconds = 3600
    /// After a failure; also between two that somebody waits for while there is no set at all.
    static let retryPause = Interval.seconds(1)
    static let retryPauseMax = Interval.seconds(60)

    let refetchInterval: Interval
    private(set) var isFetching = false
    private(set) var isLoaded = false
    private var dueAt: Instant
    private var demandAt: Instant
    private var failures = 0

    /// - Parameter refetchInterval: between two questions for keys that the set does not name.
    init(refetchInterval: Interval, now: Instant) {
        self.refetchInterval = refetchInterval
        dueAt = now
        demandAt = now
    }

    /// Time until the set is to be asked for by itself.
    func timeUntilDue(_ now: Instant) -> Interval { dueAt > now ? dueAt - now : .zero }

    /// Begins a fetch whose time has come. False: not yet, or another is under way.
    mutating func beginDue(_ now: Instant) -> Bool {
        guard !isFetching, now >= dueAt else { return false }
        isFetching = true
        return true
    }

    enum Demand: Equatable { case fetch, wait, refuse }

    /// Somebody needs a key that is not there.
    mutating func demand(_ now: Instant) -> Demand {
        if isFetching { return .wait }
        guard now >= demandAt else { return .refuse }
        demandAt = now + (isLoaded ? refetchInterval : Self.retryPause)
        isFetching = true
        return .fetch
    }

    mutating func fetched(lifetimeSeconds: Int, now: Instant) {
        let bounds = Self.lifetimeSeconds
        let seconds = min(max(lifetimeSeconds, bounds.lowerBound), bounds.upperBound)
        // What was asked for in vain before does not count against the first key that is missing.
        if !isLoaded { demandAt = now }
        isFetching = false
        isLoaded = true
        failures = 0
        dueAt = now + .seconds(Double(seconds))
    }

    /// The last good set stays; the pauses double.
    mutating func failed(now: Instant) {
        isFetching = false
        let pause = Self.retryPause.seconds * Double(1 << min(failures, 6))
        failures += 1
        dueAt = now + min(.seconds(pause), Self.retryPauseMax)
    }

    /// How long an answer says that it holds.
    static func lifetimeSeconds(cacheControl: String?, age: String?) -> Int {
        var seconds = lifetimeDefaultSeconds
        for directive in (cacheControl ?? "").lowercased().split(separator: ",") {
            let directive = trimmed(directive)
            if directive == "no-store" || directive == "no-cache" { seconds = 0 }
            if directive.hasPrefix("max-age="), let value = Int(directive.dropFirst("max-age=".count)) {
                seconds = max(0, min(value, lifetimeSeconds.upperBound))
            }
        }
        return max(0, seconds - max(0, Int(trimmed(age ?? "")) ?? 0))
    }
}
