// Overdue tasks come back, whichever gateway gave them out and whichever is alive. Guarantee 3 of the contract.

import Foundation
import TestSupport
import Testing

@Suite struct ReaperTests {
    private static let short = ["GATEWAY_LEASE_SECONDS": "1", "GATEWAY_DELIVERY_SECONDS": "0.3"]

    @Test func `a task whose worker falls silent is given again by another gateway`() throws {
        let fleet = try FleetFixture(2, environment: Self.short)
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1") == [FleetTask(id: "t", attempt: 1)])
        try fleet.confirm("w1", at: 0)
        #expect(try fleet[1].pull("w2").isEmpty)
        #expect(try fleet[1].pullEventually("w2") == [FleetTask(id: "t", attempt: 2)])
        #expect(try fleet[0].complete("w1", "t", attempt: 1)["reason"] as? String == "superseded")
        #expect(try fleet[1].complete("w2", "t", attempt: 2)["success"] as? Bool == true)
    }

    @Test func `a lease lives as long as its worker is heard from`() throws {
        let fleet = try FleetFixture(2, environment: Self.short)
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        try throughout(seconds: 2.5, "the task stays with its worker") {
            try fleet[1].heartbeat("w1")
            return try fleet[0].pull("w2").isEmpty
        }
        #expect(try fleet[1].complete("w1", "t", attempt: 1)["success"] as? Bool == true)
    }

    @Test func `a delivery that is never confirmed comes back soon and does not count as an attempt`() throws {
        let fleet = try FleetFixture(
            2, environment: ["GATEWAY_LEASE_SECONDS": "60", "GATEWAY_DELIVERY_SECONDS": "0.3"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1") == [FleetTask(id: "t", attempt: 1)])
        #expect(try fleet[1].pullEventually("w2") == [FleetTask(id: "t", attempt: 1)])
    }

    @Test func `a lease shorter than the delivery time holds from the delivery on`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_LEASE_SECONDS": "1"])
        try fleet[0].enqueue("unheard", "heard")
        #expect(try fleet[0].pull("w1", "capacity=1").count == 1)
        #expect(try fleet[0].pull("w2", "capacity=1").count == 1)
        try fleet.confirm("w2", at: 0)
        #expect(try fleet[1].pullEventually("w3", "capacity=1") == [FleetTask(id: "unheard", attempt: 1)])
        #expect(try fleet[1].pullEventually("w3", "capacity=1") == [FleetTask(id: "heard", attempt: 2)])
    }

    @Test func `a task is out no longer than the task timeout, however alive its worker`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_TASK_TIMEOUT_SECONDS": "1"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        let again = try eventuallyValue("w2 gets the task") {
            try fleet[0].heartbeat("w1")
            let tasks = try fleet[1].pull("w2")
            return tasks.isEmpty ? nil : tasks
        }
        #expect(again == [FleetTask(id: "t", attempt: 2)])
    }

    @Test func `a task whose workers die under it is dead after max-retries + 1 deliveries`() throws {
        let fleet = try FleetFixture(
            2,
            environment: [
                "GATEWAY_LEASE_SECONDS": "1", "GATEWAY_DELIVERY_SECONDS": "5", "GATEWAY_MAX_RETRIES": "2",
            ])
        try fleet[0].enqueue("t")
        for attempt in 1...3 {
            #expect(try fleet[attempt % 2].pullEventually("w\(attempt)") == [FleetTask(id: "t", attempt: attempt)])
            try fleet.confirm("w\(attempt)", at: attempt % 2)
        }
        try eventually("the task is dead") {
            try fleet.redis.command("ZCARD", "{parcel:0}:dead").integer == 1
        }
        let error = try fleet.redis.command("HGET", "{parcel:0}:errors", "t").string ?? ""
        #expect(error.contains("worker_lost"))
        let labels = ["kind": "parcel", "platform": "beacon"]
        try eventually("the metrics say so") {
            let counts = try fleet.gateways.map { gateway in
                try ["requeued", "dead"].map {
                    try gateway.metric("gateway_worker_tasks_total", labels.merging(["status": $0]) { $1 }) ?? 0
                }
            }
            return counts[0][0] + counts[1][0] == 2 && counts[0][1] + counts[1][1] == 1
        }
    }

    @Test func `one gateway reaps, and another succeeds it when it is killed`() throws {
        let fleet = try FleetFixture(2, environment: Self.short)
        func holder() throws -> Int? {
            (0..<2).first { fleet[$0].isRunning && fleet[$0].log.contains("this gateway reaps\"") }
        }
        let first = try eventuallyValue("somebody reaps") { try holder() }
        try fleet[0].enqueue("t")
        #expect(try fleet[first].pull("w1").count == 1)
        try fleet[first].kill9()
        let second = fleet[1 - first]
        #expect(try second.pullEventually("w2") == [FleetTask(id: "t", attempt: 1)])
        #expect(second.log.contains("this gateway reaps\""))
    }

    @Test func `a gateway that drains leaves the reaper's lock to the others at once`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_REAPER_INTERVAL_SECONDS": "2"])
        let lock = "{parcel:0}:reaper"
        try eventually("the gateway reaps") { try fleet.redis.command("EXISTS", lock).integer == 1 }
        #expect(try fleet[0].terminate() == .exited(0))
        #expect(try fleet.redis.command("EXISTS", lock).integer == 0)
    }

    @Test func `the reaper survives the loss of Redis`() throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(
            1, redisURL: services.redisURL, environment: Self.short.merging(["GATEWAY_REACTORS": "1"]) { $1 })
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        try services.kill(.redis)
        try services.start(.redis)
        try eventually("the gateway has Redis again") { try fleet[0].isConnected }
        #expect(try fleet[0].pullEventually("w2").first?.id == "t")
    }
}
