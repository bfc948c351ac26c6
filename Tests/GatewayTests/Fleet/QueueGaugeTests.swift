// The gauges of the queue, as a scrape sees them, and that nobody can grow their number.

import Foundation
import TestSupport
import Testing

@Suite struct QueueGaugeTests {
    private func metric(_ fleet: FleetFixture, _ name: String, _ labels: [String: String]) throws -> Double? {
        try fleet[0].metric(name, labels)
    }

    @Test func `depth, age, leased, delayed, dead and workers are shown, and go back to 0`() throws {
        let fleet = try FleetFixture(1)
        let beacon = ["kind": "parcel", "platform": "beacon", "priority": "3"]
        try fleet[0].enqueue("dead", "delayed", "leased", "q1", "q2", priority: 3)
        #expect(try fleet[0].pull("w", "capacity=3").count == 3)
        try fleet[0].fail("w", "dead", #"{"retry_suggested":false}"#)
        try fleet[0].fail("w", "delayed")
        try fleet[0].heartbeat("w")
        try eventually("the gauges show it", deadlineSeconds: 15) {
            try metric(fleet, "gateway_queue_depth", beacon) == 2
                && metric(fleet, "gateway_tasks_leased", beacon) == 1
                && metric(fleet, "gateway_tasks_delayed", beacon) == 1
                && metric(fleet, "gateway_tasks_dead", beacon) == 1
                && metric(fleet, "gateway_workers_active", ["kind": "parcel", "platform": "beacon"]) == 1
        }
        try eventually("the age grows", deadlineSeconds: 15) {
            try metric(fleet, "gateway_queue_oldest_seconds", beacon) ?? 0 >= 1
        }
        #expect(try metric(fleet, "gateway_queue_depth", ["kind": "party", "platform": "beacon"]) == 0)
        for id in ["dead", "delayed", "leased", "q1", "q2"] {
            #expect(try fleet[0].ops("DELETE", "/internal/tasks/\(id)").status == 200)
        }
        try eventually("the gauges are 0 again", deadlineSeconds: 15) {
            try ["depth", "oldest_seconds"].allSatisfy { try metric(fleet, "gateway_queue_\($0)", beacon) == 0 }
                && ["leased", "delayed", "dead"].allSatisfy { try metric(fleet, "gateway_tasks_\($0)", beacon) == 0 }
        }
    }

    @Test func `platforms beyond the bound share one series`() throws {
        let fleet = try FleetFixture(1)
        let lines = (0..<200).map { #"{"task_id":"t\#($0)","platform":"p\#($0)","target":{}}"# }
        let answer = try fleet[0].ops("POST", "/internal/tasks", lines.joined(separator: "\n")).jsonObject()
        #expect(answer["accepted"] as? Int == 200)
        let other = ["kind": "parcel", "platform": "other", "priority": "3"]
        try eventually("the rest is counted together", deadlineSeconds: 15) {
            try metric(fleet, "gateway_queue_depth", other) == 200 - 64
        }
        let page = try fleet[0].exchange("GET", "/metrics").bodyText
        #expect(page.split(separator: "\n").count { $0.hasPrefix("gateway_queue_depth{") } == 65 * 8)
        #expect(page.contains("# TYPE gateway_queue_depth gauge"))
    }
}
