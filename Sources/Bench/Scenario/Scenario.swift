// The seam between a load loop and what it sends: the scenario writes requests and judges answers.
// One a loop, on its thread; nothing here may allocate per request.

import Reactor

/// What a loop remembers of a request until its answer.
struct Ticket {
    /// Index of the scenario's `kinds`.
    var kind = 0
    /// Whose request it is; means what the scenario wants.
    var worker: UInt32 = 0
    /// When a scenario with a plan of its own wanted it sent.
    var due: Instant?
}

enum Verdict {
    case good
    /// An answer with a status that is no success.
    case refused
    /// A success whose body is not what the contract says.
    case wrong
}

/// A figure of the scenario's own, such as rows inserted.
struct ScenarioFigure: Codable, Equatable, Sendable {
    var name: String
    var value: Int
}

protocol Scenario: AnyObject {
    /// Names of the kinds of requests.
    var kinds: [String] { get }
    /// About how many bytes a request has.
    var requestBytes: Int { get }
    /// Whether `answered` looks at bodies.
    var readsBodies: Bool { get }
    /// Whether requests have the method HEAD.
    var sendsHEAD: Bool { get }
    /// Whether the scenario decides when to send (`nextDue`), and not the loop.
    var hasOwnPlan: Bool { get }
    /// Called once, when sending begins.
    func begin(at start: Instant)
    /// When its next request is due; nil: not before another answer. Only for scenarios with a plan of their own.
    var nextDue: Instant? { get }
    /// Requests that were due before `end` and are not sent.
    func overdueCount(before end: Instant) -> Int
    /// Nothing is left to do.
    var isFinished: Bool { get }
    /// Appends one request.
    func write(to out: inout ByteBuffer, now: Instant) -> Ticket
    func answered(_ ticket: Ticket, status: Int, body: RawSpan, now: Instant) -> Verdict
    /// The request got no answer: its connection is gone.
    func lost(_ ticket: Ticket, now: Instant)
    /// Forgets the figures: measuring begins.
    func resetFigures()
    var figures: [ScenarioFigure] { get }
}

extension Scenario {
    var sendsHEAD: Bool { false }
    var hasOwnPlan: Bool { false }
    var nextDue: Instant? { nil }
    var isFinished: Bool { false }
    var figures: [ScenarioFigure] { [] }
    func begin(at start: Instant) {}
    func overdueCount(before end: Instant) -> Int { 0 }
    func lost(_ ticket: Ticket, now: Instant) {}
    func resetFigures() {}
}

/// Which part of the whole load a loop has.
struct LoopShare: Sendable {
    var index: Int
    var count: Int

    /// This loop's part of `total`: the parts add up to it.
    func part(of total: Int) -> Int { total / count + (index < total % count ? 1 : 0) }
    /// How many of `total` the loops before this one have.
    func offset(in total: Int) -> Int { total / count * index + min(index, total % count) }
}
