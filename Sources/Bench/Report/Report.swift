// What a run is told as: plain data, the same in JSON, in the table, in the page and in a comparison.
// `formatVersion` grows when a field changes its meaning; readers refuse others.

import FoundationEssentials

/// Times of one kind of request, in microseconds.
struct LatencyReport: Codable, Equatable, Sendable {
    var count = 0
    var mean = 0.0
    var p50 = 0.0
    var p90 = 0.0
    var p99 = 0.0
    var p999 = 0.0
    var p9999 = 0.0
    var max = 0.0
}

struct KindReport: Codable, Equatable, Sendable {
    var name: String
    /// From the plan where there is one, else from the send.
    var latency: LatencyReport
    /// From the send; nil in a closed loop, where it is the same.
    var service: LatencyReport?
}

/// What a process used while it was measured.
struct UsageReport: Codable, Equatable, Sendable {
    var cpuSeconds: Double
    /// Of one request that was answered.
    var cpuMicrosPerRequest: Double
    var residentBytes: Int
    var residentGrowthBytes: Int
}

struct KneeReport: Codable, Equatable, Sendable {
    var p99MicrosMax: Double
    var steps: [KneeSearch.Step]
    /// The highest good step.
    var found: KneeSearch.Step?
}

struct IdleReport: Codable, Equatable, Sendable {
    var wanted: Int
    var opened: Int
    /// Those that the server closed while nothing was said.
    var closed: Int
    /// Those that answered at the end.
    var survived: Int
    var heldSeconds: Double
    /// Of the server, a connection; nil where it was not watched.
    var serverBytesEach: Double?
}

/// A point of the latency distribution.
struct DistributionPoint: Codable, Equatable, Sendable {
    var percent: Double
    var micros: Double
}

struct Report: Codable, Equatable, Sendable {
    static let formatVersion = 1

    var format = Report.formatVersion
    var tool = BenchInfo.version
    /// RFC 3339, UTC.
    var startedAt = ""
    var scenario: String
    var url: String
    /// "closed", "open" or "own plan".
    var mode: String
    /// The options, as they were given.
    var options: [String] = []
    var connections = 0
    var threads = 0
    var pipeline = 1
    var seconds = 0.0
    var sent = 0
    var answered = 0
    var good = 0
    var late = 0
    var dropped = 0
    var reconnects = 0
    /// nil in a closed loop.
    var offeredRate: Double?
    var achievedRate = 0.0
    var errors: [String: Int] = [:]
    var statuses: [String: Int] = [:]
    var latency = LatencyReport()
    var service: LatencyReport?
    var kinds: [KindReport] = []
    var figures: [ScenarioFigure] = []
    var busyShare = 0.0
    var client: UsageReport?
    var server: UsageReport?
    var warnings: [String] = []
    var distribution: [DistributionPoint] = []
    var series: [SeriesRow] = []
    var knee: KneeReport?
    var idle: IdleReport?

    var errorCount: Int { errors.values.reduce(0, +) }

    /// Errors and dropped sends as a share of what was to be sent.
    var failedShare: Double {
        let all = sent + dropped + (errors[ErrorClass.connect.name] ?? 0)
        return all > 0 ? Double(errorCount + dropped) / Double(all) : 0
    }

    // MARK: JSON

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }

    static func parse(_ bytes: [UInt8], name: String) throws(BadOption) -> Report {
        let report: Report
        do {
            report = try JSONDecoder().decode(Report.self, from: Data(bytes))
        } catch {
            throw BadOption("\(name): is no report of gateway-bench --json")
        }
        guard report.format == formatVersion else {
            throw BadOption("\(name): has format \(report.format), this tool reads \(formatVersion)")
        }
        return report
    }
}

extension LatencyReport {
    init(_ latencies: Latencies) {
        count = latencies.count
        mean = latencies.meanMicroseconds
        p50 = latencies.microseconds(percent: 50)
        p90 = latencies.microseconds(percent: 90)
        p99 = latencies.microseconds(percent: 99)
        p999 = latencies.microseconds(percent: 99.9)
        p9999 = latencies.microseconds(percent: 99.99)
        max = latencies.maxMicroseconds
    }
}
