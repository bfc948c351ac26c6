// The report as people read it on a terminal. Pure.

extension Report {
    /// All of it, in lines of at most some 100 columns, the last of which ends with a newline.
    func text() -> String {
        var lines: [String] = []
        if let idle { return idleText(idle) }
        if let knee { lines += kneeLines(knee) + [""] }
        lines += latencyLines()
        lines.append("")
        lines += countLines()
        if !figures.isEmpty {
            lines.append(
                contentsOf: figures.map { "  \($0.name.rightPadded(26))\(countText($0.value).leftPadded(14))" })
            lines.append("")
        }
        lines += usageLines()
        lines += warnings.map { "warning: \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let columns = ["count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]

    private func latencyLines() -> [String] {
        let width = max(12, (kinds.map { $0.name.count }.max() ?? 0) + 2)
        let from = mode == "closed" ? "from the send" : "from the planned send"
        func row(_ name: String, _ figures: LatencyReport) -> String {
            let times = [
                figures.mean, figures.p50, figures.p90, figures.p99, figures.p999, figures.p9999, figures.max,
            ]
            return "  " + name.rightPadded(width) + countText(figures.count).leftPadded(12)
                + times.map { microsText($0).leftPadded(10) }.joined()
        }
        var lines = [
            "latency, \(from)",
            "  " + "".rightPadded(width) + Self.columns[0].leftPadded(12)
                + Self.columns.dropFirst().map { $0.leftPadded(10) }.joined(),
        ]
        lines += kinds.map { row($0.name, $0.latency) }
        if kinds.count > 1 { lines.append(row("all", latency)) }
        if let service {
            lines.append("  " + "service time, from the real send".rightPadded(width))
            if kinds.count > 1 { lines += kinds.compactMap { kind in kind.service.map { row(kind.name, $0) } } }
            lines.append(row("all", service))
        }
        return lines
    }

    private func countLines() -> [String] {
        var rate = "  rate      \(rateText(achievedRate)) answers/s"
        if let offeredRate { rate += " of \(rateText(offeredRate))/s offered (\(achievedText(offeredRate)))" }
        var lines = [rate + ", \(fixedText(seconds, 2)) s measured"]
        var counts = "  requests  \(countText(sent)) sent, \(countText(answered)) answered"
        if offeredRate != nil { counts += ", \(countText(late)) late, \(countText(dropped)) dropped" }
        if reconnects > 0 { counts += ", \(countText(reconnects)) reconnects" }
        lines.append(counts)
        let told = ErrorClass.allCases.map { "\($0.name) \(countText(errors[$0.name] ?? 0))" }
        lines.append("  errors    \(countText(errorCount)) (" + told.joined(separator: ", ") + ")")
        if !statuses.isEmpty {
            let all = statuses.sorted { $0.key < $1.key }.map { "\($0.key) × \(countText($0.value))" }
            lines.append("  statuses  " + all.joined(separator: ", "))
        }
        return lines + [""]
    }

    private func achievedText(_ offered: Double) -> String { percentText(offered > 0 ? achievedRate / offered : 0) }

    private func usageLines() -> [String] {
        var lines: [String] = []
        func line(_ name: String, _ usage: UsageReport) -> String {
            let share = seconds > 0 ? usage.cpuSeconds / seconds : 0
            return "  \(name)    \(fixedText(usage.cpuMicrosPerRequest, 2)) µs CPU a request, "
                + "\(percentText(share)) of a core, \(bytesText(usage.residentBytes)) resident"
        }
        if let server { lines.append(line("server", server)) }
        if let client { lines.append(line("client", client) + ", loops busy \(percentText(busyShare))") }
        return lines
    }

    /// The steps themselves were told as they were made.
    private func kneeLines(_ knee: KneeReport) -> [String] {
        guard let found = knee.found else { return ["no rate was good; what follows is the last step"] }
        return [
            "knee: \(rateText(found.rate))/s with p99 ≤ \(microsText(knee.p99MicrosMax)), in \(knee.steps.count) steps; "
                + "what follows is its step"
        ]
    }

    static func stepText(_ step: KneeSearch.Step) -> String {
        "  \(rateText(step.rate).leftPadded(10))/s offered  \(rateText(step.achievedRate).leftPadded(10))/s answered  "
            + "p99 \(microsText(step.p99Micros).leftPadded(8))  failed \(percentText(step.failedShare).leftPadded(6))  "
            + (step.isGood ? "good" : "too much")
    }

    private func idleText(_ idle: IdleReport) -> String {
        var lines = [
            "  opened    \(countText(idle.opened)) of \(countText(idle.wanted)) connections",
            "  held      \(fixedText(idle.heldSeconds, 1)) s without a word, \(countText(idle.closed)) closed by the server",
            "  survived  \(countText(idle.survived)), which answered at the end",
        ]
        if let server {
            let each = idle.serverBytesEach.map { ", \(fixedText($0, 0)) B a connection" } ?? ""
            lines.append("  server    \(bytesText(server.residentBytes)) resident\(each)")
        }
        return (lines + warnings.map { "warning: \($0)" }).joined(separator: "\n") + "\n"
    }
}
