// Each scenario against the built gateway: what the tool reports is what the gateway's stores hold.
// The runs are bounded by counts, not by time.

import Foundation
import TestSupport
import Testing

@testable import Bench

@Suite(.serialized) struct ScenarioTests {
    private static let shared = Result { try LiveGateway() }

    /// A gateway with its databases.
    private final class LiveGateway: Sendable {
        let gateway: GatewayProcess
        let database: PostgresQuery

        init() throws {
            let url = try GatewayProcess.migratedDatabase()
            database = PostgresQuery(url: url)
            gateway = try GatewayProcess(postgresURL: url, environment: ["GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
            try eventually("the gateway is ready", deadlineSeconds: 30) { [gateway] in
                try (0..<8).allSatisfy { _ in try gateway.exchange("GET", "/health/ready").status == 200 }
            }
        }

        func queue() throws -> [String: Any] {
            let response = try gateway.exchange(
                "GET", "/internal/queue", headers: [("X-Ops-Token", GatewayProcess.opsToken)])
            let json = try JSONSerialization.jsonObject(with: Data(response.body))
            guard let all = json as? [String: Any], let kinds = all["kinds"] as? [String: Any],
                let parcels = kinds["parcel"] as? [String: Any]
            else { throw TestFailure("no figures of the queue: \(response.bodyText)") }
            return parcels
        }
    }

    private var live: LiveGateway { get throws { try Self.shared.get() } }

    private func run(_ scenario: String, _ arguments: [String]) throws -> Report {
        let gateway = try live.gateway
        return try BenchProcess.report(
            [
                scenario, "--url", "http://127.0.0.1:\(gateway.port)", "--token", GatewayProcess.workerToken,
                "--warmup", "0s", "--server-pid", "\(gateway.pid)",
            ] + arguments)
    }

    private func figure(_ report: Report, _ name: String) throws -> Int {
        try #require(report.figures.first { $0.name == name }, "\(name) in \(report.figures)").value
    }

    @Test func `heartbeats are confirmed, and each worker is known`() throws {
        let report = try run("heartbeat", ["--requests", "600", "-c", "8", "-t", "2", "--workers", "40"])
        #expect(report.answered == 600 && report.good == 600 && report.statuses == ["200": 600])
        #expect(try #require(report.server).residentBytes > 1 << 20)
        let workers = try live.gateway.exchange(
            "GET", "/internal/workers?limit=1000", headers: [("X-Ops-Token", GatewayProcess.opsToken)])
        #expect(workers.bodyText.components(separatedBy: #""worker_id":"bench-"#).count == 41)
    }

    @Test func `results are stored, and repeated parcels are updates`() throws {
        let report = try run(
            "results",
            [
                "--requests", "40", "-c", "4", "-t", "2", "--items", "25", "--payload-bytes", "400", "--repeat-share",
                "20%", "--run-name", "e2e", "--seed", "5",
            ])
        #expect(report.good == 40)
        let (inserted, updated) = (try figure(report, "rows inserted"), try figure(report, "rows updated"))
        // A parcel that comes twice in one statement is stored once: the later of equals is an update or stale.
        let again = updated + (try figure(report, "rows stale"))
        #expect(inserted + again == 1000 && again > 100 && again < 300, "\(report.figures)")
        let count = try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id LIKE 'e2e-%'")
        #expect(count == inserted)
    }

    @Test func `tasks are queued, pulled and completed or failed, each once`() throws {
        let report = try run(
            "work",
            [
                "--ops-token", GatewayProcess.opsToken, "--tasks", "700", "-c", "8", "-t", "2", "--capacity", "3",
                "--fail-share", "0.1", "--platforms", "bench-work", "--seed", "9",
            ])
        #expect(report.errorCount == 0)
        let (completed, failed) = (try figure(report, "tasks completed"), try figure(report, "tasks failed"))
        #expect(completed + failed == 700 && failed > 30 && failed < 120)
        #expect(try figure(report, "tasks queued") == 700 && figure(report, "tasks pulled") == 700)
        #expect(try figure(report, "tasks no longer held") == 0)
        #expect(Set(report.kinds.map(\.name)) == ["pull", "complete", "fail", "enqueue"])
        #expect(try live.queue()["dead"] as? Int == failed)
        #expect(try live.queue()["leased"] as? Int == 0)
    }

    @Test func `a fleet beats, pulls and submits over a few connections`() throws {
        let report = try run(
            "fleet",
            [
                "--ops-token", GatewayProcess.opsToken, "--workers", "300", "--tasks", "500", "-c", "4", "-t", "2",
                "--heartbeat", "500ms", "--process", "100ms", "--rest", "10ms", "--payload-bytes", "200",
                "--empty-wait", "100ms", "--platforms", "bench-fleet", "--run-name", "fleet",
            ])
        #expect(report.errorCount == 0)
        #expect(try figure(report, "tasks ended by a result") == 500)
        #expect(try figure(report, "rows inserted") == 500)
        #expect(report.kinds.contains { $0.name == "heartbeat" })
        let count = try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id LIKE 'fleet-%'")
        #expect(count == 500)
    }

    @Test func `any server is measured with the same tool, in the open loop too`() throws {
        let gateway = try live.gateway
        let folder = try TemporaryFolder()
        let output = try BenchProcess.run([
            "get", "http://127.0.0.1:\(gateway.port)/health", "--rate", "300", "--requests", "150", "-w", "0s", "-c",
            "4", "--csv", folder.path("a.csv"), "--html", folder.path("a.html"), "--json", folder.path("a.json"),
        ])
        #expect(output.isSuccess, "\(output.errors)")
        #expect(output.output.contains("open loop at 300/s") && output.output.contains("p99.99"))
        let csv = try folder.read("a.csv")
        #expect(csv.hasPrefix("second,sent"))
        #expect(try folder.read("a.html").contains("<svg"))
        let report = try Report.parse(Array(folder.read("a.json").utf8), name: "a")
        #expect(report.sent == 150 && report.good == 150)
        let compared = try BenchProcess.run(["compare", folder.path("a.json"), folder.path("a.json")])
        #expect(compared.isSuccess && compared.output.contains("p99, µs") && !compared.output.contains("worse"))
    }

    @Test func `the knee of a rate-limited gateway is found below its limit`() throws {
        let report = try BenchProcess.report([
            "get", "http://127.0.0.1:\(try live.gateway.port)/health", "--until-p99", "500ms", "--rate", "50",
            "--duration", "150ms", "-w", "0s", "-c", "2", "--timeout", "5s",
        ])
        let knee = try #require(report.knee)
        #expect(knee.steps.count > 1 && knee.found.map { $0.rate >= 50 } == true)
    }

    @Test func `idle connections survive, or are told as closed`() throws {
        let gateway = try live.gateway
        let held = try BenchProcess.report([
            "idle", "--url", "http://127.0.0.1:\(gateway.port)/health", "-c", "300", "-d", "200ms", "--sources",
            "127.0.0.1,127.0.0.2", "--server-pid", "\(gateway.pid)",
        ])
        let idle = try #require(held.idle)
        #expect((idle.opened, idle.closed, idle.survived) == (300, 0, 300))
        #expect(idle.serverBytesEach != nil)
    }
}
