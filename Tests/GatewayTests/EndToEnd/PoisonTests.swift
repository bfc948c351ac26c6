// An item that storage cannot take fails alone: in its request, and in the group commit it shares with other requests.
// Source: api.md sections 2 and 5.1.

import TestSupport
import Testing

@Suite struct PoisonTests {
    /// Storage refuses it. `refused` breaks a rule that only PostgreSQL knows (see Live.shared).
    private static let poisons: [(data: String, members: [String: String?], code: String)] = [
        ("{\"a\":\"\\u0000\"}", [:], "NUL_CHARACTER"),
        ("{\"\\u0000\":1}", [:], "NUL_CHARACTER"),
        ("{\"a\":\"\\ud800\"}", [:], "LONE_SURROGATE"),
        ("{\"a\":[\"\\udc00x\"]}", [:], "LONE_SURROGATE"),
        (
            "{\"deep\":" + String(repeating: "[", count: 128) + String(repeating: "]", count: 128) + "}", [:],
            "NESTING_TOO_DEEP"
        ),
        ("{\"n\":1e1000000}", [:], "NUMBER_TOO_LARGE"),
        ("{}", ["county": "\"\(String(repeating: "c", count: 129))\""], "TOO_LONG"),
        ("{}", ["state": "\"\(String(repeating: "ä", count: 33))\""], "TOO_LONG"),
        ("{}", ["platform": "\"a\\u0000b\""], "NUL_CHARACTER"),
        ("{\"refused\":true}", [:], "STORAGE_REFUSED"),
    ]

    private func isStored(_ live: Live, _ parcel: String) throws -> Bool {
        try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id = '\(parcel)'") == 1
    }

    @Test(arguments: 0..<poisons.count)
    func `a poisonous item fails alone in its request and is named`(which: Int) throws {
        let live = try Live.shared
        let worker = try live.worker()
        let (data, members, code) = Self.poisons[which]
        let (bad, before, after) = (Fresh.name("bad"), Fresh.name("before"), Fresh.name("after"))
        let answer = try worker.submit([
            Sample.result(before), Sample.result(bad, data: data, members), Sample.result(after),
        ])
        let failure = ResultsAnswer.Failure(index: 1, taskID: "t-\(bad)", code: code)
        #expect(answer == ResultsAnswer(inserted: 2, failed: [failure]))
        #expect(try isStored(live, before))
        #expect(try isStored(live, after))
        #expect(try !isStored(live, bad))
    }

    @Test func `a poisonous item fails alone in a group commit with other requests`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let prefix = Fresh.name("group")
        // Pipelined on one connection: all are read in one turn, and gather while the first is being committed.
        var bytes: [UInt8] = []
        let count = 60
        for number in 0..<count {
            let poison = number % 6 == 5 ? Self.poisons[number / 6 % Self.poisons.count] : nil
            let item = Sample.result(
                "\(prefix)-\(number)", data: poison?.data ?? "{\"n\":\(number)}", poison?.members ?? [:])
            bytes += RawHTTP.request("POST", "/internal/results", headers: worker.headers, body: "[\(item)]")
        }
        try worker.http.send(bytes)
        for number in 0..<count {
            let answer = try ResultsAnswer(WorkerClient.success(worker.http.readResponse()))
            if number % 6 == 5 {
                let code = Self.poisons[number / 6 % Self.poisons.count].code
                let failure = ResultsAnswer.Failure(index: 0, taskID: "t-\(prefix)-\(number)", code: code)
                #expect(answer == ResultsAnswer(failed: [failure]))
            } else {
                #expect(answer == ResultsAnswer(inserted: 1), "\(number)")
            }
        }
        let rows = try live.database.run(
            "SELECT count(*), max(batch_ordinal) FROM parcel_results WHERE parcel_id LIKE '\(prefix)-%'")
        #expect(rows[0][0] == "50")
        // They did share statements: some row was not the first of its own.
        #expect(try #require(rows[0][1].flatMap { Int($0) }) > 1)
    }

    @Test func `what a refused newer item would have replaced is stored itself`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let parcel = Fresh.name("superseded")
        func item(_ minute: Int, _ data: String) -> String {
            Sample.result(parcel, data: data, ["scraped_at": "\"2026-02-04T10:0\(minute):00Z\""])
        }
        let answer = try worker.submit([
            item(1, "{\"n\":1}"), item(3, "{\"refused\":1}"), item(2, "{\"n\":2}"), item(4, "{\"refused\":2}"),
        ])
        #expect(answer.failures.map(\.index).sorted() == [1, 3])
        #expect(answer.inserted + answer.updated + answer.stale == 2)
        let stored = try live.database.value("SELECT data->>'n' FROM parcel_results WHERE parcel_id = '\(parcel)'")
        #expect(stored == "2")
    }

    @Test func `every failed item is named, the first ten as messages`() throws {
        let live = try Live.shared
        let prefix = Fresh.name("all")
        let items = (0..<15).map { number in
            Sample.result("\(prefix)-\(number)", data: number % 2 == 0 ? "{\"a\":\"\\u0000\"}" : "{\"refused\":1}")
        }
        let answer = try live.worker().submit(items)
        #expect(answer.failed == 15)
        #expect(answer.failures.map(\.index).sorted() == Array(0..<15))
        #expect(answer.errorCount == 10)
    }

    @Test func `a failed item does not complete its task, the others complete theirs`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let platform = Fresh.name("platform")
        let names = ["a", "b", "c"].map { Fresh.name($0) }
        _ = try worker.enqueue(names.map { Sample.task("t-\($0)", platform: platform) })
        #expect(try worker.pull("platforms=\(platform)").count == 3)
        let data = ["{}", "{\"refused\":1}", "{\"a\":\"\\u0000\"}"]
        let items = zip(names, data).map { Sample.result($0, data: $1) }
        #expect(try worker.submit(items).failed == 2)
        let queue = try QueueView(live)
        #expect(try names.map { try queue.isLeased("t-\($0)") } == [false, true, true])
    }
}
