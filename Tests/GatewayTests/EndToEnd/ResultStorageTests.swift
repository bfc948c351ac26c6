// What an acknowledged result is in PostgreSQL: as it was sent, the newest of its key. Source: api.md sections 2 and 5.

import Foundation
import TestSupport
import Testing

@Suite struct ResultStorageTests {
    /// The stored columns of a parcel, as text.
    private func row(_ live: Live, _ parcel: String, _ columns: String) throws -> [String?] {
        let rows = try live.database.run(
            "SELECT \(columns) FROM parcel_results WHERE parcel_id = $id$\(parcel)$id$")
        guard rows.count == 1 else { throw TestFailure("\(rows.count) rows of \(parcel)") }
        return rows[0]
    }

    private static let documents: [String] = [
        "{}",
        "{\"n\":123456789012345678901234567890123456789012345678901234567890.123456789012345678901234567890}",
        "{\"n\":0.\(String(repeating: "0", count: 300))1,\"m\":-0.0,\"big\":\(String(repeating: "9", count: 1500))}",
        "{\"trailing\":1.10,\"zeros\":100.000,\"int\":9007199254740993,\"max\":18446744073709551616}",
        "{\"text\":\"Zoë 東京 🏠 \\\"quoted\\\" back\\\\slash \\/ \\b\\f\\n\\r\\t\",\"\":\"no name\",\"ключ\":\"значение\"}",
        "{\"escaped\":\"\\u00e9\\ud83c\\udfe0\",\"separators\":\"\u{2028}\u{2029}\",\"del\":\"\u{7f}\"}",
        "{\"nested\":{\"a\":[1,[2,[3,{\"b\":null}]],true,false]},\"empty\":[[],{},\"\"]}",
        "{ \"spaced\" : [ 1 , 2 ] ,\r\n\t\"more\" : { } }",
    ]

    @Test(arguments: documents)
    func `data is stored as it was sent`(document: String) throws {
        let live = try Live.shared
        let parcel = Fresh.name("data")
        #expect(try live.worker().submit([Sample.result(parcel, data: document)]) == ResultsAnswer(inserted: 1))
        // jsonb keeps every digit; equality of jsonb ignores nothing but spaces and the order of members.
        let same = try row(
            live, parcel, "data = $doc$\(document)$doc$::jsonb, data::text = ($doc$\(document)$doc$::jsonb)::text")
        #expect(same == ["t", "t"])
    }

    @Test func `digits of numbers are kept, trailing zeros too`() throws {
        let live = try Live.shared
        let parcel = Fresh.name("digits")
        let number = "1234567890123456789012345678901234567890.1234567890123456789012345678901234567890"
        let data = "{\"n\":\(number),\"money\":135.00,\"exponent\":1.5e3}"
        _ = try live.worker().submit([Sample.result(parcel, data: data)])
        #expect(
            try row(live, parcel, "data->>'n', data->>'money', data->>'exponent'") == [number, "135.00", "1500"])
    }

    @Test func `95 fields and 128 levels are nothing unusual`() throws {
        let live = try Live.shared
        let parcel = Fresh.name("wide")
        let fields = (0..<95).map { "\"field_\($0)\":\"\(String(repeating: "v", count: $0))\"" }.joined(separator: ",")
        // The object itself is the first level.
        let deep = String(repeating: "[", count: 127) + String(repeating: "]", count: 127)
        let data = "{\(fields),\"deep\":\(deep)}"
        #expect(try live.worker().submit([Sample.result(parcel, data: data)]) == ResultsAnswer(inserted: 1))
        let stored = try row(
            live, parcel, "(SELECT count(*) FROM jsonb_object_keys(data)), data = $doc$\(data)$doc$::jsonb")
        #expect(stored == ["96", "t"])
    }

    @Test func `names of the key are text, whatever they contain`() throws {
        let live = try Live.shared
        let parcel = Fresh.name("name")
        let names = [
            "plain", " spaces ", "Zoë 東京 🏠", "quote'\"", "back\\slash", "{braces},NULL", "line\nbreak\ttab",
            "\u{1}\u{1f}", String(repeating: "ä", count: 64),
        ]
        let worker = try live.worker()
        for (index, name) in names.enumerated() {
            let json = try #require(String(data: JSONEncoder().encode(name), encoding: .utf8))
            let item = Sample.result(parcel, ["county": json, "task_id": json, "raw_html_hash": json])
            #expect(try worker.submit([item]) == ResultsAnswer(inserted: 1), "\(name)")
            let hex = name.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            let found = try live.database.count(
                """
                SELECT count(*) FROM parcel_results WHERE parcel_id = '\(parcel)'
                AND county = convert_from('\\x\(hex)', 'UTF8') AND task_id = county AND raw_html_hash = county
                """)
            #expect(found == 1, "\(index): \(name)")
        }
        #expect(
            try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id = '\(parcel)'") == names.count)
    }

    @Test func `all columns of a result are stored, with the worker that sent it`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let parcel = Fresh.name("columns")
        let item = Sample.result(
            parcel,
            [
                "platform": "\"qpublic\"", "state": "\"FL\"", "county": "\"Dixie\"", "parse_duration_ms": "41.6",
                "scraped_at": "\"2026-02-04T10:00:00.123456+02:00\"", "raw_html_hash": "\"abc\"", "attempt": "3",
            ])
        #expect(try worker.submit([item]) == ResultsAnswer(inserted: 1))
        let columns =
            "task_id, platform, state, county, parse_duration_ms, raw_html_hash, attempt, worker_id, "
            + "to_char(scraped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        #expect(
            try row(live, parcel, columns) == [
                "t-\(parcel)", "qpublic", "FL", "Dixie", "42", "abc", "3", worker.id, "2026-02-04 08:00:00.123456",
            ])
    }

    @Test func `a time without a zone is UTC, and without a time it is that of arrival`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let (zoneless, timeless) = (Fresh.name("zoneless"), Fresh.name("timeless"))
        _ = try worker.submit([
            Sample.result(zoneless, ["scraped_at": "\"2026-02-04T10:00:00\""]), Sample.result(timeless),
        ])
        #expect(try row(live, zoneless, "extract(epoch FROM scraped_at)::bigint") == ["1770199200"])
        let age = try #require(
            try row(live, timeless, "extract(epoch FROM now() - scraped_at)")[0].flatMap { Double($0) })
        #expect((-5...60).contains(age))
    }

    // MARK: Newest wins

    private func timed(_ parcel: String, _ seconds: Int, _ mark: Int) -> String {
        let time = String(format: "2026-02-04T10:%02d:%02dZ", seconds / 60, seconds % 60)
        return Sample.result(parcel, data: "{\"mark\":\(mark)}", ["scraped_at": "\"\(time)\""])
    }

    @Test func `a newer result replaces, an equal one too, an older one is stale`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let parcel = Fresh.name("newest")
        #expect(try worker.submit([timed(parcel, 10, 1)]) == ResultsAnswer(inserted: 1))
        #expect(try worker.submit([timed(parcel, 9, 2)]) == ResultsAnswer(stale: 1))
        #expect(try row(live, parcel, "data->>'mark'") == ["1"])
        #expect(try worker.submit([timed(parcel, 10, 3)]) == ResultsAnswer(updated: 1))
        #expect(try row(live, parcel, "data->>'mark'") == ["3"])
        #expect(try worker.submit([timed(parcel, 11, 4)]) == ResultsAnswer(updated: 1))
        #expect(try worker.submit([timed(parcel, 10, 5)]) == ResultsAnswer(stale: 1))
        #expect(try row(live, parcel, "data->>'mark'") == ["4"])
    }

    @Test func `one key many times in a request leaves the newest, of equals the last, and every item is answered`()
        throws
    {
        let live = try Live.shared
        let worker = try live.worker()
        let parcel = Fresh.name("many")
        var random = RandomSource(seed: 11)
        var newest = (seconds: -1, mark: 0)
        let items = (0..<200).map { mark in
            let seconds = random.int(in: 0...20)
            if seconds >= newest.seconds { newest = (seconds, mark) }
            return timed(parcel, seconds, mark)
        }
        let answer = try worker.submit(items)
        #expect(answer.inserted == 1)
        #expect(answer.inserted + answer.updated + answer.stale == 200)
        #expect(answer.failed == 0)
        #expect(try row(live, parcel, "data->>'mark'") == ["\(newest.mark)"])
    }

    @Test func `one key in concurrent requests leaves the newest, inserted once`() throws {
        let live = try Live.shared
        let parcel = Fresh.name("race")
        let answers = try concurrently(8) { thread in
            let worker = try live.worker()
            return try (0..<25).map { round in
                let second = round * 8 + thread
                return try worker.submit([timed(parcel, second, second), timed(parcel, second / 2, -1)])
            }
        }.flatMap { $0 }
        #expect(answers.reduce(0) { $0 + $1.inserted } == 1)
        #expect(answers.allSatisfy { $0.inserted + $0.updated + $0.stale == 2 && $0.failed == 0 })
        #expect(try row(live, parcel, "data->>'mark'") == ["199"])
    }

    @Test func `the four names together are the key`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let parcel = Fresh.name("key")
        let items = [
            Sample.result(parcel), Sample.result(parcel, ["platform": "\"other\""]),
            Sample.result(parcel, ["state": "\"FL\""]), Sample.result(parcel, ["county": "\"Dixie\""]),
        ]
        #expect(try worker.submit(items) == ResultsAnswer(inserted: 4))
        #expect(try worker.submit(items) == ResultsAnswer(updated: 4))
    }

    @Test func `the two kinds are stored apart`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let name = Fresh.name("kind")
        let party = Sample.result(name, ["parcel_id": nil, "party_id": "\"\(name)\""])
        #expect(try worker.submit([party], kind: "party") == ResultsAnswer(inserted: 1))
        #expect(try worker.submit([Sample.result(name)]) == ResultsAnswer(inserted: 1))
        #expect(try live.database.count("SELECT count(*) FROM party_results WHERE party_id = '\(name)'") == 1)
        #expect(try live.database.count("SELECT count(*) FROM parcel_results WHERE parcel_id = '\(name)'") == 1)
    }

    @Test func `a thousand results in one request, as an array or as an object`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let prefix = Fresh.name("thousand")
        let items = (0..<1000).map { Sample.result("\(prefix)-\($0)", data: "{\"n\":\($0)}") }
        #expect(try worker.submit(items) == ResultsAnswer(inserted: 1000))
        let object = "{\"extra\":1,\"results\":[\(items.joined(separator: ","))]}"
        let answer = try ResultsAnswer(worker.call("POST", "/internal/results", body: object))
        #expect(answer == ResultsAnswer(updated: 1000))
        let sum = try live.database.count(
            "SELECT sum((data->>'n')::int) FROM parcel_results WHERE parcel_id LIKE '\(prefix)-%'")
        #expect(sum == 499_500)
    }

    @Test func `a result that waits for a lock holds up no other`() throws {
        let postgresURL = try GatewayProcess.migratedDatabase()
        // One reactor has both sessions.
        let gateway = try GatewayProcess(postgresURL: postgresURL, environment: ["GATEWAY_REACTORS": "1"])
        try eventually("all is connected") { try gateway.exchange("GET", "/health/ready").status == 200 }
        let worker = try WorkerClient(port: gateway.port, id: "quick")
        #expect(try worker.submit([Sample.result("held")]) == ResultsAnswer(inserted: 1))
        let lock = try DatabaseLock(
            postgresURL, "SELECT FROM parcel_results WHERE parcel_id = 'held' FOR UPDATE")
        let held = try WorkerClient(port: gateway.port, id: "slow")
        try held.http.send(
            RawHTTP.request(
                "POST", "/internal/results", headers: held.headers, body: "[\(Sample.result("held"))]"))
        try eventually("the result waits") { try lock.waiters() == 1 }
        for number in 0..<20 {
            #expect(try worker.submit([Sample.result("free-\(number)")]) == ResultsAnswer(inserted: 1))
        }
        #expect(try lock.waiters() == 1)
        try lock.release()
        #expect(try held.http.readResponse().status == 200)
    }
}
