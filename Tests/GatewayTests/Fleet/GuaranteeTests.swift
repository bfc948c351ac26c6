// Guarantees 3 to 6 of the contract as workers see them, on two gateways with one Redis.
// Order, retries, fencing and idempotence; what the passing of time does is in ReaperTests.

import Foundation
import TestSupport
import Testing

@Suite struct GuaranteeTests {
    @Test func `a task is leased to one worker at a time, whichever gateways they ask`() throws {
        let fleet = try FleetFixture(2)
        let ids = (0..<300).map { "t\($0)" }
        let lines = ids.map { #"{"task_id":"\#($0)","platform":"beacon","target":{}}"# }.joined(separator: "\n")
        #expect(try fleet[0].ops("POST", "/internal/tasks", lines).jsonObject()["accepted"] as? Int == 300)
        let ports = fleet.gateways.map(\.port)
        let group = DispatchGroup()
        let taken = Taken()
        for worker in 0..<8 {
            DispatchQueue.global().async(group: group) {
                for round in 0..<ids.count {
                    let response = try? RawHTTP.exchange(
                        port: ports[(worker + round) % 2], "GET", "/internal/work?capacity=7",
                        headers: TestSupport.GatewayProcess.headers(worker: "w\(worker)"))
                    guard let answer = try? response?.jsonObject(), let tasks = try? FleetTask.list(answer),
                        !tasks.isEmpty
                    else { return }
                    taken.add(tasks.map(\.id))
                }
            }
        }
        group.wait()
        #expect(taken.ids.sorted() == ids.sorted())
    }

    private final class Taken: @unchecked Sendable {
        // Only touched under the lock.
        private let lock = NSLock()
        private var all: [String] = []
        func add(_ ids: [String]) { lock.withLock { all += ids } }
        var ids: [String] { lock.withLock { all } }
    }

    @Test func `lower priority numbers come first, platforms take turns, and each is first in, first out`() throws {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("b1", "b2", "b3", platform: "beacon")
        try fleet[1].enqueue("q1", "q2", platform: "qpublic")
        try fleet[0].enqueue("low", priority: 4)
        try fleet[1].enqueue("urgent", priority: 1)
        try fleet[0].enqueue("browser", priority: 1, tier: 4)
        var order: [String] = []
        for number in 0..<7 { order += try fleet[number % 2].pull("w", "capacity=1&max_tier=3").map(\.id) }
        #expect(order == ["urgent", "b1", "q1", "b2", "q2", "b3", "low"])
        #expect(try fleet[0].pull("w", "max_tier=3").isEmpty)
        #expect(try fleet[1].pull("w", "max_tier=4").map(\.id) == ["browser"])
    }

    @Test func `a retried task waits out its delay, then goes ahead of new ones of its priority`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_RETRY_BASE_SECONDS": "0.5"])
        try fleet[0].enqueue("old")
        #expect(try fleet[0].pull("w1").count == 1)
        let failed = try fleet[1].fail("w1", "old", #"{"reason":"timeout"}"#)
        #expect(failed["attempt"] as? Int == 1)
        try fleet[0].enqueue("new1", "new2")
        #expect(try fleet[1].pull("w2", "capacity=1").map(\.id) == ["new1"])
        try eventually("the retry is ready") { try fleet[0].figures()["delayed"] as? Int == 0 }
        #expect(try fleet[1].pull("w2", "capacity=1") == [FleetTask(id: "old", attempt: 2)])
        #expect(try fleet[0].pull("w2", "capacity=1").map(\.id) == ["new2"])
    }

    @Test func `retries are delayed twice as long each time, and after the last the task is dead`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_RETRY_BASE_SECONDS": "0.2", "GATEWAY_MAX_RETRIES": "2"])
        try fleet[0].enqueue("t")
        for attempt in 1...3 {
            #expect(try fleet[attempt % 2].pullEventually("w") == [FleetTask(id: "t", attempt: attempt)])
            let answer = try fleet[0].fail("w", "t")
            #expect(answer["should_retry"] as? Bool == (attempt < 3))
            #expect(answer["moved_to_dlq"] as? Bool == (attempt == 3))
        }
        let letter = try fleet[1].ops("GET", "/internal/dlq").jsonObject()["tasks"] as? [[String: Any]]
        #expect(letter?.first?["attempts"] as? Int == 3)
        // A fail without a body is a network error.
        #expect((letter?.first?["error"] as? [String: Any])?["reason"] as? String == "network_error")
    }

    @Test func `an older attempt cannot complete or fail a task that was given again`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_LEASE_SECONDS": "0.3"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        try fleet.confirm("w1", at: 0)
        #expect(try fleet[1].pullEventually("w2") == [FleetTask(id: "t", attempt: 2)])
        try fleet.confirm("w2", at: 1)
        #expect(try fleet[0].complete("w1", "t", attempt: 1)["reason"] as? String == "superseded")
        #expect(try fleet[0].fail("w1", "t", #"{"attempt":1}"#)["reason"] as? String == "superseded")
        #expect(try fleet[0].complete("w1", "t")["reason"] as? String == "not_leased")
        let answer = try fleet[0].complete("w2", "t", attempt: 2)
        #expect(answer["success"] as? Bool == true)
        #expect(try fleet[1].complete("w2", "t", attempt: 2)["reason"] as? String == "not_leased")
    }

    @Test func `enqueueing is idempotent while the task is queued, leased, delayed or dead`() throws {
        let fleet = try FleetFixture(2)
        func duplicates() throws -> Int? {
            let body = #"[{"task_id":"t","platform":"beacon","target":{}}]"#
            return try fleet[1].ops("POST", "/internal/tasks", body).jsonObject()["duplicates"] as? Int
        }
        try fleet[0].enqueue("t")
        #expect(try duplicates() == 1)
        #expect(try fleet[0].pull("w").count == 1)
        #expect(try duplicates() == 1)
        try fleet[0].fail("w", "t")
        #expect(try duplicates() == 1)
        #expect(try fleet[0].ops("DELETE", "/internal/tasks/t").status == 200)
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w").count == 1)
        try fleet[0].fail("w", "t", #"{"retry_suggested":false}"#)
        #expect(try duplicates() == 1)
        #expect(try fleet[0].ops("POST", "/internal/dlq/requeue", #"{"all":true}"#).status == 200)
        #expect(try fleet[0].pull("w").count == 1)
        #expect(try fleet[0].complete("w", "t")["success"] as? Bool == true)
        try fleet[0].enqueue("t")
    }

    @Test func `a heartbeat that lists its tasks hears what it lost and gives back what it does not list`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_DELIVERY_SECONDS": "0.3"])
        try fleet[0].enqueue("kept", "lost", "stray")
        #expect(try fleet[0].pull("w1").count == 3)
        #expect(try fleet[1].ops("DELETE", "/internal/tasks/lost").status == 200)
        let first = try fleet[1].heartbeat("w1", holding: ["kept", "lost", "never"])
        #expect((first["lost_task_ids"] as? [String])?.sorted() == ["lost", "never"])
        try eventually("the stray task is given back") {
            try fleet[1].heartbeat("w1", holding: ["kept"])
            return try fleet[0].figures()["queued"] as? Int == 1
        }
        // It was never listed: its delivery was lost, and does not count.
        #expect(try fleet[0].pull("w2") == [FleetTask(id: "stray", attempt: 1)])
        #expect(try fleet[0].complete("w1", "kept")["success"] as? Bool == true)
    }

    @Test func `workers of the old gateways work unchanged`() throws {
        let fleet = try FleetFixture(1)
        // No body, no content type, the id in the query.
        try fleet[0].enqueue("t1", "t2")
        let headers = [("X-Worker-Token", TestSupport.GatewayProcess.workerToken)]
        let pulled = try fleet[0].exchange("GET", "/internal/work?worker_id=old&capacity=2", headers: headers)
        #expect(try FleetTask.list(pulled.jsonObject()).map(\.id) == ["t1", "t2"])
        let failed = try fleet[0].exchange("POST", "/internal/tasks/t1/fail?worker_id=old", headers: headers)
        #expect(failed.status == 200)
        #expect(try failed.jsonObject()["should_retry"] as? Bool == true)
        let completed = try fleet[0].exchange("POST", "/internal/tasks/t2/complete?worker_id=old", headers: headers)
        #expect(try completed.jsonObject()["success"] as? Bool == true)
        // Times without a zone.
        let result =
            #"[{"task_id":"t3","parcel_id":"1","platform":"beacon","state":"CO","county":"Larimer","data":{},"scraped_at":"2026-02-04T10:00:00.123456","parse_duration_ms":1}]"#
        let stored = try fleet[0].exchange("POST", "/internal/results?worker_id=old", headers: headers, body: result)
        #expect(try stored.jsonObject()["inserted"] as? Int == 1)
    }
}
