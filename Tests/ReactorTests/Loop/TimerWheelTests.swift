import TestSupport
import Testing

@testable import Reactor

@Suite struct TimerWheelTests {
    private static let tick: Int64 = 1 << 20

    /// Runs a wheel beside the naive model: a list that is searched. Time goes on in jumps of every size.
    private func compare(seed: UInt64, start: Int64) {
        var random = RandomSource(seed: seed)
        var now = start
        let wheel = Wheel(now: Instant(nanoseconds: now))
        var model: [Int: (deadline: Int64, id: TimerID)] = [:]
        var next = 0
        for _ in 0..<4000 {
            switch random.int(in: 0...9) {
            case 0...4:
                let distance = Int64(1) << Int64(random.int(in: 0...58))
                let deadline = now + Int64.random(in: -Self.tick...distance, using: &random)
                model[next] = (deadline, wheel.schedule(at: Instant(nanoseconds: deadline), next))
                next += 1
            case 5:
                guard let key = model.keys.min() else { break }
                let id = model.removeValue(forKey: key)!.id
                #expect(wheel.cancel(id))
                #expect(!wheel.cancel(id), "cancelled once")
            default:
                now += Int64.random(in: 0...Int64(1) << Int64(random.int(in: 0...56)), using: &random)
                expire(wheel, &model, now)
            }
            #expect(wheel.count == model.count)
        }
    }

    private func expire(_ wheel: Wheel, _ model: inout [Int: (deadline: Int64, id: TimerID)], _ now: Int64) {
        while let payload = wheel.popDue(now: Instant(nanoseconds: now)) {
            guard let entry = model.removeValue(forKey: payload) else {
                Issue.record("fired twice, or after it was cancelled")
                continue
            }
            #expect(entry.deadline <= now, "fired early")
            #expect(!wheel.cancel(entry.id), "a fired timer cannot be cancelled")
        }
        for (deadline, _) in model.values { #expect(deadline + Self.tick > now, "late by more than a tick") }
        guard let earliest = model.values.map(\.deadline).min() else {
            #expect(wheel.nextWakeUp() == nil)
            return
        }
        let wakeUp = wheel.nextWakeUp()
        #expect(wakeUp != nil && wakeUp!.nanoseconds <= max(earliest + Self.tick, now + Self.tick), "would oversleep")
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func `the wheel fires what a searched list fires, never early, at most a tick late`(seed: UInt64) {
        compare(seed: seed, start: Int64(seed) * 1_234_567_890_123)
    }

    @Test(arguments: [UInt64(11), 12, 13, 14])
    func `it does so too when the clock crosses the end of the top level`(seed: UInt64) {
        // The top level turns over every 64^6 ticks: begin a moment before.
        compare(seed: seed, start: (Int64(1) << 56) - Int64(seed) * 1_000_000_007)
    }

    @Test func `a near timer is not lost behind the turn of the top level`() {
        let start = (Int64(1) << 56) - 10 * Self.tick
        let wheel = Wheel(now: Instant(nanoseconds: start))
        _ = wheel.schedule(at: Instant(nanoseconds: start + 20 * Self.tick), 7)
        #expect(wheel.popDue(now: Instant(nanoseconds: start + 19 * Self.tick)) == nil)
        #expect(wheel.popDue(now: Instant(nanoseconds: start + 22 * Self.tick)) == 7)
    }

    @Test func `a deadline in the past fires at the next look, not in the same one`() {
        let wheel = Wheel(now: Instant(nanoseconds: 1_000_000_000))
        let now = Instant(nanoseconds: 1_000_000_000)
        _ = wheel.schedule(at: now, 1)
        #expect(wheel.popDue(now: now) == nil)
        #expect(wheel.popDue(now: now + .milliseconds(2)) == 1)
    }

    @Test func `a timer a century ahead waits and can be cancelled`() {
        let wheel = Wheel(now: Instant(nanoseconds: 0))
        let century = Interval.seconds(100 * 365 * 86400.0)
        let id = wheel.schedule(at: Instant(nanoseconds: 0) + century, 1)
        for year in 1...99 {
            #expect(wheel.popDue(now: Instant(nanoseconds: 0) + .seconds(Double(year) * 365 * 86400)) == nil)
        }
        #expect(wheel.count == 1)
        #expect(wheel.cancel(id))
        #expect(wheel.nextWakeUp() == nil)
    }

    @Test func `the name of a fired timer does not cancel its successor`() {
        let wheel = Wheel(now: Instant(nanoseconds: 0))
        let first = wheel.schedule(at: Instant(nanoseconds: 1), 1)
        let later = Instant(nanoseconds: 10_000_000)
        #expect(wheel.popDue(now: later) == 1)
        _ = wheel.schedule(at: later, 2)
        #expect(!wheel.cancel(first))
        #expect(!wheel.cancel(.none))
        #expect(wheel.popDue(now: later + .milliseconds(5)) == 2)
    }
}

/// The wheel behind a reference: expectations cannot call what mutates a value.
private final class Wheel {
    private var wheel: TimerWheel<Int>
    init(now: Instant) { wheel = TimerWheel(now: now) }
    var count: Int { wheel.count }
    func schedule(at deadline: Instant, _ payload: Int) -> TimerID { wheel.schedule(at: deadline, payload) }
    func cancel(_ id: TimerID) -> Bool { wheel.cancel(id) }
    func popDue(now: Instant) -> Int? { wheel.popDue(now: now) }
    func nextWakeUp() -> Instant? { wheel.nextWakeUp() }
}
