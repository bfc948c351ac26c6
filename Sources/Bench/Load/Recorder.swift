// Gathers what the load loops measured: totals, and a row for each second. Shared by the loops and the main thread, behind
// one lock that each loop takes once a second. Limits: `rowsMax` rows; seconds beyond are in the totals only.

import Reactor
import Synchronization

/// One second of a run, all loops together.
struct SeriesRow: Codable, Equatable, Sendable {
    var second: Int
    var sent = 0
    var answered = 0
    var errors = 0
    var p50Micros = 0.0
    var p99Micros = 0.0
    var maxMicros = 0.0
}

/// All of a measured period.
struct RunTotals: Sendable {
    struct Kind: Sendable {
        var latency = Latencies()
        var service = Latencies()
    }

    var kinds: [Kind]
    var tally = Tally()
    var worked = Interval.zero
    var waited = Interval.zero
    var rows: [SeriesRow] = []
    var figures: [ScenarioFigure] = []
    /// When measuring began and ended, and what the processes had used then.
    var start: Instant?
    var end: Instant?
    var usageAtStart: [ProcessSample?] = []
    var usageAtEnd: [ProcessSample?] = []
}

final class Recorder: Sendable {
    static let rowsMax = 24 * 3600

    private struct Second {
        var tally = Tally()
        var latency = Latencies()
        var loops = 0
    }

    private struct State {
        var totals: RunTotals
        var seconds: [Int: Second] = [:]
        /// Seconds that all loops have told, and that are no rows yet.
        var complete: [(second: Int, values: Second)] = []
        var started = 0
        var ended = 0
    }

    private let loopCount: Int
    /// Whose use of the processor is sampled: this process's first.
    private let pids: [String]
    private let state: Mutex<State>

    init(kindCount: Int, loopCount: Int, pids: [String]) {
        self.loopCount = loopCount
        self.pids = pids
        let kinds = [RunTotals.Kind](repeating: RunTotals.Kind(), count: kindCount)
        state = Mutex(State(totals: RunTotals(kinds: kinds)))
    }

    /// A loop begins to measure.
    func measuringStarts(at instant: Instant) {
        state.withLock { state in
            if state.started == 0 {
                state.totals.usageAtStart = pids.map(ProcessSample.read)
                state.totals.start = instant
            }
            state.started += 1
        }
    }

    /// A loop sends nothing more that is measured.
    func measuringEnds(at instant: Instant) {
        state.withLock { state in
            state.ended += 1
            guard state.ended == loopCount else { return }
            state.totals.usageAtEnd = pids.map(ProcessSample.read)
            state.totals.end = instant
        }
    }

    /// Adds what a loop measured in a second, and empties its meter.
    func add(_ meter: Meter, second: Int) {
        state.withLock { state in
            var row = state.seconds.removeValue(forKey: second) ?? Second()
            row.tally.add(meter.tally)
            row.loops += 1
            for (index, kind) in meter.kinds.enumerated() where kind.latency.count > 0 {
                row.latency.add(kind.latency)
                state.totals.kinds[index].latency.add(kind.latency)
                state.totals.kinds[index].service.add(kind.service)
            }
            state.totals.tally.add(meter.tally)
            state.totals.worked.nanoseconds += meter.worked.nanoseconds
            state.totals.waited.nanoseconds += meter.waited.nanoseconds
            if row.loops == loopCount { state.complete.append((second, row)) } else { state.seconds[second] = row }
        }
        meter.reset()
    }

    func add(_ figures: [ScenarioFigure]) {
        state.withLock { state in
            for figure in figures {
                if let at = state.totals.figures.firstIndex(where: { $0.name == figure.name }) {
                    state.totals.figures[at].value += figure.value
                } else {
                    state.totals.figures.append(figure)
                }
            }
        }
    }

    private static func row(_ second: Int, _ values: Second) -> SeriesRow {
        SeriesRow(
            second: second, sent: values.tally.sent, answered: values.tally.answered, errors: values.tally.errorCount,
            p50Micros: values.latency.microseconds(percent: 50), p99Micros: values.latency.microseconds(percent: 99),
            maxMicros: values.latency.maxMicroseconds)
    }

    /// Makes rows of what is complete. Percentiles take milliseconds: for the main thread, and without the lock.
    private func addRows(_ complete: [(second: Int, values: Second)]) {
        let rows = complete.map { Self.row($0.second, $0.values) }
        state.withLock { state in
            let room = max(0, Self.rowsMax - state.totals.rows.count)
            state.totals.rows += rows.prefix(room)
        }
    }

    /// What there is so far. For the main thread.
    func progress() -> (tally: Tally, last: SeriesRow?) {
        let complete = state.withLock { state in
            defer { state.complete = [] }
            return state.complete
        }
        addRows(complete)
        return state.withLock { ($0.totals.tally, $0.totals.rows.last) }
    }

    /// Everything, at the end. For the main thread.
    func finish() -> RunTotals {
        let rest = state.withLock { state in
            defer {
                state.complete = []
                state.seconds = [:]
            }
            return state.complete + state.seconds.map { ($0.key, $0.value) }
        }
        addRows(rest)
        return state.withLock { state in
            state.totals.rows.sort { $0.second < $1.second }
            return state.totals
        }
    }
}
