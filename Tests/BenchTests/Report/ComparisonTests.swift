// What changed between two reports, and in which direction.

import Testing

@testable import Bench

@Suite struct ComparisonTests {
    @Test func `a report compared with itself is the same everywhere`() {
        let comparison = Comparison(ReportTests.sample(warnings: []), ReportTests.sample(warnings: []), tolerance: 0.05)
        #expect(!comparison.rows.isEmpty && comparison.rows.allSatisfy { $0.verdict == .same })
        #expect(!comparison.hasWorse && comparison.notes.isEmpty)
    }

    @Test func `slower, rarer and hungrier are worse, the other way is better`() throws {
        let before = ReportTests.sample(warnings: [])
        var after = before
        after.achievedRate = before.achievedRate * 0.8
        after.latency.p99 = before.latency.p99 * 2
        after.latency.p50 = before.latency.p50 * 0.5
        after.latency.p90 = before.latency.p90 * 1.04
        after.server?.cpuMicrosPerRequest = 150
        after.connections = 32
        let comparison = Comparison(before, after, tolerance: 0.05)
        func verdict(_ name: String) throws -> Comparison.Verdict {
            try #require(comparison.rows.first { $0.name == name }).verdict
        }
        #expect(try verdict("rate, answers/s") == .worse)
        #expect(try verdict("p99, µs") == .worse)
        #expect(try verdict("p50, µs") == .better)
        #expect(try verdict("p90, µs") == .same)
        #expect(try verdict("server CPU, µs/request") == .worse)
        #expect(comparison.notes == ["connections differs: 64, 32"])
        #expect(comparison.text().contains("2.000  ← worse"))
    }

    @Test func `errors where there were none are worse, without a ratio`() throws {
        var before = ReportTests.sample(warnings: [])
        before.errors = [:]
        let row = try #require(
            Comparison(before, ReportTests.sample(warnings: []), tolerance: 0.05).rows.first { $0.name == "errors" })
        #expect(row.verdict == .worse && row.ratio == nil)
    }
}
