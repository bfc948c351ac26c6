// The /metrics page of a gateway, parsed: samples by name and labels. Source: the Prometheus text format 0.0.4.

import Foundation
import TestSupport

struct MetricsPage {
    struct Sample {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    let text: String
    let samples: [Sample]

    init(_ live: Live) throws { try self.init(live.gateway) }

    init(_ gateway: GatewayProcess) throws {
        let response = try gateway.exchange("GET", "/metrics")
        guard response.status == 200 else { throw TestFailure("/metrics: \(response.status)") }
        text = response.bodyText
        samples = try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { try Self.parse($0) }
    }

    /// `name{a="b",c="d"} 1`; the label values of these tests hold no quotes.
    private static func parse(_ line: Substring) throws -> Sample {
        guard let space = line.lastIndex(of: " "), let value = number(line[line.index(after: space)...]) else {
            throw TestFailure("not a sample: \(line)")
        }
        let series = line[..<space]
        guard let brace = series.firstIndex(of: "{") else {
            return Sample(name: String(series), labels: [:], value: value)
        }
        var labels: [String: String] = [:]
        for match in series[brace...].matches(of: /([a-z_]+)="([^"]*)"/) { labels[String(match.1)] = String(match.2) }
        return Sample(name: String(series[..<brace]), labels: labels, value: value)
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    /// The sum of all samples of a name that have these labels.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double {
        samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }.reduce(0) { $0 + $1.value }
    }

    /// The different values of a label.
    func values(of label: String, in name: String) -> Set<String> {
        Set(samples.filter { $0.name == name }.compactMap { $0.labels[label] })
    }
}

/// Seconds since the Unix epoch.
func wallSeconds() -> Double { Date().timeIntervalSince1970 }
