// `gateway enqueue`: formats, mapping, duplicates, bad items, and that it goes on where it was interrupted.

import Foundation
import TestSupport
import Testing

@Suite struct EnqueueCommandTests {
    private let redisURL: String
    private let redis: TestSupport.RedisClient
    private let folder: TemporaryFolder

    init() throws {
        redisURL = try Services.shared.takeRedisDatabase()
        redis = try TestSupport.RedisClient(url: redisURL)
        folder = try TemporaryFolder()
    }

    private func enqueue(_ text: String, _ name: String, _ arguments: String...) throws -> CommandOutput {
        try folder.write(text, to: name)
        return try TestSupport.GatewayProcess.run(["enqueue", folder.path(name)] + arguments, redisURL: redisURL)
    }

    private func tasks(kind: String = "parcel") throws -> [String: [String: Any]] {
        let items = try redis.command("HGETALL", "{\(kind):0}:tasks").array ?? []
        var tasks: [String: [String: Any]] = [:]
        for index in stride(from: 0, to: items.count, by: 2) {
            let text = (items[index + 1].string ?? "") + "0}"
            tasks[items[index].string ?? ""] =
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        }
        return tasks
    }

    @Test func `lines of JSON are queued, bad ones are told by their line, known ones are duplicates`() throws {
        let text = """
            {"task_id":"t1","platform":"beacon","target":{"a":1}}

            {"task_id":"t2","platform":"beacon"}
            {"task_id":"t1","platform":"beacon","target":{}}
            {"task_id":"t3","platform":"beacon","priority":1,"target":{}}
            """
        let result = try enqueue(text, "tasks.ndjson")
        #expect(result.status == .exited(65))
        #expect(result.output == "2 accepted, 1 duplicates, 1 rejected\n")
        #expect(result.errors == "line 3: target: is required\n" || result.errors.hasPrefix("line 3: target"))
        #expect(try tasks().keys.sorted() == ["t1", "t3"])
        let again = try enqueue(text, "tasks.ndjson", "--kind", "party")
        #expect(again.output == "2 accepted, 1 duplicates, 1 rejected\n")
        #expect(try tasks(kind: "party").count == 2)
    }

    @Test func `an array of JSON is queued`() throws {
        let result = try enqueue(
            #" [{"task_id":"t1","platform":"b","target":{}}, {"task_id":"t2","platform":"b","target":{}}] "#, "t.json")
        #expect(result.status == .exited(0), "\(result.errors)")
        #expect(try tasks().count == 2)
    }

    @Test func `a county's CSV becomes tasks by a mapping of its columns`() throws {
        let csv = """
            SCHEDULE_NUMBER,TAX_YEAR,NOTE
            1615514,2002,"Lot 3, block ""B\"""
            487023,2000,
            487023,2001,x
            ,2001,no number

            """
        let result = try enqueue(
            csv, "liens.csv", "--column", "parcel_id=SCHEDULE_NUMBER", "--column", "note=NOTE", "--platform", "beacon",
            "--state", "CO", "--county", "Larimer", "--priority", "2", "--tier", "3")
        #expect(result.output == "2 accepted, 1 duplicates, 1 rejected\n", "\(result.errors)")
        #expect(result.errors == "line 5: it has no task id\n")
        let task = try #require(try tasks()["beacon:CO:Larimer:1615514"])
        #expect(task["platform"] as? String == "beacon")
        #expect(task["priority"] as? Int == 2)
        #expect(task["tier"] as? Int == 3)
        #expect(
            task["target"] as? [String: String] == [
                "state": "CO", "county": "Larimer", "parcel_id": "1615514", "note": "Lot 3, block \"B\"",
            ])
    }

    @Test func `without a mapping every column is taken, and a column can be the task id`() throws {
        let result = try enqueue(
            "ID,Owner\nx1,Smith\n", "t.csv", "--platform", "p", "--task-id-column", "ID")
        #expect(result.status == .exited(0), "\(result.errors)")
        #expect(try tasks()["x1"]?["target"] as? [String: String] == ["id": "x1", "owner": "Smith"])
    }

    @Test func `columns that are not there, or give no task id, are told`() throws {
        let missing = try enqueue("A,B\n1,2\n", "t.csv", "--platform", "p", "--column", "parcel_id=C")
        #expect(missing.status != .exited(0))
        #expect(missing.errors.contains("no column C; the file has A, B"))
        let none = try enqueue("A,B\n1,2\n", "t.csv", "--platform", "p")
        #expect(none.errors.contains("no task id"))
        #expect(try enqueue("A\n1\n", "t.csv").errors.contains("--platform"))
        #expect(try enqueue("{}", "t.ndjson", "--column", "a=B").errors.contains("for CSV files"))
    }

    @Test func `an interrupted run goes on where it stopped`() throws {
        let count = 200_000
        let lines = (0..<count).map { #"{"task_id":"t\#($0)","platform":"beacon","target":{}}"# }
        try folder.write(lines.joined(separator: "\n"), to: "big.ndjson")
        let path = folder.path("big.ndjson")
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GATEWAY_") }
        variables["GATEWAY_REDIS_URL"] = redisURL
        let child = try ChildProcess(Checkout.gatewayBinary, ["enqueue", path], environment: variables)
        try eventually("some are in and the progress is written", deadlineSeconds: 30) {
            try !folder.read("big.ndjson.progress").isEmpty
                && redis.command("HLEN", "{parcel:0}:tasks").integer ?? 0 > 0
        }
        child.signal(SIGKILL)
        try child.waitForExit()
        let done = try redis.command("HLEN", "{parcel:0}:tasks").integer ?? 0
        #expect(done < count, "it was too fast to be interrupted")
        // What was completed meanwhile must not come again.
        #expect(try redis.command("FLUSHDB") == .simple("OK"))
        let result = try TestSupport.GatewayProcess.run(["enqueue", path], redisURL: redisURL, deadlineSeconds: 120)
        #expect(result.status == .exited(0), "\(result.errors)")
        #expect(result.output.contains("were done by an earlier run"))
        let rest = try redis.command("HLEN", "{parcel:0}:tasks").integer ?? 0
        #expect(rest > 0 && rest < count)
        #expect(try folder.read("big.ndjson.progress").isEmpty)
        #expect(try redis.command("HEXISTS", "{parcel:0}:tasks", "t\(count - 1)").integer == 1)
    }

    @Test func `without Redis the command fails with the reason`() throws {
        try folder.write("{}", to: "t.ndjson")
        let port = try FreePort.next()
        let result = try TestSupport.GatewayProcess.run(
            ["enqueue", folder.path("t.ndjson")], redisURL: "redis://127.0.0.1:\(port)/0")
        #expect(result.status != .exited(0))
        #expect(result.errors.contains("no connection to Redis"))
    }
}
