// When a plan says that requests are to be sent.

import Reactor
import Testing

@testable import Bench

@Suite struct ScheduleTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func seconds(_ instant: Instant) -> Double { (instant - start).seconds }

    @Test func `a constant rate plans sends at equal distances`() {
        var schedule = Schedule(.constant(perSecond: 250), start: start, lead: .zero)
        let times = (0..<1000).map { _ in seconds(schedule.take()) }
        for (number, time) in times.enumerated() { #expect(abs(time - Double(number) / 250) < 1e-8) }
    }

    @Test func `loops share one plan without gap or overlap`() {
        let whole = Schedule(.ramp(from: 10, to: 500, over: .seconds(7)), start: start, lead: .seconds(1))
        var parts = (0..<3).map {
            Schedule(
                .ramp(from: 10, to: 500, over: .seconds(7)), start: start, lead: .seconds(1), loopIndex: $0,
                loopCount: 3)
        }
        for number in 0..<900 { #expect(parts[number % 3].take() == whole.time(of: number)) }
    }

    @Test func `a ramp sends as many as its mean rate says, and goes on at its last`() {
        let ramp = Schedule.Shape.ramp(from: 100, to: 300, over: .seconds(10))
        let schedule = Schedule(ramp, start: start, lead: .seconds(2))
        let begin = start + .seconds(2)
        #expect(schedule.count(in: start..<begin) == 200)
        #expect(schedule.count(in: begin..<begin + .seconds(10)) == 2000)
        #expect(schedule.count(in: begin + .seconds(10)..<begin + .seconds(11)) == 300)
        // Halfway the rate is the mean of both ends.
        let middle = schedule.count(in: begin + .seconds(4.75)..<begin + .seconds(5.25))
        #expect((99...101).contains(middle))
    }

    @Test func `a ramp may fall`() {
        let schedule = Schedule(.ramp(from: 1000, to: 10, over: .seconds(4)), start: start, lead: .zero)
        #expect(schedule.count(in: start..<start + .seconds(4)) == 2020)
        var before = start
        for number in 1..<3000 {
            let time = schedule.time(of: number)
            #expect(time > before)
            before = time
        }
    }

    @Test func `what is taken does not change what is counted`() {
        var schedule = Schedule(.constant(perSecond: 100), start: start, lead: .zero)
        for _ in 0..<30 { _ = schedule.take() }
        #expect(schedule.count(in: start..<start + .seconds(1)) == 100)
        #expect(schedule.next == start + .seconds(0.3))
    }
}
