// What a load loop counts: sends, answers, errors by class and by status. Plain data that can be added up.

/// Why a request got no good answer.
enum ErrorClass: Int, CaseIterable, Sendable {
    /// No connection could be made.
    case connect
    /// No answer within the time.
    case timeout
    /// The connection ended before the answer.
    case reset
    /// What came is no HTTP, or not what the contract says.
    case `protocol`
    /// An answer that says no.
    case status

    var name: String { "\(self)" }
}

struct Tally: Equatable, Sendable {
    static let statusRange = 100...599

    var sent = 0
    var answered = 0
    var good = 0
    /// Sends later than their plan by more than `LoadLoop.lateAfter`.
    var late = 0
    /// Of these: sends that no connection was free for.
    var starved = 0
    /// Planned sends that were not made before the end.
    var dropped = 0
    /// Connections that had to be opened again.
    var reconnects = 0
    private var errors = [Int](repeating: 0, count: ErrorClass.allCases.count)
    private var statuses = [Int](repeating: 0, count: Tally.statusRange.count)

    subscript(error: ErrorClass) -> Int { errors[error.rawValue] }
    var errorCount: Int { errors.reduce(0, +) }

    mutating func count(_ error: ErrorClass, _ times: Int = 1) { errors[error.rawValue] += times }

    mutating func count(status: Int) {
        if Self.statusRange.contains(status) { statuses[status - Self.statusRange.lowerBound] += 1 }
    }

    /// Statuses that came, and how often.
    var statusCounts: [(status: Int, count: Int)] {
        statuses.enumerated().filter { $0.element > 0 }.map { (Self.statusRange.lowerBound + $0.offset, $0.element) }
    }

    mutating func add(_ other: Tally) {
        sent += other.sent
        answered += other.answered
        good += other.good
        late += other.late
        starved += other.starved
        dropped += other.dropped
        reconnects += other.reconnects
        for at in errors.indices { errors[at] += other.errors[at] }
        for at in statuses.indices { statuses[at] += other.statuses[at] }
    }

    /// Everything to zero, in the memory that is there.
    mutating func reset() {
        sent = 0
        answered = 0
        good = 0
        late = 0
        starved = 0
        dropped = 0
        reconnects = 0
        for at in errors.indices { errors[at] = 0 }
        for at in statuses.indices { statuses[at] = 0 }
    }
}
