// A line that a command draws over on a terminal: how far it is, how fast, how long still. Owned by the command.
// Limit: `drawnEvery` between two drawings; nothing at all where the output is no terminal.

import Reactor

struct ProgressBar {
    static let drawnEvery = Interval.milliseconds(100)
    static let width = 30

    private let descriptor: Int32
    private let isShown: Bool
    private let started: Instant
    private var drawnAt: Instant?

    /// - Parameter descriptor: 2, so that the output stays clean.
    init(descriptor: Int32 = 2, now: Instant) {
        self.descriptor = descriptor
        isShown = isTerminal(descriptor)
        started = now
    }

    /// Draws, unless it was drawn just now.
    /// - Parameters:
    ///   - share: 0 … 1 of all that there is.
    ///   - items: done in this run.
    mutating func draw(share: Double, items: Int, now: Instant) {
        guard isShown, drawnAt.map({ now - $0 >= Self.drawnEvery }) ?? true else { return }
        drawnAt = now
        writeText(
            "\r\u{1B}[K" + Self.line(share: share, items: items, seconds: (now - started).seconds), to: descriptor)
    }

    /// Leaves the line, so that the next output has its own.
    func end() {
        if drawnAt != nil { writeText("\r\u{1B}[K", to: descriptor) }
    }

    /// - Parameter seconds: since the start.
    static func line(share: Double, items: Int, seconds: Double) -> String {
        let share = min(max(share, 0), 1)
        let full = Int((share * Double(width)).rounded(.down))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        let rate = seconds > 0 ? Int(Double(items) / seconds) : 0
        var line = "\(bar) \(Int(share * 100)) %  \(items) tasks  \(rate)/s"
        if share > 0, share < 1, seconds > 1 { line += "  \(Int(seconds / share - seconds)) s left" }
        return line
    }
}
