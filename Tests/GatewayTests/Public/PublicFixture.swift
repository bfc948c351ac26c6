// A gateway with upstream services of the test's own, as clients of the public surface see it.

import Foundation
import TestSupport
import Testing

final class PublicFixture: Sendable {
    let parser: TestUpstream
    let gateway: GatewayProcess
    let redisURL: String
    private let folder: TemporaryFolder

    /// A tiers file that lets all callers do everything.
    static let unlimited = """
        tiers: {anonymous: {rate_per_minute: 0, quotas: {search: {day: -1}, details: {day: -1}, predictions: {month: -1},
            top_lists: {day: -1}, bulk_export: {day: -1}, on_demand_scrape: {day: -1}}}}
        """

    /// - Parameters:
    ///   - parser: answers the parser service; nil answers its target as JSON.
    ///   - redisURL: nil takes a fresh database.
    ///   - postgresURL: a migrated database, where API keys are asked for.
    ///   - tiers: the text of a tiers file; nil takes the built-in rates and quotas.
    ///   - port: one of which the environment speaks; nil takes a free one.
    init(
        _ environment: [String: String] = [:], parser: TestUpstream? = nil, redisURL: String? = nil,
        postgresURL: String? = nil, tiers: String? = PublicFixture.unlimited, port: Int? = nil
    ) throws {
        let parser = try parser ?? TestUpstream { Self.echo($0) }
        self.parser = parser
        self.redisURL = try redisURL ?? Services.shared.takeRedisDatabase()
        var variables = [
            "GATEWAY_PARSER_SERVICE_URL": parser.url, "GATEWAY_ML_SERVICE_URL": parser.url, "GATEWAY_REACTORS": "2",
        ]
        folder = try TemporaryFolder()
        if let tiers {
            try folder.write(tiers, to: "tiers.yaml")
            variables["GATEWAY_TIERS_FILE"] = folder.path("tiers.yaml")
        }
        variables.merge(environment) { _, given in given }
        // But for API keys the public surface needs no PostgreSQL of its own.
        gateway = try GatewayProcess(
            redisURL: self.redisURL, postgresURL: postgresURL ?? Services.shared.postgresURL, environment: variables,
            port: port)
        guard variables["GATEWAY_REDIS_URL"] == nil else { return }
        try eventually("every reactor is connected to Redis") {
            try MetricsPage(gateway).value("gateway_redis_connected") == Double(variables["GATEWAY_REACTORS"] ?? "")
        }
    }

    deinit { parser.stop() }

    func get(_ target: String, _ headers: [(String, String)] = []) throws -> HTTPResponse {
        try gateway.exchange("GET", target, headers: headers)
    }

    /// The request that reached the upstream last.
    func lastRequest() throws -> TestUpstream.Request { try #require(parser.requests.last) }

    static func echo(_ request: TestUpstream.Request) -> TestUpstream.Answer {
        .respond(
            200, headers: ["Content-Type: application/json"],
            body: "{\"method\":\"\(request.method)\",\"target\":\"\(request.target)\"}")
    }

    /// Answers `version N`, N growing with each request, with more header lines.
    static func counting(_ headers: [String] = []) -> @Sendable (TestUpstream.Request) -> TestUpstream.Answer {
        let counter = Counter()
        return { _ in .respond(200, headers: headers, body: "version \(counter.next())") }
    }
}

/// Counts from 1, on any thread.
final class Counter: @unchecked Sendable {
    // Proof: `count` is only touched under the lock.
    private let lock = NSLock()
    private var count = 0

    func next() -> Int {
        lock.lock()
        defer { lock.unlock() }
        count += 1
        return count
    }
}
