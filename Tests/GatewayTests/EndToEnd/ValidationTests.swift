// JSON of another schema than the contract's: a 422 that names the field, and nothing of the request is stored.

import TestSupport
import Testing

@Suite struct ValidationTests {
    private static let numbers = ["active_tasks", "completed_last_minute", "failed_last_minute"]
    private static let heartbeatFields = numbers + ["platforms", "cpu_percent", "memory_percent"]

    private func heartbeat(_ field: String, _ value: String?) -> String {
        let base: [String: String] = [
            "active_tasks": "1", "completed_last_minute": "0", "failed_last_minute": "0", "platforms": "[\"b\"]",
            "cpu_percent": "1.5", "memory_percent": "2",
        ]
        var members = base
        members[field] = value
        return "{" + members.map { "\"\($0.key)\":\($0.value)" }.sorted().joined(separator: ",") + "}"
    }

    private func expectInvalid(
        _ worker: WorkerClient, _ target: String, _ body: String, field: String?, index: Int? = nil
    ) throws {
        let response = try worker.send("POST", target, body: body)
        try expectProblem(response, 422, "VALIDATION_ERROR", ProblemDetails(field: field, index: index))
    }

    @Test(arguments: heartbeatFields)
    func `a heartbeat without a member, with null or of a wrong type is refused and not noted`(field: String) throws {
        let live = try Live.shared
        let worker = try live.worker()
        for value in [nil, "null", "\"1\"", "{}", "true"] as [String?] {
            try expectInvalid(worker, "/internal/heartbeat", heartbeat(field, value), field: field)
        }
        if Self.numbers.contains(field) {
            try expectInvalid(worker, "/internal/heartbeat", heartbeat(field, "-1"), field: field)
            try expectInvalid(worker, "/internal/heartbeat", heartbeat(field, "1.5"), field: field)
        }
        #expect(try !QueueView(live).hasSeen(worker.id))
        // The same with all its members is one.
        _ = try worker.call("POST", "/internal/heartbeat", body: heartbeat(field, Self.sound(field)))
        #expect(try QueueView(live).hasSeen(worker.id))
    }

    private static func sound(_ field: String) -> String { field == "platforms" ? "[]" : "3" }

    @Test(arguments: ["{}", "[]", "null", "1", "\"a\""])
    func `what is no status object is not a heartbeat`(body: String) throws {
        let live = try Live.shared
        let worker = try live.worker()
        try expectInvalid(worker, "/internal/heartbeat", body, field: nil)
        #expect(try !QueueView(live).hasSeen(worker.id))
    }

    @Test(arguments: [
        ("task_ids", "\"t\""), ("task_ids", "[1]"), ("task_ids", "{}"), ("platforms", "[\"a\",1]"),
        ("platforms", "[null]"),
    ])
    func `an optional or inner member of a wrong type is named`(field: String, value: String) throws {
        try expectInvalid(Live.shared.worker(), "/internal/heartbeat", heartbeat(field, value), field: field)
    }

    @Test func `unknown members are ignored`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        _ = try worker.heartbeat(",\"unknown\":{\"deep\":[1,null]},\"x\":null")
        let parcel = Fresh.name("parcel")
        let answer = try worker.submit([Sample.result(parcel, ["more": "[{}]", "attempt": "null"])])
        #expect(answer == ResultsAnswer(inserted: 1))
    }

    private static let wrongValues: [(field: String, values: [String?])] = [
        ("task_id", [nil, "null", "1", "\"\""]), ("parcel_id", [nil, "null", "1615514", "\"\""]),
        ("platform", [nil, "null", "[]"]), ("state", [nil, "null", "8"]), ("county", [nil, "null", "{}"]),
        ("data", [nil, "null", "[]", "\"{}\"", "1"]), ("parse_duration_ms", [nil, "null", "\"12\"", "-1"]),
        ("scraped_at", ["1770199200", "\"yesterday\"", "\"2026-02-30T10:00:00Z\""]),
        ("raw_html_hash", ["1"]), ("attempt", ["\"1\"", "1.5", "-1"]),
    ]

    @Test(arguments: 0..<wrongValues.count)
    func `one wrong result of a request names its index and field, and none is stored`(which: Int) throws {
        let live = try Live.shared
        let worker = try live.worker()
        let (field, values) = Self.wrongValues[which]
        let good = Fresh.name("good")
        for value in values {
            let bad = Sample.result(Fresh.name("bad"), [field: value])
            let body = "[\(Sample.result(good)),\(Sample.result(good)),\(bad)]"
            try expectInvalid(worker, "/internal/results", body, field: field, index: 2)
            try expectInvalid(worker, "/internal/results", "{\"results\":\(body)}", field: field, index: 2)
        }
        #expect(try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id = '\(good)'") == 0)
    }

    @Test func `a request has 1 to 1000 results in a list`() throws {
        let worker = try Live.shared.worker()
        let many = (0...1000).map { Sample.result("many-\($0)") }.joined(separator: ",")
        for body in ["[]", "{}", "{\"results\":[]}", "{\"results\":null}", "{\"results\":{}}", "3", "[\(many)]"] {
            try expectInvalid(worker, "/internal/results", body, field: nil)
        }
        try expectInvalid(worker, "/internal/results", "[1]", field: nil, index: 0)
        try expectInvalid(worker, "/internal/results", "[\(Sample.result("a")),null]", field: nil, index: 1)
    }

    @Test func `a party's result needs a party id, a parcel's does not do`() throws {
        let worker = try Live.shared.worker()
        try expectInvalid(
            worker, "/internal/party/results", "[\(Sample.result("p"))]", field: "party_id", index: 0)
    }

    @Test(arguments: [
        ("complete", "{\"duration_ms\":\"1\"}", "duration_ms"), ("complete", "{\"attempt\":1.5}", "attempt"),
        ("complete", "{\"bytes_downloaded\":-1}", "bytes_downloaded"),
        ("complete", "{\"fields_parsed\":[]}", "fields_parsed"), ("fail", "{\"reason\":\"tired\"}", "reason"),
        ("fail", "{\"reason\":1}", "reason"), ("fail", "{\"retry_suggested\":\"no\"}", "retry_suggested"),
        ("fail", "{\"proxy_port\":70000}", "proxy_port"), ("fail", "{\"message\":{}}", "message"),
    ])
    func `a wrong body of complete or fail leaves the task as it was`(
        call: String, body: String, field: String
    ) throws {
        let live = try Live.shared
        let worker = try live.worker()
        let task = Fresh.name("task")
        let platform = Fresh.name("platform")
        _ = try worker.enqueue([Sample.task(task, platform: platform)])
        #expect(try worker.pull("platforms=\(platform)").map(\.id) == [task])
        try expectInvalid(worker, "/internal/tasks/\(task)/\(call)", body, field: field)
        #expect(try QueueView(live).isLeased(task))
        #expect(try worker.complete(task)["success"] as? Bool == true)
    }
}
