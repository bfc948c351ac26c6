// Makes the report of a run, and the warnings about what it cannot prove. Pure.

import Reactor

extension Report {
    /// A loop that works for more of its time than this may be what was measured.
    static let busyShareMax = 0.85
    /// More late sends than this and the plan was not kept.
    static let lateShareMax = 0.01
    /// The last few planned sends may miss the end by a moment.
    static let droppedShareMax = 0.001
    /// The tool's own time off its core, as a share of its work, from which on others are to blame.
    static let awayShareMax = 0.15

    /// Ten a decade of nines, up to 99.999, and the end.
    static let distributionPercents: [Double] = {
        var percents: [Double] = []
        var rest = 100.0
        for _ in 0..<5 {
            for step in 0..<10 { percents.append(100 - rest * (1 - 0.09 * Double(step))) }
            rest /= 10
        }
        return percents + [99.999, 100]
    }()

    /// Takes in what a run measured.
    /// - Parameter offered: the planned rate, or nil where there is no plan.
    mutating func add(_ outcome: RunOutcome, hasPlan: Bool) {
        let totals = outcome.totals
        let tally = totals.tally
        seconds = outcome.seconds
        sent = tally.sent
        answered = tally.answered
        good = tally.good
        late = tally.late
        dropped = tally.dropped
        reconnects = tally.reconnects
        achievedRate = seconds > 0 ? Double(answered) / seconds : 0
        if hasPlan { offeredRate = seconds > 0 ? Double(sent + dropped) / seconds : 0 }
        for error in ErrorClass.allCases { errors[error.name] = tally[error] }
        for (status, count) in tally.statusCounts { statuses["\(status)"] = count }
        var all = Latencies()
        var allService = Latencies()
        for (index, kind) in totals.kinds.enumerated() where kind.latency.count > 0 {
            all.add(kind.latency)
            allService.add(kind.service)
            kinds.append(
                KindReport(
                    name: outcome.kinds[index], latency: LatencyReport(kind.latency),
                    service: hasPlan ? LatencyReport(kind.service) : nil))
        }
        latency = LatencyReport(all)
        if hasPlan { service = LatencyReport(allService) }
        if all.count > 0 {
            distribution = Self.distributionPercents.map {
                DistributionPoint(percent: $0, micros: all.microseconds(percent: $0))
            }
        }
        figures = totals.figures
        series = totals.rows
        busyShare = outcome.busyShare
        client = Self.usage(totals, 0..<1, answered: answered)
        server = Self.usage(totals, 1..<max(1, totals.usageAtEnd.count), answered: answered)
        addWarnings(outcome)
    }

    /// The use of some of the watched processes together; nil where one could not be read.
    private static func usage(_ totals: RunTotals, _ range: Range<Int>, answered: Int) -> UsageReport? {
        guard !range.isEmpty, totals.usageAtStart.count >= range.upperBound,
            totals.usageAtEnd.count >= range.upperBound
        else { return nil }
        var cpu = 0.0
        var resident = 0
        var growth = 0
        for at in range {
            guard let before = totals.usageAtStart[at], let after = totals.usageAtEnd[at] else { return nil }
            cpu += after.cpuSeconds - before.cpuSeconds
            resident += after.residentBytes
            growth += after.residentBytes - before.residentBytes
        }
        return UsageReport(
            cpuSeconds: cpu, cpuMicrosPerRequest: answered > 0 ? cpu / Double(answered) * 1e6 : 0,
            residentBytes: resident, residentGrowthBytes: growth)
    }

    private mutating func addWarnings(_ outcome: RunOutcome) {
        if outcome.wasInterrupted { warnings.append("interrupted: the figures are of a shorter run") }
        if busyShare > Self.busyShareMax {
            warnings.append(
                "the tool was the limit: its loops worked \(percentText(busyShare)) of the time; give it more --threads"
                    + " or a core of its own")
        }
        let worked = outcome.totals.worked.seconds
        if let client, worked > 0.2 {
            let away = (worked - client.cpuSeconds) / worked
            if away > Self.awayShareMax {
                warnings.append(
                    "the tool's core was the limit: it had to wait for it \(percentText(away)) of its working time;"
                        + " something else ran there")
            }
        }
        if offeredRate != nil, sent > 0, busyShare <= Self.busyShareMax,
            Double(late) > Double(sent) * Self.lateShareMax
        {
            let starved = outcome.totals.tally.starved
            let reason =
                starved * 2 > late
                ? "no connection was free: the server was behind, or give it more --connections"
                : "connections were free: the tool had to wait for its core"
            warnings.append("\(countText(late)) sends were late, and \(reason)")
        }
        if Double(dropped) > Double(sent) * Self.droppedShareMax {
            warnings.append("\(countText(dropped)) planned sends were never made: the server was behind at the end")
        }
        if latency.count > 0, latency.count < 1000 {
            warnings.append("only \(latency.count) answers: percentiles beyond the 99th mean little")
        }
    }
}
