// Levels of overload as a value: they rise by one a turn, fall after a calm time, and one slow turn is none.

import Reactor
import Testing

@testable import Gateway

@Suite struct OverloadTests {
    private var overload = Overload()
    private var now = Instant(nanoseconds: 0)

    /// Turns of one length with a queue so full, without waiting.
    private mutating func turns(_ count: Int, ms: Int64, fill: Double = 0, waitedMs: Int64 = 0) -> UInt8 {
        for _ in 0..<count {
            now = now + .milliseconds(ms + waitedMs)
            _ = overload.observe(worked: .milliseconds(ms), waited: .milliseconds(waitedMs), fill: fill, now: now)
        }
        return overload.level
    }

    @Test(arguments: [(0.49, 0), (0.5, 1), (0.7, 2), (0.85, 3), (0.95, 4), (1, 4)] as [(Double, UInt8)])
    func `a queue's fill means a level`(_ fill: Double, _ level: UInt8) {
        var test = self
        #expect(test.turns(10, ms: 1, fill: fill) == level)
    }

    @Test(arguments: [(190, 0), (210, 1), (420, 2), (840, 3), (1_650, 4)] as [(Int64, UInt8)])
    func `turns that go on being long mean a level`(_ ms: Int64, _ level: UInt8) {
        var test = self
        #expect(test.turns(60, ms: ms) == level)
    }

    @Test func `the level rises by one a turn`() {
        var test = self
        #expect((1...5).map { _ in test.turns(1, ms: 1, fill: 1) } == [1, 2, 3, 4, 4])
    }

    @Test func `one turn that is slow after many that are not is no overload`() {
        var test = self
        #expect(test.turns(100, ms: 1, waitedMs: 10) == 0)
        #expect(test.turns(1, ms: 400) == 0)
        // A long stall is: once, and for as long as it takes to see that it is over.
        #expect(test.turns(1, ms: 3_000) == 1)
        #expect(test.turns(3_000, ms: 1) == 0)
    }

    @Test func `a level ends when it has been calm for a while, and goes to where it belongs`() {
        var test = self
        #expect(test.turns(4, ms: 1, fill: 1) == 4)
        #expect(test.turns(Int(Overload.calm.nanoseconds / 1_000_000), ms: 1, fill: 0.6) == 4)
        #expect(test.turns(2, ms: 1, fill: 0.6) == 2)
        #expect(test.turns(Int(Overload.calm.nanoseconds / 1_000_000) + 1, ms: 1, fill: 0.1) == 0)
    }

    @Test func `a fill that stays near its bound keeps the level`() {
        var test = self
        #expect(test.turns(1, ms: 1, fill: 0.5) == 1)
        #expect(test.turns(5_000, ms: 1, fill: 0.45) == 1)
        // Calm that is interrupted begins anew.
        for _ in 0..<10 {
            #expect(test.turns(400, ms: 1, fill: 0.1) == 1)
            #expect(test.turns(1, ms: 1, fill: 0.45) == 1)
        }
        #expect(test.turns(501, ms: 1, fill: 0.1) == 0)
    }

    @Test func `an idle loop has no lag`() {
        var test = self
        #expect(test.turns(60, ms: 500) == 2)
        #expect(test.turns(1, ms: 1, waitedMs: 1_000) == 2)
        #expect(test.turns(1, ms: 1, waitedMs: 1_000) == 0)
        #expect(test.overload.lag < .milliseconds(10))
    }

    @Test func `the public goes first, then pulls, results, heartbeats; health and operators never`() {
        let table = RouteTable()
        func level(_ pattern: String) -> UInt8? {
            table.routes.firstIndex { $0.pattern == pattern }.map { table.rules[$0].yieldsAt }
        }
        #expect(level("/v1/properties") == 1)
        #expect(level("/internal/work") == 2)
        #expect(level("/internal/tasks") == 2)
        #expect(level("/internal/party/results") == 3)
        #expect(level("/internal/tasks/{id}/complete") == 3)
        #expect(level("/internal/heartbeat") == 4)
        for pattern in ["/health", "/health/ready", "/metrics", "/internal/queue", "/versions"] {
            #expect(level(pattern) == OverloadClass.never)
        }
        #expect(Overload.lagBounds.count == OverloadClass.allCases.count)
        #expect(Overload.fillBounds.count == OverloadClass.allCases.count)
    }
}
