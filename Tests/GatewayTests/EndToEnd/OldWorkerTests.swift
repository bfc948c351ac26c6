// Workers of the Go and FastAPI gateways work unchanged: Tests/Fixtures/old_worker.py speaks as they do, this looks at what
// it saw and what came of it. Source: api.md sections 1 and 2.

import Foundation
import TestSupport
import Testing

@Suite struct OldWorkerTests {
    enum Style: String, CaseIterable, Sendable { case fastapi, go }
    /// The part of the path after /internal; none means parcels.
    enum Surface: String, CaseIterable, Sendable {
        case bare = ""
        case parcel, party

        var kind: String { self == .party ? "party" : "parcel" }
    }

    private struct Answer: Decodable {
        struct Body: Decodable {
            struct Task: Decodable {
                var task_id: String
                var attempt: Int
            }
            var tasks: [Task]?
            var retry_after: Int?
            var lease_seconds: Int?
            var acknowledged: Bool?
            var commands: [String]?
            var lost_task_ids: [String]?
            var inserted: Int?
            var failed: Int?
            var status: String?
            var success: Bool?
            var reason: String?
            var should_retry: Bool?
            var attempt: Int?
            var moved_to_dlq: Bool?
        }
        var status: Int
        var body: Body
    }

    /// Runs the worker to its end on five tasks of the surface's kind.
    private func run(_ style: Style, _ surface: Surface, on fleet: FleetFixture) throws -> [String: Answer] {
        try fleet[0].enqueue("t1", "t2", "t3", "t4", "t5", kind: surface.kind)
        let result = try ChildProcess.run(
            "python3",
            [
                "\(Checkout.root)/Tests/Fixtures/old_worker.py", "\(fleet[0].port)", style.rawValue, surface.rawValue,
                "old-1", TestSupport.GatewayProcess.workerToken,
            ])
        guard result.isSuccess else { throw TestFailure("the old worker failed:\n\(result.errors)") }
        return try JSONDecoder().decode([String: Answer].self, from: Data(result.output.utf8))
    }

    private func expectAnswers(_ saw: [String: Answer]) throws {
        #expect(saw.count == 9 && saw.values.allSatisfy { $0.status == 200 })
        let work = try #require(saw["work"]?.body)
        #expect(work.tasks?.map(\.task_id) == ["t1", "t2", "t3", "t4", "t5"])
        #expect(work.tasks?.allSatisfy { $0.attempt == 1 } == true)
        #expect(work.lease_seconds == 300)
        let heartbeat = try #require(saw["heartbeat"]?.body)
        #expect(heartbeat.acknowledged == true && heartbeat.commands == [])
        // They send no task_ids, so they are told of no lost ones.
        #expect(heartbeat.lost_task_ids == nil)
        #expect(saw["results"]?.body.inserted == 1 && saw["results"]?.body.failed == 0)
        #expect(saw["complete"]?.body.status == "ok" && saw["complete"]?.body.success == true)
        #expect(saw["complete again"]?.body.success == false)
        #expect(saw["complete again"]?.body.reason == "not_leased")
        for name in ["fail", "fail with a reason"] {
            #expect(saw[name]?.body.should_retry == true && saw[name]?.body.moved_to_dlq == false, "\(name)")
            #expect(saw[name]?.body.attempt == 1, "\(name)")
        }
        #expect(saw["fail for good"]?.body.moved_to_dlq == true)
        #expect(saw["idle"]?.body.tasks?.isEmpty == true && (saw["idle"]?.body.retry_after ?? 0) >= 1)
    }

    @Test(arguments: Style.allCases, Surface.allCases)
    func `a worker of the old gateways is answered as it was there`(style: Style, surface: Surface) throws {
        let fleet = try FleetFixture(1)
        try expectAnswers(try run(style, surface, on: fleet))
        let figures = try fleet[0].figures(kind: surface.kind)
        #expect(figures["queued"] as? Int == 0 && figures["leased"] as? Int == 0)
        #expect(figures["delayed"] as? Int == 2 && figures["dead"] as? Int == 1)
        // Its result lies in the table of its kind, its time is UTC and whole microseconds.
        let (table, key) = surface == .party ? ("party_results", "party_id") : ("parcel_results", "parcel_id")
        let columns = "\(key), worker_id, data->>'owner', to_char(scraped_at AT TIME ZONE 'UTC', 'HH24:MI:SS.US')"
        let rows = try fleet.database.run("SELECT \(columns) FROM \(table)")
        #expect(rows == [["t1", "old-1", "Zoë", "10:00:00.123456"]])
        let other = surface == .party ? "parcel" : "party"
        #expect(try fleet.database.count("SELECT count(*) FROM \(other)_results") == 0)
    }

    @Test(arguments: Style.allCases)
    func `a fail without a body is a network error`(style: Style) throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_MAX_RETRIES": "0"])
        let saw = try run(style, .bare, on: fleet)
        #expect(saw["fail"]?.body.moved_to_dlq == true && saw["fail"]?.body.should_retry == false)
        let page = try fleet[0].ops("GET", "/internal/dlq").jsonObject()["tasks"] as? [[String: Any]] ?? []
        let reasons = page.map { ($0["error"] as? [String: Any])?["reason"] as? String }
        #expect(reasons == ["network_error", "blocked", "format_changed"])
    }
}
