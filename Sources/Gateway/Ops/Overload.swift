// How overloaded a reactor is, and who is refused for it: levels from the lag of its loop and the fill of its queues.
// A pure value of one reactor, told of each turn. Limits: `lagBounds`, `fillBounds`; a level holds for `calm` at least.
// Source: operations.md; the order of refusals is that of what the fleet can do without longest.

import Reactor

/// What a request is refused as, least needed first; its raw value is the level from which on it is.
enum OverloadClass: UInt8, CaseIterable, Sendable {
    /// Requests of the public surface.
    case publicRead = 1
    /// What brings in more work: pulls, proxies for them, new tasks.
    case pull = 2
    /// What has been done: results, raw files, tasks that end.
    case result = 3
    case heartbeat = 4

    /// Of routes that are never refused: health, metrics, operators.
    static let never = UInt8.max

    /// Value of the `class` label.
    var name: String {
        switch self {
        case .publicRead: "public"
        case .pull: "pull"
        case .result: "result"
        case .heartbeat: "heartbeat"
        }
    }
}

extension Operation {
    /// The level from which on it is refused.
    var yieldsAt: UInt8 {
        switch self {
        case .relay, .usage: OverloadClass.publicRead.rawValue
        case .work, .enqueue, .proxyCreate, .proxyRotate, .proxyBan: OverloadClass.pull.rawValue
        case .results, .complete, .fail, .rawFile: OverloadClass.result.rawValue
        case .heartbeat: OverloadClass.heartbeat.rawValue
        default: OverloadClass.never
        }
    }
}

struct Overload {
    /// Lag of the loop at which a level begins: level 1, 2, 3, 4.
    static let lagBounds = [200, 400, 800, 1_600].map { Interval.milliseconds($0) }
    /// Fill of the fullest queue, 0 to 1, at which a level begins.
    static let fillBounds = [0.5, 0.7, 0.85, 0.95]
    /// A level ends when lag and fill have been below this share of its bounds for `calm`.
    static let releaseShare = 0.8
    static let calm = Interval.milliseconds(500)
    /// Over so much time the lag is averaged where it rises, and where it falls: one slow turn is no overload.
    static let lagWindow = Interval.seconds(1)
    static let lagFallWindow = Interval.milliseconds(100)

    private(set) var level: UInt8 = 0
    /// The length of the loop's turns, averaged: how long an event waits.
    private(set) var lag = Interval.zero
    private var calmSince: Instant?

    /// Tells of one turn that has ended.
    /// - Parameters:
    ///   - fill: of the fullest queue.
    ///   - now: the turn's end.
    /// - Returns: whether the level is another one now. It rises by one a turn, and falls to where it belongs.
    mutating func observe(worked: Interval, waited: Interval, fill: Double, now: Instant) -> Bool {
        average(worked, waited)
        let before = level
        // Behind a single stall the average is high for a while, though turns are short again.
        let target = Self.level(lag: min(lag, worked), fill: fill, share: 1)
        if target > level {
            level += 1
            calmSince = nil
        } else if level > 0 {
            release(to: Self.level(lag: lag, fill: fill, share: Self.releaseShare), now: now)
        }
        return level != before
    }

    /// A long turn weighs as much as its length, and waiting shows that nothing waits.
    private mutating func average(_ worked: Interval, _ waited: Interval) {
        let share =
            worked > lag
            ? worked.seconds / Self.lagWindow.seconds
            : (worked.seconds + waited.seconds) / Self.lagFallWindow.seconds
        let weight = min(1, share)
        let change = Double(worked.nanoseconds - lag.nanoseconds) * weight
        lag = Interval(nanoseconds: lag.nanoseconds + Int64(change))
    }

    private mutating func release(to calmLevel: UInt8, now: Instant) {
        guard calmLevel < level else {
            calmSince = nil
            return
        }
        guard let since = calmSince else {
            calmSince = now
            return
        }
        if now - since >= Self.calm {
            level = calmLevel
            calmSince = nil
        }
    }

    /// The level that lag and fill mean, at a share of the bounds.
    private static func level(lag: Interval, fill: Double, share: Double) -> UInt8 {
        var level: UInt8 = 0
        for index in lagBounds.indices {
            let isOver =
                Double(lag.nanoseconds) >= Double(lagBounds[index].nanoseconds) * share
                || fill >= fillBounds[index] * share
            if isOver { level = UInt8(index + 1) }
        }
        return level
    }
}
