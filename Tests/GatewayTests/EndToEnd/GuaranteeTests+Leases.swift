// Guarantees 3 and 6 on two gateways with one Redis: signs of life, lost deliveries and waiting pulls where the gateway that
// knew of them is gone or another one is asked. Source: api.md section 5.

import TestSupport
import Testing

extension GuaranteeTests {
    enum Sign: String, CaseIterable, Sendable { case heartbeat, work, result, complete, fail }

    /// "… given again when its worker has not been heard from (heartbeat, work, result) for `lease_seconds`."
    @Test(arguments: Sign.allCases)
    func `any sign of life through another gateway keeps the lease, silence ends it`(sign: Sign) throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_LEASE_SECONDS": "1.5"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1") == [FleetTask(id: "t", attempt: 1)])
        try throughout(seconds: 3, "the task stays with its worker") {
            switch sign {
            case .heartbeat: try fleet[1].heartbeat("w1")
            case .work: #expect(try fleet[1].pull("w1").isEmpty)
            case .result: #expect(try fleet[1].submit("w1", Sample.result("another")).failed == 0)
            case .complete: #expect(try fleet[1].complete("w1", "another")["success"] as? Bool == false)
            case .fail: try fleet[1].fail("w1", "another")
            }
            return try fleet[0].pull("w2").isEmpty
        }
        #expect(try fleet[1].pullEventually("w2") == [FleetTask(id: "t", attempt: 2)])
    }

    /// "No crash of the gateway at any instruction loses a task or leaves it leased for ever."
    @Test func `what a killed gateway delivered is given again by another to who repeats the poll, at no attempt`()
        throws
    {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("t1", "t2", "t3", "t4")
        let delivered = try fleet[0].pull("w1", "capacity=3&poll_id=p")
        #expect(delivered == ["t1", "t2", "t3"].map { FleetTask(id: $0, attempt: 1) })
        try fleet[0].kill9()
        #expect(try fleet[1].pull("w1", "capacity=3&poll_id=p") == delivered)
        #expect(try fleet[1].complete("w1", "t2", attempt: 1)["success"] as? Bool == true)
        #expect(try fleet[1].pull("w1", "capacity=3&poll_id=p") == [delivered[0], delivered[2]])
        // Another worker's poll of that name is another poll.
        #expect(try fleet[1].pull("w2", "capacity=3&poll_id=p") == [FleetTask(id: "t4", attempt: 1)])
    }

    @Test func `a task that its worker got from a killed gateway ends through another`() throws {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("done", "failed", "found")
        #expect(try fleet[0].pull("w1").count == 3)
        try fleet[0].kill9()
        #expect(try fleet[1].complete("w1", "done", attempt: 1)["success"] as? Bool == true)
        #expect(try fleet[1].fail("w1", "failed", #"{"attempt":1}"#)["should_retry"] as? Bool == true)
        let result = Sample.result("p", ["task_id": "\"found\"", "attempt": "1"])
        #expect(try fleet[1].submit("w1", result) == ResultsAnswer(inserted: 1))
        let figures = try fleet[1].figures()
        #expect(figures["leased"] as? Int == 0 && figures["delayed"] as? Int == 1 && figures["queued"] as? Int == 0)
    }

    /// "A long poll whose client has gone claims nothing", and neither does one whose gateway has gone.
    @Test func `a pull that waits at a killed gateway claims nothing`() throws {
        let fleet = try FleetFixture(2)
        let waiting = try WaitingPull(fleet[0], "w1")
        try fleet.waits("w1")
        try fleet[0].kill9()
        try fleet[1].enqueue("t")
        #expect(try fleet[1].pull("w2") == [FleetTask(id: "t", attempt: 1)])
        #expect(!waiting.hasAnswer || (try? waiting.tasks()) == nil)
    }

    @Test func `a pull that waits is woken by a task whose worker fell silent at another gateway`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_LEASE_SECONDS": "1"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        try fleet.confirm("w1", at: 0)
        let waiting = try WaitingPull(fleet[1], "w2")
        #expect(try waiting.delivered() == [FleetTask(id: "t", attempt: 2)])
    }

    @Test func `a cancelled task is no longer its holder's on any gateway`() throws {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        #expect(try fleet[1].ops("DELETE", "/internal/tasks/t").status == 200)
        #expect(try fleet[0].complete("w1", "t")["reason"] as? String == "not_leased")
        #expect(try fleet[0].heartbeat("w1", holding: ["t"])["lost_task_ids"] as? [String] == ["t"])
        #expect(try fleet[1].pull("w2").isEmpty)
    }

    /// "Enqueue is idempotent by `task_id` while the task is known."
    @Test func `tasks that are queued through both gateways at once are queued once`() throws {
        let fleet = try FleetFixture(2)
        let ports = fleet.gateways.map(\.port)
        let tasks = (0..<200).map { Sample.task("t\($0)") }
        let answers = try concurrently(4) { thread in
            let client = try WorkerClient(port: ports[thread % 2], id: "producer")
            var counts = (accepted: 0, duplicates: 0)
            for start in stride(from: 0, to: tasks.count, by: 20) {
                let answer = try client.enqueue(Array(tasks[start..<start + 20]))
                counts.accepted += answer["accepted"] as? Int ?? 0
                counts.duplicates += answer["duplicates"] as? Int ?? 0
            }
            return counts
        }
        #expect(answers.reduce(0) { $0 + $1.accepted } == 200)
        #expect(answers.reduce(0) { $0 + $1.duplicates } == 600)
        let pulled = try (0..<3).flatMap { try fleet[$0 % 2].pull("w\($0)", "capacity=100") }
        #expect(pulled.count == 200 && Set(pulled.map(\.id)).count == 200)
    }
}
