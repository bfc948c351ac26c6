// The worker that the manual shows, run for real: through its tasks, a crash of the gateway, commands, and its own end.

import Foundation
import TestSupport
import Testing

@Suite struct ExampleWorkerTests {
    /// examples/worker.py as a child process; ends with its owner.
    private final class ExampleWorker {
        private let child: ChildProcess
        private let folder: TemporaryFolder

        init(port: Int, id: String) throws {
            folder = try TemporaryFolder()
            var environment = ProcessInfo.processInfo.environment
            environment["GATEWAY_URL"] = "http://127.0.0.1:\(port)"
            environment["GATEWAY_WORKER_TOKEN"] = TestSupport.GatewayProcess.workerToken
            environment["HEARTBEAT_SECONDS"] = "0.2"
            child = try ChildProcess(
                "python3", ["\(Checkout.root)/examples/worker.py", id, "beacon", "qpublic"], environment: environment,
                outputPath: folder.path("output"), errorPath: folder.path("output"))
            TestRun.record(child: child.pid)
        }

        deinit {
            child.signal(SIGKILL)
            _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
            TestRun.forget(child: child.pid)
        }

        var output: String { (try? folder.read("output")) ?? "" }  // No file yet: nothing was printed.
        var isRunning: Bool { child.isRunning }
        func signal(_ number: Int32) { child.signal(number) }
        func waitForExit() throws -> TestSupport.ExitStatus { try child.waitForExit() }
    }

    private func enqueue(_ ids: [String], on fleet: FleetFixture, target: String? = nil) throws {
        let tasks = ids.map { id in
            let target = target ?? #"{"parcel_id":"\#(id)","state":"CO","county":"Larimer"}"#
            return #"{"task_id":"\#(id)","platform":"beacon","target":\#(target)}"#
        }
        let answer = try fleet[fleet.gateways.count - 1].ops(
            "POST", "/internal/tasks", "[\(tasks.joined(separator: ","))]")
        #expect(try answer.jsonObject()["accepted"] as? Int == ids.count)
    }

    private func storedCount(_ fleet: FleetFixture) throws -> Int {
        try fleet.database.count("SELECT count(*) FROM parcel_results")
    }

    @Test func `it works its tasks off, fails those it cannot read, and ends what it holds when it is told to stop`()
        throws
    {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_MAX_RETRIES": "0"])
        try enqueue((0..<40).map { "t\($0)" }, on: fleet)
        try enqueue(["broken/1", "broken/2"], on: fleet, target: #"{"no":"parcel"}"#)
        let worker = try ExampleWorker(port: fleet[0].port, id: "example-1")
        try eventually("all tasks have ended; it says: \(worker.output)", deadlineSeconds: 30) {
            try storedCount(fleet) == 40 && fleet[0].figures()["dead"] as? Int == 2
        }
        // It waits for work now; what comes is done at once.
        try enqueue(["late"], on: fleet)
        try eventually("the late task is done") { try storedCount(fleet) == 41 }
        worker.signal(SIGTERM)
        #expect(try worker.waitForExit() == .exited(0), "\(worker.output)")
        #expect(worker.output.contains("example-1: 41 completed, 2 failed"))
        let page = try fleet[0].ops("GET", "/internal/dlq").jsonObject()["tasks"] as? [[String: Any]] ?? []
        #expect(page.map { ($0["error"] as? [String: Any])?["reason"] as? String } == ["parser_bug", "parser_bug"])
        let figures = try fleet[0].figures()
        #expect(figures["leased"] as? Int == 0 && figures["queued"] as? Int == 0)
    }

    @Test func `it lives through a crash of the gateway, pauses, resumes and shuts down as it is told`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_DELIVERY_SECONDS": "1", "GATEWAY_LEASE_SECONDS": "3"])
        let worker = try ExampleWorker(port: fleet[0].port, id: "example-2")
        try enqueue((0..<200).map { "t\($0)" }, on: fleet)
        try eventually("some tasks have ended; it says: \(worker.output)") { try storedCount(fleet) >= 20 }
        try fleet[0].kill9()
        try fleet.addGateway(port: fleet[0].port)
        try eventually("all tasks have ended; it says: \(worker.output)", deadlineSeconds: 60) {
            try storedCount(fleet) == 200 && fleet[1].figures()["leased"] as? Int == 0
        }

        func command(_ command: String) throws {
            let answer = try fleet[1].ops(
                "POST", "/internal/workers/example-2/commands", #"{"command":"\#(command)"}"#)
            #expect(answer.status == 202)
            try eventually("it was told to \(command)") {
                try fleet.redis.command("EXISTS", "{parcel:0}:commands:example-2").integer == 0
            }
        }
        try command("pause")
        // A pull that waited before it was told may still bring one.
        try enqueue(["first"], on: fleet)
        try? eventually("its last pull is answered", deadlineSeconds: 3) { try storedCount(fleet) == 201 }
        let count = try storedCount(fleet)
        try enqueue(["second"], on: fleet)
        try throughout(seconds: 1.5, "it pauses") { try storedCount(fleet) == count }
        try command("resume")
        try eventually("it goes on") { try storedCount(fleet) == 202 }
        try command("shutdown")
        #expect(try worker.waitForExit() == .exited(0), "\(worker.output)")
    }

    @Test func `without a valid token it ends and says why`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_WORKER_TOKENS": "another-token-altogether"])
        let worker = try ExampleWorker(port: fleet[0].port, id: "example-3")
        #expect(try worker.waitForExit() == .exited(1))
        #expect(worker.output.contains("401"))
    }
}
