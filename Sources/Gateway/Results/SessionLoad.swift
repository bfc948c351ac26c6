// What a session of PostgreSQL has to do for one batch, and how long a chunk that is not full had better wait for it.
// A value of one `ResultBatch`. Limit: `patience`.

import Reactor

struct SessionLoad: Equatable {
    /// How long a chunk gathers on while a statement is out that gets on: a session that hangs, or waits for a lock, shall
    /// not hold up what another could write. Longer than a commit of 64 rows, which takes 2 to 3 ms where it was measured.
    static let patience = Interval.milliseconds(20)

    /// Statements out.
    private(set) var writing = 0
    /// When one last departed to the idle session, or was done.
    private var progressed = Instant(nanoseconds: 0)

    mutating func began(now: Instant) {
        if writing == 0 { progressed = now }
        writing += 1
    }

    /// One was done, as it should be; what it belongs to may go on.
    mutating func advanced(now: Instant) { progressed = now }

    mutating func ended() { writing -= 1 }

    /// Until when its end is worth waiting for; nil where nothing is out.
    var patienceEnd: Instant? { writing == 0 ? nil : progressed + Self.patience }
}
