// The line that a run draws over on a terminal: how far, how fast, how slow. Owned by the command, on stderr.
// Nothing where stderr is no terminal. Limit: `drawnEvery` between two drawings.

import Reactor

struct ProgressLine {
    static let drawnEvery = Interval.milliseconds(200)

    private let isShown: Bool
    private var startedAt: Instant?
    private var drawnAt: Instant?

    init(isShown: Bool) { self.isShown = isShown && isTerminal(2) }

    /// - Parameter total: how long it will take, if that is known.
    mutating func draw(tally: Tally, last: SeriesRow?, total: Interval?, now: Instant) {
        let started = startedAt ?? now
        startedAt = started
        guard isShown, drawnAt.map({ now - $0 >= Self.drawnEvery }) ?? true else { return }
        drawnAt = now
        writeText("\r\u{1B}[K" + Self.text(tally: tally, last: last, elapsed: now - started, total: total), to: 2)
    }

    static func text(tally: Tally, last: SeriesRow?, elapsed: Interval, total: Interval?) -> String {
        var text = "  \(fixedText(elapsed.seconds, 0)) s"
        if let total { text += " of \(fixedText(total.seconds, 0))" }
        guard let last else { return text + "  …" }
        text += "  \(countText(last.answered))/s  p50 \(microsText(last.p50Micros))  p99 \(microsText(last.p99Micros))"
        if tally.errorCount > 0 { text += "  \(countText(tally.errorCount)) errors" }
        return text
    }

    /// Leaves the line to what is printed next.
    func end() {
        if drawnAt != nil { writeText("\r\u{1B}[K", to: 2) }
    }
}
