// What changed between two reports: a ratio for each figure, and whether it got worse. Pure.
// Limit: changes below `tolerance` are the same.

/// Two reports side by side.
struct Comparison {
    enum Verdict: String { case same, better, worse }

    struct Row: Equatable {
        var name: String
        var before: Double
        var after: Double
        /// nil where there was nothing before.
        var ratio: Double?
        var verdict: Verdict
    }

    /// Whether more is better, worse, or neither.
    private enum Sense { case more, less }

    let rows: [Row]
    /// What makes the two hard to compare.
    let notes: [String]

    /// - Parameter tolerance: a change of this share is none.
    init(_ before: Report, _ after: Report, tolerance: Double) {
        var rows: [Row] = []
        func add(_ name: String, _ sense: Sense, _ old: Double?, _ new: Double?) {
            guard let old, let new else { return }
            let ratio = old > 0 ? new / old : nil
            var verdict = Verdict.same
            if let ratio, abs(ratio - 1) > tolerance {
                verdict = (ratio > 1) == (sense == .more) ? .better : .worse
            } else if ratio == nil, new > 0 {
                verdict = sense == .more ? .better : .worse
            }
            rows.append(Row(name: name, before: old, after: new, ratio: ratio, verdict: verdict))
        }
        add("rate, answers/s", .more, before.achievedRate, after.achievedRate)
        add("knee, requests/s", .more, before.knee?.found?.rate, after.knee?.found?.rate)
        add("mean, µs", .less, before.latency.mean, after.latency.mean)
        add("p50, µs", .less, before.latency.p50, after.latency.p50)
        add("p90, µs", .less, before.latency.p90, after.latency.p90)
        add("p99, µs", .less, before.latency.p99, after.latency.p99)
        add("p99.9, µs", .less, before.latency.p999, after.latency.p999)
        add("p99.99, µs", .less, before.latency.p9999, after.latency.p9999)
        add("max, µs", .less, before.latency.max, after.latency.max)
        add("errors", .less, Double(before.errorCount), Double(after.errorCount))
        add("late sends", .less, Double(before.late), Double(after.late))
        add("dropped sends", .less, Double(before.dropped), Double(after.dropped))
        add("server CPU, µs/request", .less, before.server?.cpuMicrosPerRequest, after.server?.cpuMicrosPerRequest)
        add("server memory, MiB", .less, Self.mebibytes(before.server), Self.mebibytes(after.server))
        add("idle survivors", .more, before.idle.map { Double($0.survived) }, after.idle.map { Double($0.survived) })
        self.rows = rows
        notes = Self.differences(before, after)
    }

    private static func mebibytes(_ usage: UsageReport?) -> Double? {
        usage.map { Double($0.residentBytes) / 1024 / 1024 }
    }

    private static func differences(_ before: Report, _ after: Report) -> [String] {
        let facts = [
            ("scenario", before.scenario, after.scenario), ("mode", before.mode, after.mode),
            ("connections", "\(before.connections)", "\(after.connections)"),
            ("threads", "\(before.threads)", "\(after.threads)"),
            ("pipeline", "\(before.pipeline)", "\(after.pipeline)"),
        ]
        var notes = facts.filter { $0.1 != $0.2 }.map { "\($0.0) differs: \($0.1), \($0.2)" }
        if let old = before.offeredRate, let new = after.offeredRate, old > 0, abs(new / old - 1) > 0.02 {
            notes.append("offered rate differs: \(rateText(old)), \(rateText(new))")
        }
        for (name, report) in [("the first", before), ("the second", after)] where !report.warnings.isEmpty {
            notes.append("\(name) has \(report.warnings.count) warning(s): \(report.warnings[0])")
        }
        return notes
    }

    var hasWorse: Bool { rows.contains { $0.verdict == .worse } }

    func text() -> String {
        var lines = [
            "".rightPadded(26) + "before".leftPadded(14) + "after".leftPadded(14) + "ratio".leftPadded(9)
        ]
        for row in rows {
            let mark: String =
                switch row.verdict {
                case .same: ""
                case .better: "  better"
                case .worse: "  ← worse"
                }
            lines.append(
                row.name.rightPadded(26) + rateText(row.before).leftPadded(14) + rateText(row.after).leftPadded(14)
                    + (row.ratio.map { fixedText($0, 3) } ?? "–").leftPadded(9) + mark)
        }
        return (lines + notes.map { "note: \($0)" }).joined(separator: "\n") + "\n"
    }
}
