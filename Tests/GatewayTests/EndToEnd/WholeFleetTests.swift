// The whole at once: a county's parcels through enqueue, pull and results with 16 workers, and a crash of the gateway in
// the middle. Nothing acknowledged is lost, no task is lost, nothing is left over. Source: api.md section 5.

import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct WholeFleetTests {
    /// Short times, so that what a crash left out comes back within the test.
    private static let environment = [
        "GATEWAY_WORKER_RATE_PER_MINUTE": "0", "GATEWAY_LEASE_SECONDS": "4", "GATEWAY_DELIVERY_SECONDS": "2",
        "GATEWAY_REAPER_INTERVAL_SECONDS": "0.2", "GATEWAY_LOG_LEVEL": "notice",
    ]

    /// The quick tier keeps to made-up parcels.
    private static var csv: String? {
        ProcessInfo.processInfo.environment["TEST_TIER"] == "quick" ? nil : Checkout.countyCSV
    }

    private struct Services {
        let redisURL: String
        let postgresURL: String

        init() throws {
            redisURL = try TestSupport.Services.shared.takeRedisDatabase()
            postgresURL = try GatewayProcess.migratedDatabase()
        }

        func gateway(port: Int? = nil) throws -> GatewayProcess {
            try GatewayProcess(
                redisURL: redisURL, postgresURL: postgresURL, environment: WholeFleetTests.environment, port: port)
        }
    }

    private func expectNothingLeft(_ redisURL: String) throws {
        for kind in ["parcel", "party"] { #expect(try QueueView(redisURL: redisURL, kind: kind).leftovers() == []) }
    }

    @Test func `a county goes through with 16 workers, every row equal, and nothing is left in the queues`() throws {
        if Self.csv == nil { print("no county CSV here (TEST_CSV), or the quick tier: made-up parcels instead") }
        let services = try Services()
        let gateway = try services.gateway()
        let fleet = try DemoFleet(
            port: gateway.port, csv: Self.csv, generatedCount: 2000, verifyURL: services.postgresURL)
        try fleet.finish()
        #expect(fleet.output.contains("verified: "))
        try expectNothingLeft(services.redisURL)
        let page = try MetricsPage(gateway)
        let stored = try PostgresQuery(url: services.postgresURL).count("SELECT count(*) FROM parcel_results")
        #expect(page.value("gateway_results_total", ["kind": "parcel", "outcome": "inserted"]) == Double(stored))
        #expect(page.value("gateway_worker_tasks_total", ["kind": "parcel", "status": "completed"]) == Double(stored))
        #expect(try gateway.terminate() == .exited(0))
    }

    @Test func `a gateway killed in the middle and started again loses no acknowledged row and no task`() throws {
        let services = try Services()
        let count = Self.csv == nil ? 6000 : 16_850
        var gateway = try services.gateway()
        let port = gateway.port
        // Few tasks a pull: the fleet takes longer, and more of its requests meet the crash.
        let fleet = try DemoFleet(
            port: port, csv: Self.csv, generatedCount: count, verifyURL: services.postgresURL,
            arguments: ["--capacity", "2"])
        for quarters in 1...2 {
            try eventually("\(quarters)/4 of the results are acknowledged", deadlineSeconds: 120) {
                guard fleet.isRunning else { throw TestFailure("the fleet ended:\n\(fleet.output)") }
                return fleet.acknowledgedCount >= count * quarters / 4
            }
            try gateway.kill9()
            // What was acknowledged before the crash is there after it, and the fleet is not done.
            let stored = try PostgresQuery(url: services.postgresURL).count("SELECT count(*) FROM parcel_results")
            #expect(stored >= fleet.acknowledgedCount)
            #expect(stored < count)
            gateway = try services.gateway(port: port)
        }
        try fleet.finish()
        #expect(fleet.output.contains("verified: "))
        try expectNothingLeft(services.redisURL)
        #expect(try gateway.terminate() == .exited(0))
    }

    @Test func `what a worker that died was given comes back to others`() throws {
        let live = try Live(Self.environment)
        let silent = try live.worker()
        _ = try silent.enqueue((0..<20).map { Sample.task("t-\($0)") })
        #expect(try silent.pull("capacity=20").count == 20)
        silent.http.close()
        let other = try live.worker()
        var tasks: [PulledTask] = []
        try eventually("all tasks come again", deadlineSeconds: 60) {
            tasks += try other.pull("capacity=20")
            return tasks.count >= 20
        }
        #expect(Set(tasks.map(\.id)).count == 20)
        // It was never heard from after the delivery: that counts for nothing.
        #expect(tasks.allSatisfy { $0.attempt == 1 })
    }
}
