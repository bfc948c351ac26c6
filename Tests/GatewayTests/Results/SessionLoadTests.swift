// How long a chunk waits for what a session has out.

import Reactor
import Testing

@testable import Gateway

@Suite struct SessionLoadTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func `nothing waits for an idle session`() {
        var load = SessionLoad()
        #expect(load.patienceEnd == nil)
        load.began(now: start)
        load.ended()
        #expect(load.patienceEnd == nil)
        #expect(load.writing == 0)
    }

    @Test func `patience begins when a statement departs, and again when one is done`() {
        var load = SessionLoad()
        load.began(now: start)
        #expect(load.patienceEnd == start + SessionLoad.patience)
        // One that stands behind it is no progress.
        let later = start + .milliseconds(5)
        load.began(now: later)
        #expect(load.patienceEnd == start + SessionLoad.patience)
        load.advanced(now: later)
        load.ended()
        #expect(load.writing == 1)
        #expect(load.patienceEnd == later + SessionLoad.patience)
    }
}
