// When a worker that got nothing should ask again: later the longer the queue has been empty, never all at once, and in
// time for the next delayed task. A plain value of one reactor and kind; time and chance are passed in.
// Limits: `secondsMax` for those who did not wait, `waitedSecondsMax` for those who did (waiting costs nothing).

import Reactor

struct RetryAdvice {
    static let secondsMax = 15.0
    static let waitedSecondsMax = 3.0
    /// So many seconds of emptiness add one to the advice.
    static let emptySecondsPerSecond = 10.0

    private var emptySince: Instant?

    /// Tasks were found, or are said to be there.
    mutating func found() { emptySince = nil }

    /// A worker got nothing.
    /// - Parameters:
    ///   - dueInMs: until the next delayed task is due; nil where none is known.
    ///   - hasWaited: it was a long poll.
    /// - Returns: whole seconds, at least 1.
    mutating func seconds(
        now: Instant, dueInMs: Int?, hasWaited: Bool, using generator: inout some RandomNumberGenerator
    ) -> Int {
        let since = emptySince ?? now
        emptySince = since
        let grown = 1 + (now - since).seconds / Self.emptySecondsPerSecond
        let base = min(grown, hasWaited ? Self.waitedSecondsMax : Self.secondsMax)
        let spread = Int(Double.random(in: base / 2...base * 1.5, using: &generator).rounded(.up))
        guard let dueInMs else { return spread }
        return min(spread, max(1, (dueInMs + 999) / 1000))
    }
}
