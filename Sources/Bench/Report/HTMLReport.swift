// The report as one page that needs nothing else: tables and inline SVG, light and dark by the reader's preference. Pure.

import Glibc

extension Report {
    func html() -> String {
        let heading = "gateway-bench \(scenario)"
        var page = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(escapeMarkup(heading))</title><style>\(Self.style)</style></head><body>
            <h1>\(escapeMarkup(heading))</h1>
            <p class="facts">\(facts().map { "<span>\(escapeMarkup($0))</span>" }.joined(separator: " "))</p>
            """
        if !warnings.isEmpty {
            page += "<ul class=\"warnings\">" + warnings.map { "<li>\(escapeMarkup($0))</li>" }.joined() + "</ul>"
        }
        page += tiles()
        if let knee { page += kneeSection(knee) }
        if idle == nil {
            page += "<h2>Latency</h2>" + latencyTable()
            page += plots().map { "<figure>\($0)</figure>" }.joined()
            page += "<h2>Counts</h2>" + countsTable()
        }
        if !options.isEmpty { page += "<h2>Options</h2><pre>\(escapeMarkup(options.joined(separator: " ")))</pre>" }
        return page + "</body></html>\n"
    }

    private func facts() -> [String] {
        var facts = [
            url, startedAt, "\(mode) loop", "\(connections) connections", "\(threads) thread\(threads == 1 ? "" : "s")",
        ]
        if mode == "own plan" { facts[2] = "workers' own plan" }
        if pipeline > 1 { facts.append("\(pipeline) pipelined") }
        if idle == nil { facts.append("\(fixedText(seconds, 1)) s measured") }
        return facts
    }

    /// The few figures that are looked for first.
    private func tiles() -> String {
        var tiles: [(String, String)] = []
        if let idle {
            tiles = [
                ("opened", countText(idle.opened)), ("closed by the server", countText(idle.closed)),
                ("survived", countText(idle.survived)),
            ]
            if let each = idle.serverBytesEach { tiles.append(("server memory each", "\(fixedText(each, 0)) B")) }
        } else {
            tiles = [("answers/s", rateText(achievedRate))]
            if let offeredRate { tiles.append(("offered/s", rateText(offeredRate))) }
            if let found = knee?.found { tiles.append(("knee/s", rateText(found.rate))) }
            tiles += [
                ("p50", microsText(latency.p50)), ("p99", microsText(latency.p99)), ("max", microsText(latency.max)),
            ]
            tiles.append(("errors", countText(errorCount)))
            if let server { tiles.append(("server CPU/request", "\(fixedText(server.cpuMicrosPerRequest, 2)) µs")) }
        }
        let boxes = tiles.map { "<div><b>\(escapeMarkup($0.1))</b><span>\(escapeMarkup($0.0))</span></div>" }
        return "<section class=\"tiles\">\(boxes.joined())</section>"
    }

    private func latencyTable() -> String {
        let names = ["", "count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]
        func row(_ name: String, _ times: LatencyReport) -> [String] {
            [name, countText(times.count)]
                + [times.mean, times.p50, times.p90, times.p99, times.p999, times.p9999, times.max].map(microsText)
        }
        var rows = kinds.map { row($0.name, $0.latency) }
        if kinds.count != 1 { rows.append(row("all", latency)) }
        if let service { rows.append(row("service time", service)) }
        return Self.table(names, rows)
    }

    private func countsTable() -> String {
        var rows = [["sent", countText(sent)], ["answered", countText(answered)]]
        if offeredRate != nil { rows += [["late", countText(late)], ["dropped", countText(dropped)]] }
        rows += ErrorClass.allCases.map { ["error: \($0.name)", countText(errors[$0.name] ?? 0)] }
        rows += statuses.sorted { $0.key < $1.key }.map { ["status \($0.key)", countText($0.value)] }
        rows += figures.map { [$0.name, countText($0.value)] }
        for (name, usage) in [("server", server), ("client", client)] {
            guard let usage else { continue }
            rows.append(["\(name): CPU a request", "\(fixedText(usage.cpuMicrosPerRequest, 2)) µs"])
            rows.append(["\(name): resident", bytesText(usage.residentBytes)])
        }
        rows.append(["client: loops busy", percentText(busyShare)])
        return Self.table(["", ""], rows)
    }

    private func kneeSection(_ knee: KneeReport) -> String {
        let rows = knee.steps.map {
            [
                rateText($0.rate), rateText($0.achievedRate), microsText($0.p99Micros), percentText($0.failedShare),
                $0.isGood ? "good" : "too much",
            ]
        }
        return "<h2>Steps towards p99 ≤ \(microsText(knee.p99MicrosMax))</h2>"
            + Self.table(["offered/s", "answered/s", "p99", "failed", ""], rows)
    }

    private static func table(_ names: [String], _ rows: [[String]]) -> String {
        func cells(_ row: [String], _ tag: String) -> String {
            "<tr>" + row.map { "<\(tag)>\(escapeMarkup($0))</\(tag)>" }.joined() + "</tr>"
        }
        let head = names.allSatisfy(\.isEmpty) ? "" : "<thead>\(cells(names, "th"))</thead>"
        return "<div class=\"wide\"><table>\(head)<tbody>\(rows.map { cells($0, "td") }.joined())</tbody></table></div>"
    }

    // MARK: Plots

    private func plots() -> [String] {
        // A second that was not measured to its end would look like a fall.
        let whole = series.filter { Double($0.second + 1) <= seconds + 0.05 }
        let rows = whole.isEmpty ? series : whole
        func line(_ name: String, _ style: String, _ value: (SeriesRow) -> Double) -> Plot.Line {
            Plot.Line(name: name, style: style, points: rows.map { (Double($0.second), value($0)) })
        }
        var throughput = [line("answered/s", "a") { Double($0.answered) }]
        if offeredRate != nil { throughput.insert(line("sent/s", "d") { Double($0.sent) }, at: 0) }
        if errorCount > 0 { throughput.append(line("errors/s", "c") { Double($0.errors) }) }
        let over = Plot(title: "Throughput", lines: throughput, yText: rateText)
        let latencies = Plot(
            title: "Latency of each second",
            lines: [
                line("p50", "a") { $0.p50Micros }, line("p99", "b") { $0.p99Micros }, line("max", "c") { $0.maxMicros },
            ], yScale: .logarithmic, yText: microsText)
        return [over.svg(), latencies.svg(), distributionPlot()].filter { !$0.isEmpty }
    }

    /// Percentiles on an axis where each nine takes the same room.
    private func distributionPlot() -> String {
        func place(_ percent: Double) -> Double { -log10(max(1 - percent / 100, 1e-6)) }
        let points = distribution.filter { $0.percent < 100 }.map { (x: place($0.percent), y: $0.micros) }
        let ticks = [0.0, 50, 90, 99, 99.9, 99.99, 99.999].map { (x: place($0), text: "\(fixedTrimmed($0)) %") }
        return Plot(
            title: "Latency by percentile", lines: [Plot.Line(name: "latency", style: "a", points: points)],
            yScale: .logarithmic, yText: microsText, xTicks: ticks, xLabel: "share of requests that were faster"
        ).svg()
    }

    private func fixedTrimmed(_ value: Double) -> String {
        value.rounded() == value ? "\(Int(value))" : "\(value)"
    }

    private static let style = """
        :root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--soft:#59636e;--rule:#e3e7eb;--box:#f6f8fa;\
        --a:#0b62d6;--b:#b35900;--c:#c4313a;--d:#8a939c}\
        @media(prefers-color-scheme:dark){:root{--page:#0f1318;--text:#e6e9ec;--soft:#9aa4ae;--rule:#272e36;\
        --box:#171c22;--a:#5aa2ff;--b:#f0a04b;--c:#ff7b81;--d:#6c7680}}\
        body{background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:900px;\
        margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:1.8rem 0 .5rem}\
        .facts{color:var(--soft);margin:0 0 1rem}.facts span:not(:last-child)::after{content:" ·"}\
        .warnings{border-left:3px solid var(--b);margin:1rem 0;padding:.2rem 0 .2rem 1.6rem}\
        .tiles{display:flex;flex-wrap:wrap;gap:.6rem}.tiles div{background:var(--box);border-radius:8px;\
        padding:.6rem .9rem;min-width:6.5rem}.tiles b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}\
        .tiles span{color:var(--soft);font-size:.85rem}.wide{overflow-x:auto}\
        table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.25rem .8rem;text-align:right;\
        border-bottom:1px solid var(--rule);white-space:nowrap}th:first-child,td:first-child{text-align:left;padding-left:0}\
        th{color:var(--soft);font-weight:500}figure{margin:1.2rem 0}svg{width:100%;height:auto;display:block}\
        svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg .title{fill:var(--text);font-size:13px;font-weight:600}\
        .rule{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}\
        .line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c)}.line.d{stroke:var(--d);stroke-dasharray:5 4}\
        pre{background:var(--box);border-radius:8px;padding:.7rem 1rem;overflow-x:auto;white-space:pre-wrap}
        """
}
