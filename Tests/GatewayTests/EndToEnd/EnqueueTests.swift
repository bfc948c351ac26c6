// `POST /internal/tasks`: arrays and lines of any size, each task once, a bad one rejected alone. Source: api.md section 2.

import TestSupport
import Testing

@Suite struct EnqueueTests {
    private struct Answer: Equatable {
        var accepted: Int
        var duplicates: Int
        var rejected: Int
    }

    private func enqueue(
        _ live: Live, _ body: String, kind: String = "parcel", type: String? = nil
    ) throws -> (Answer, errors: [[String: Any]]) {
        let more = type.map { [("Content-Type", $0)] } ?? []
        let response = try RawHTTP.exchange(
            port: live.port, "POST", "/internal/\(kind)/tasks", headers: WorkerClient.opsHeaders + more, body: body,
            timeoutSeconds: 60)
        let object = try WorkerClient.success(response)
        let answer = Answer(
            accepted: try #require(object["accepted"] as? Int), duplicates: try #require(object["duplicates"] as? Int),
            rejected: try #require(object["rejected"] as? Int))
        return (answer, try #require(object["errors"] as? [[String: Any]]))
    }

    private static let lines = "application/x-ndjson"

    @Test func `a task is taken in once while it is known, and again when it is done`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let platform = Fresh.name("platform")
        let names = [Fresh.name("a"), Fresh.name("b")]
        let tasks = names.map { Sample.task($0, platform: platform) }
        #expect(try enqueue(live, "[\(tasks[0])]").0 == Answer(accepted: 1, duplicates: 0, rejected: 0))
        #expect(
            try enqueue(live, "[\(tasks[0]),\(tasks[1]),\(tasks[1])]").0
                == Answer(accepted: 1, duplicates: 2, rejected: 0))
        #expect(
            try enqueue(live, tasks.joined(separator: "\n"), type: Self.lines).0
                == Answer(accepted: 0, duplicates: 2, rejected: 0))
        #expect(try worker.pull("platforms=\(platform)").map(\.id) == names)
        #expect(try enqueue(live, "[\(tasks[0])]").0 == Answer(accepted: 0, duplicates: 1, rejected: 0))
        _ = try worker.complete(names[0])
        #expect(try enqueue(live, "[\(tasks[0])]").0 == Answer(accepted: 1, duplicates: 0, rejected: 0))
        // The other kind has queues of its own.
        #expect(try enqueue(live, "[\(tasks[0])]", kind: "party").0 == Answer(accepted: 1, duplicates: 0, rejected: 0))
    }

    @Test func `a task is delivered as it was given, with its defaults`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let platform = Fresh.name("platform")
        let target = "{\"parcel_id\":\"1615514\",\"n\":12345678901234567890.10,\"x\":{ \"ü\" : [null] }}"
        let (first, second) = (Fresh.name("first"), Fresh.name("second"))
        let full = Sample.task(
            first, platform: platform,
            [
                "type": "\"rescrape\"", "priority": "2", "tier": "4", "target": target,
                "created_at": "\"2026-02-04T10:00:00Z\"", "unknown": "[1]",
            ])
        _ = try enqueue(live, "[\(full),\(Sample.task(second, platform: platform))]")
        let text = try worker.send("GET", "/internal/work?platforms=\(platform)").bodyText
        #expect(text.contains("\"target\":\(target)"))
        let tasks = try #require(
            try worker.call("GET", "/internal/work?platforms=\(platform)")["tasks"] as? [[String: Any]])
        #expect(tasks.isEmpty)
        #expect(text.contains("\"type\":\"rescrape\"") && text.contains("\"created_at\":\"2026-02-04T10:00:00Z\""))
        #expect(text.contains("\"priority\":2,\"tier\":4") && text.contains("\"priority\":3,\"tier\":1"))
        #expect(text.contains("\"type\":\"scrape\"") && text.contains("\"lease_seconds\":300"))
        #expect(text.contains("\"retry_after\":0"))
    }

    private static let badTasks: [(members: [String: String?], field: String)] = [
        (["task_id": nil], "task_id"), (["task_id": "\"\""], "task_id"), (["task_id": "7"], "task_id"),
        (["task_id": "\"\(String(repeating: "t", count: 129))\""], "task_id"), (["task_id": "\"a\\nb\""], "task_id"),
        (["platform": nil], "platform"), (["platform": "\"a b\""], "platform"),
        (["platform": "\"a\\\"b\""], "platform"),
        (["target": nil], "target"), (["target": "[]"], "target"), (["target": "{\"a\":\"\\u0000\"}"], "target"),
        (["priority": "0"], "priority"), (["priority": "5"], "priority"), (["priority": "\"1\""], "priority"),
        (["tier": "0"], "tier"), (["tier": "9"], "tier"), (["type": "1"], "type"),
        (["created_at": "\"never\""], "created_at"),
    ]

    @Test func `a bad task is rejected alone, with its index or its line, field and reason`() throws {
        let live = try Live.shared
        var items: [String] = []
        for (members, _) in Self.badTasks {
            items.append(Sample.task(Fresh.name("good")))
            items.append(Sample.task(Fresh.name("bad"), members))
        }
        let count = Self.badTasks.count
        for isLines in [false, true] {
            let body = isLines ? items.joined(separator: "\n") : "[\(items.joined(separator: ","))]"
            let (answer, errors) = try enqueue(live, body, type: isLines ? Self.lines : nil)
            #expect(answer.rejected == count)
            #expect(answer.accepted + answer.duplicates == count)
            #expect(errors.count == count)
            for (number, error) in errors.enumerated() {
                #expect(error["field"] as? String == Self.badTasks[number].field)
                #expect(error[isLines ? "line" : "index"] as? Int == (isLines ? 2 * number + 2 : 2 * number + 1))
                #expect(error["code"] as? String == "VALIDATION_ERROR")
                #expect((error["message"] as? String)?.isEmpty == false)
            }
        }
    }

    @Test func `lines may be blank, end in CRLF or not at all, and one that is no JSON is rejected alone`() throws {
        let live = try Live.shared
        let good = (0..<3).map { _ in Sample.task(Fresh.name("line")) }
        let body = "\n\(good[0])\r\n\nnonsense\n{\"task_id\":NaN}\n[]\n\(good[1])\n\(good[2])"
        let (answer, errors) = try enqueue(live, body, type: Self.lines)
        #expect(answer == Answer(accepted: 3, duplicates: 0, rejected: 3))
        #expect(errors.compactMap { $0["line"] as? Int } == [4, 5, 6])
        #expect(
            errors.compactMap { $0["code"] as? String } == ["INVALID_REQUEST", "INVALID_REQUEST", "VALIDATION_ERROR"])
    }

    @Test func `at most a hundred errors are told, all are counted`() throws {
        let (answer, errors) = try enqueue(
            Live.shared, "[\(Array(repeating: "{}", count: 250).joined(separator: ","))]")
        #expect(answer == Answer(accepted: 0, duplicates: 0, rejected: 250))
        #expect(errors.count == 100)
    }

    @Test func `an array that is broken is a 400 with the byte`() throws {
        let live = try Live.shared
        let item = Sample.task(Fresh.name("item"))
        for (body, offset) in [("[\(item) x", item.utf8.count + 2), ("[\(item)", item.utf8.count + 1)] {
            let response = try live.gateway.exchange(
                "POST", "/internal/tasks", headers: WorkerClient.opsHeaders, body: body)
            try expectProblem(response, 400, "INVALID_REQUEST", ProblemDetails(offset: offset))
        }
    }

    @Test func `nothing is an empty answer`() throws {
        for body in ["", "[]", " [ ] ", "\n\n"] {
            #expect(try enqueue(Live.shared, body).0 == Answer(accepted: 0, duplicates: 0, rejected: 0))
        }
    }

    private static let streamedCount = 50_000

    @Test(arguments: [true, false])
    func `tasks beyond the body limit stream in, and all are queued`(isLines: Bool) throws {
        let live = try Live(["GATEWAY_BODY_BYTES_MAX": "10000"])
        let http = try RawHTTP(port: live.port, timeoutSeconds: 120)
        let type = [("Content-Type", isLines ? Self.lines : "application/json")]
        try http.send(
            RawHTTP.request(
                "POST", "/internal/tasks",
                headers: WorkerClient.opsHeaders + type + [("Transfer-Encoding", "chunked")]))
        let perChunk = 1000
        var sent = 0
        for first in stride(from: 0, to: Self.streamedCount, by: perChunk) {
            var chunk = ""
            for number in first..<first + perChunk {
                let start = isLines ? "" : number == 0 ? "[" : ","
                chunk += start + Sample.task("s-\(number)", platform: "p\(number % 5)") + (isLines ? "\n" : "")
            }
            if !isLines, first + perChunk == Self.streamedCount { chunk += "]" }
            sent += chunk.utf8.count
            try http.send("\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n")
        }
        try http.send("0\r\n\r\n")
        let answer = try WorkerClient.success(http.readResponse())
        #expect(sent > 3_000_000)
        #expect(answer["accepted"] as? Int == Self.streamedCount)
        #expect(answer["duplicates"] as? Int == 0)
        #expect(try QueueView(live).tasks == Self.streamedCount)
        try http.expectKept()
    }

    @Test func `a client that leaves in the middle costs nothing but its own request`() throws {
        let live = try Live.shared
        let task = Fresh.name("whole")
        let http = try RawHTTP(port: live.port)
        let headers = WorkerClient.opsHeaders + [("Content-Length", "1000000"), ("Content-Type", Self.lines)]
        try http.send(RawHTTP.request("POST", "/internal/tasks", headers: headers))
        try http.send(Sample.task(task) + "\n{\"task_id\":\"half")
        http.close()
        #expect(try enqueue(live, "[\(Sample.task(task))]").0.rejected == 0)
        #expect(try QueueView(live).isKnown(task))
    }

    @Test(arguments: [true, false])
    func `a stream that is refused in its beginning does not hold its connection for ever`(isChunked: Bool) throws {
        let live = try Live.shared
        let http = try RawHTTP(port: live.port, timeoutSeconds: 30)
        // Broken in its first bytes, and more than the gateway would keep or drop.
        let start = "[1 2]"
        let rest = String(repeating: " ", count: 400_000)
        let framing = isChunked ? ("Transfer-Encoding", "chunked") : ("Content-Length", "\(5 + 5 * 400_000)")
        try http.send(RawHTTP.request("POST", "/internal/tasks", headers: WorkerClient.opsHeaders + [framing]))
        try http.send(isChunked ? "5\r\n\(start)\r\n" : start)
        for _ in 0..<5 {
            // `try?`: the gateway may close while we are still sending.
            try? http.send(isChunked ? "61a80\r\n\(rest)\r\n" : rest)
        }
        let response = try http.readResponse()
        try expectProblem(response, 400, "INVALID_REQUEST", ProblemDetails(offset: 3))
        #expect(response.header("Connection") == "close")
        try http.expectClosed()
    }
}
