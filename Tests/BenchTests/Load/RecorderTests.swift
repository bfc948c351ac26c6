// What several loops measured adds up to one run.

import Reactor
import Testing

@testable import Bench

@Suite struct RecorderTests {
    private func meter(sent: Int, latencyMs: Int64) -> Meter {
        let meter = Meter(kindCount: 2, hasPlan: true)
        meter.tally.sent = sent
        meter.tally.answered = sent
        meter.tally.count(.timeout)
        meter.tally.count(status: 200)
        meter.worked = .milliseconds(100)
        for _ in 0..<sent { meter.record(kind: 1, latency: .milliseconds(latencyMs), service: .milliseconds(1)) }
        return meter
    }

    @Test func `a second is a row once all loops have told it`() {
        let recorder = Recorder(kindCount: 2, loopCount: 2, pids: [])
        let first = meter(sent: 3, latencyMs: 10)
        recorder.add(first, second: 0)
        #expect(first.tally == Tally() && first.kinds[1].latency.count == 0, "an added meter is empty")
        #expect(recorder.progress().last == nil && recorder.progress().tally.sent == 3)
        recorder.add(meter(sent: 97, latencyMs: 20), second: 0)
        let row = recorder.progress().last
        #expect(row?.sent == 100 && row?.answered == 100 && row?.errors == 2)
        #expect(row.map { abs($0.p50Micros - 20_000) < 40 && $0.maxMicros == 20_000 } == true)
    }

    @Test func `totals hold every loop, kind and figure, and rows come in order`() {
        let recorder = Recorder(kindCount: 2, loopCount: 2, pids: ["self"])
        let start = Instant(nanoseconds: 1_000_000_000)
        recorder.measuringStarts(at: start)
        recorder.measuringStarts(at: start)
        recorder.add(meter(sent: 1, latencyMs: 5), second: 1)
        recorder.add(meter(sent: 2, latencyMs: 5), second: 0)
        recorder.add(meter(sent: 4, latencyMs: 5), second: 1)
        recorder.measuringEnds(at: start + .seconds(1))
        #expect(recorder.finish().end == nil, "one loop still measures")
        recorder.measuringEnds(at: start + .seconds(2))
        recorder.add([ScenarioFigure(name: "rows", value: 3)])
        recorder.add([ScenarioFigure(name: "rows", value: 4), ScenarioFigure(name: "others", value: 1)])
        let totals = recorder.finish()
        #expect(totals.rows.map(\.second) == [0, 1] && totals.rows.map(\.sent) == [2, 5])
        #expect(totals.kinds[1].latency.count == 7 && totals.kinds[1].service.count == 7)
        #expect(totals.kinds[0].latency.count == 0 && totals.tally[.timeout] == 3)
        #expect(totals.tally.statusCounts.map(\.status) == [200] && totals.worked == .milliseconds(300))
        #expect(totals.figures == [ScenarioFigure(name: "rows", value: 7), ScenarioFigure(name: "others", value: 1)])
        #expect(totals.end == start + .seconds(2) && totals.usageAtStart.count == 1 && totals.usageAtEnd.count == 1)
    }

    @Test func `a report warns of a tool that was the limit, and of a core that was not its own`() {
        var totals = RunTotals(kinds: [RunTotals.Kind()])
        totals.worked = .seconds(9)
        totals.waited = .seconds(1)
        totals.usageAtStart = [ProcessSample(cpuSeconds: 1, residentBytes: 0)]
        totals.usageAtEnd = [ProcessSample(cpuSeconds: 5, residentBytes: 0)]
        totals.tally.sent = 100
        totals.tally.answered = 100
        var report = Report(scenario: "x", url: "http://h", mode: "closed")
        report.add(
            RunOutcome(kinds: ["x"], totals: totals, seconds: 10, busyShare: 0.9, wasInterrupted: false), hasPlan: false
        )
        #expect(report.warnings.contains { $0.contains("the tool was the limit") && $0.contains("90 %") })
        #expect(report.warnings.contains { $0.contains("the tool's core was the limit") })
        #expect(report.client?.cpuMicrosPerRequest == 40_000)
        #expect(report.server == nil)
    }

    @Test func `late sends are told with their reason`() {
        func warnings(late: Int, starved: Int) -> [String] {
            var totals = RunTotals(kinds: [RunTotals.Kind()])
            totals.tally.sent = 1000
            totals.tally.late = late
            totals.tally.starved = starved
            var report = Report(scenario: "x", url: "http://h", mode: "open")
            report.add(
                RunOutcome(kinds: ["x"], totals: totals, seconds: 1, busyShare: 0.1, wasInterrupted: false),
                hasPlan: true)
            return report.warnings
        }
        #expect(warnings(late: 5, starved: 5).isEmpty)
        #expect(warnings(late: 500, starved: 400).contains { $0.contains("no connection was free") })
        #expect(warnings(late: 500, starved: 100).contains { $0.contains("wait for its core") })
    }
}
