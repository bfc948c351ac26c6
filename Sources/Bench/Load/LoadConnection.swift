// One connection of a load loop: its stream, the requests that await their answers in order, and the reader of these.
// Owned by the loop; lives as long as it, over all the connections that it makes one after the other.
// Limit: `inFlight` holds as many requests as are pipelined.

import Reactor

/// A request that is out.
struct InFlight {
    var ticket: Ticket
    /// What its latency is measured from: its plan, or its send.
    var reference: Instant
    var sentAt: Instant
}

struct LoadConnection: ~Copyable {
    enum State {
        case closed, connecting, open
    }

    var state = State.closed
    var stream: Stream?
    var inFlight: Ring<InFlight>
    var reader = AnswerReader()
    /// It stands in the loop's line of connections with room.
    var isListed = false
    /// It was opened, or could not be, once.
    var wasTried = false
    /// Failures in a row: each makes the wait before the next attempt longer.
    var failures = 0
    /// When connecting began.
    var connectingSince = Instant(nanoseconds: 0)

    init(pipeline: Int) { inFlight = Ring(countMax: pipeline) }

    var hasRoom: Bool { state == .open && !inFlight.isFull }
}
