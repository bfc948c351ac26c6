// A report survives its JSON, and says the same in every form.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Bench

@Suite struct ReportTests {
    static func sample(warnings: [String] = ["slow <b> & \"odd\""]) -> Report {
        var report = Report(scenario: "heartbeat", url: "http://127.0.0.1:1/?a=b&c=<d>", mode: "open")
        report.startedAt = "2026-02-04T10:00:00Z"
        report.options = ["heartbeat", "--rate", "1000"]
        report.connections = 64
        report.threads = 2
        report.seconds = 10
        report.sent = 10_000
        report.answered = 9_990
        report.good = 9_980
        report.late = 12
        report.dropped = 3
        report.offeredRate = 1000.3
        report.achievedRate = 999
        report.errors = ["connect": 0, "timeout": 10, "reset": 0, "protocol": 0, "status": 10]
        report.statuses = ["200": 9_980, "503": 10]
        let times = LatencyReport(
            count: 9_990, mean: 450, p50: 400, p90: 700, p99: 1500, p999: 8000, p9999: 20_000, max: 54_321)
        report.latency = times
        report.service = times
        report.kinds = [KindReport(name: "heartbeat", latency: times, service: times)]
        report.figures = [ScenarioFigure(name: "rows inserted", value: 5)]
        report.server = UsageReport(
            cpuSeconds: 1, cpuMicrosPerRequest: 100.1, residentBytes: 1 << 20, residentGrowthBytes: 512)
        report.client = report.server
        report.warnings = warnings
        report.distribution = Report.distributionPercents.map { DistributionPoint(percent: $0, micros: 10 + $0 * $0) }
        report.series = (0..<10).map {
            SeriesRow(
                second: $0, sent: 1000, answered: 999, errors: $0 % 2, p50Micros: 400, p99Micros: 1500 + Double($0),
                maxMicros: 54_321)
        }
        return report
    }

    @Test func `a report read back from its JSON is the same`() throws {
        let report = Self.sample()
        #expect(try Report.parse(Array(report.json().utf8), name: "x") == report)
    }

    @Test func `what is no report, or one of another format, is refused by name`() throws {
        #expect(throws: BadOption("x.json: is no report of gateway-bench --json")) {
            try Report.parse(Array("{}".utf8), name: "x.json")
        }
        var report = Self.sample()
        report.format = 99
        let bytes = Array(try report.json().utf8)
        #expect(throws: BadOption("y: has format 99, this tool reads 1")) { try Report.parse(bytes, name: "y") }
    }

    @Test func `the table has the percentiles, the rates and the errors by class`() {
        let text = Self.sample().text()
        for part in [
            "p99.99", "20.0 ms", "54.3 ms", "999 answers/s of 1,000/s offered", "12 late, 3 dropped",
            "errors    20 (connect 0, timeout 10, reset 0, protocol 0, status 10)", "200 × 9,980, 503 × 10",
            "100.10 µs CPU a request", "warning: slow", "rows inserted",
        ] {
            #expect(text.contains(part), "\(part) in\n\(text)")
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    @Test func `the time series has a line a second`() {
        let lines = Self.sample().csv().split(separator: "\n")
        #expect(lines.count == 11)
        #expect(lines[0] == "second,sent,answered,errors,p50_us,p99_us,max_us")
        #expect(lines[4] == "3,1000,999,1,400.0,1503.0,54321.0")
    }

    @Test func `a knee and idle connections are told in their own words`() {
        var report = Self.sample()
        let step = KneeSearch.Step(rate: 2000, achievedRate: 1999, p99Micros: 900, failedShare: 0, isGood: true)
        report.knee = KneeReport(p99MicrosMax: 5000, steps: [step], found: step)
        #expect(report.text().contains("knee: 2,000/s"))
        #expect(report.html().contains("knee/s"))
        report.idle = IdleReport(
            wanted: 10, opened: 9, closed: 1, survived: 8, heldSeconds: 5, serverBytesEach: 700)
        #expect(report.text().contains("survived  8"))
        #expect(report.html().contains("700 B"))
    }

    @Test func `a page needs nothing else, and closes what it opens`() throws {
        let html = Self.sample().html()
        #expect(html.hasPrefix("<!DOCTYPE html>"))
        for outside in ["<script", "src=", "href=", "@import", "url("] {
            #expect(!html.contains(outside), "\(outside)")
        }
        #expect(html.contains("slow &lt;b&gt; &amp; &quot;odd&quot;") && !html.contains("<d>"))
        #expect(html.contains("prefers-color-scheme:dark"))
        #expect(html.components(separatedBy: "<svg").count == 4)
        #expect(html.components(separatedBy: "<polyline").count > 5)
        #expect(try openTags(html).isEmpty)
        for broken in ["nan", "inf\"", "Optional("] { #expect(!html.contains(broken)) }
    }

    @Test func `a page of a run without a single answer is a page all the same`() throws {
        let html = Report(scenario: "x", url: "http://h", mode: "closed").html()
        #expect(try openTags(html).isEmpty)
    }

    /// What is opened and not closed, in order. Throws where something else is closed than was opened.
    private func openTags(_ html: String) throws -> [String] {
        var open: [String] = []
        let tag = try Regex(#"<(/?)([a-z1-6]+)[^>]*?(/?)>"#)
        for match in html.dropFirst("<!DOCTYPE html>".count).matches(of: tag) {
            let name = String(match[2].substring ?? "")
            if name == "meta" || match[3].substring == "/" { continue }
            if match[1].substring == "/" {
                guard open.popLast() == name else { throw TestFailure("closes <\(name)> that was not open") }
            } else {
                open.append(name)
            }
        }
        return open
    }
}
