// A results body: all or nothing for its shape, item by item for what storage cannot take.

import Reactor
import Testing

@testable import Gateway

@Suite struct ParcelResultTests {
    private static let required = [
        "task_id": "\"t-1\"", "parcel_id": "\"1615514\"", "platform": "\"beacon\"", "state": "\"CO\"",
        "county": "\"Larimer\"",
        "data": "{\"owner\": \"A\\u00e9\", \"tax\": 1234567890123456789012345678901234567890.10}",
        "parse_duration_ms": "123",
    ]

    /// A whole item, with members changed, added, or (nil) left out.
    private func item(_ changes: [String: String?] = [:]) -> String {
        var members = Self.required
        for (name, value) in changes { members[name] = value }
        return "{" + members.map { "\"\($0)\": \($1)" }.sorted().joined(separator: ", ") + "}"
    }

    private func decode(_ text: String, key: ResultKey = .parcel) -> (results: [ParcelResult], message: String?) {
        var results: [ParcelResult] = []
        do throws(JSONFailure) {
            try ParcelResult.decode(Array(text.utf8).span.bytes, key: key, into: &results)
            return (results, nil)
        } catch {
            return (results, "\(error.status) \(error.message)")
        }
    }

    @Test func `a whole item is read, data byte for byte`() throws {
        let text = "[\(item(["scraped_at": "\"2026-02-04T10:00:00Z\"", "raw_html_hash": "\"abc\"", "attempt": "2"]))]"
        let bytes = Array(text.utf8)
        let body = bytes.span.bytes
        var results: [ParcelResult] = []
        try ParcelResult.decode(body, key: .parcel, into: &results)
        let result = try #require(results.first)
        #expect(results.count == 1)
        #expect(body.slice(result.taskID.range).string == "t-1")
        #expect(body.slice(result.recordID.range).string == "1615514")
        #expect(body.slice(result.platform.range).string == "beacon")
        #expect(body.slice(result.state.range).string == "CO")
        #expect(body.slice(result.county.range).string == "Larimer")
        #expect(body.slice(result.data).string == Self.required["data"])
        #expect(result.scrapedAt == Timestamp(microsSinceEpoch: 1_770_199_200_000_000))
        #expect(result.parseDurationMs == 123)
        let hash = try #require(result.rawHTMLHash)
        #expect(body.slice(hash.range).string == "abc")
        #expect(result.attempt == 2)
        #expect(result.problem == nil)
    }

    @Test func `optional members may be absent or null`() throws {
        for changes in [[:], ["scraped_at": "null", "raw_html_hash": "null", "attempt": "null"]] as [[String: String?]]
        {
            let result = try #require(decode("[\(item(changes))]").results.first)
            #expect(result.scrapedAt == nil && result.rawHTMLHash == nil && result.attempt == nil)
        }
    }

    @Test func `an array and an object with results are the same`() {
        let three = [item(), item(["task_id": "\"t-2\""]), item()].joined(separator: ",\n")
        #expect(decode("[\(three)]").results.count == 3)
        #expect(decode(" {\"x\": 1, \"results\": [\(three)], \"y\": []} ").results.count == 3)
        #expect(decode("{\"results\":[\(three)],\"result\\u0073\":[\(item())]}").results.count == 1)
        #expect(decode("{\"results\": [\(item()), {}]}").message == "422 results[1].task_id: is required")
    }

    @Test func `a party is known by its own id`() throws {
        let party = item(["parcel_id": nil, "party_id": "\"p-9\""])
        #expect(try #require(decode("[\(party)]", key: .party).results.first).problem == nil)
        #expect(decode("[\(party)]").message == "422 results[0].parcel_id: is required")
        #expect(decode("[\(item())]", key: .party).message == "422 results[0].party_id: is required")
    }

    @Test func `each required member is named where it is missing, null or of another type`() {
        for name in Self.required.keys {
            let without: [String: String?] = [name: nil]
            #expect(decode("[\(item()),\(item(without))]").message == "422 results[1].\(name): is required")
            for wrong in ["null", "[]", "true"] {
                let answer = decode("[\(item()),\(item()),\(item([name: wrong]))]")
                #expect(answer.message?.hasPrefix("422 results[2].\(name): expected ") == true)
                #expect(answer.results.isEmpty)
            }
        }
    }

    @Test(arguments: [
        ("task_id", "\"\"", "expected a string that is not empty"),
        ("county", "\"\"", "expected a string that is not empty"),
        ("state", "1", "expected a string"), ("data", "\"{}\"", "expected an object"),
        ("parse_duration_ms", "-1", "expected a number from 0 to 2147483647"),
        ("parse_duration_ms", "1e10", "expected a number from 0 to 2147483647"),
        ("parse_duration_ms", "\"5\"", "expected a number from 0 to 2147483647"),
        ("scraped_at", "\"yesterday\"", "expected an RFC 3339 time"), ("scraped_at", "1770199200", "expected a string"),
        ("raw_html_hash", "7", "expected a string"), ("attempt", "1.5", "expected an integer from 0 to 2147483647"),
        ("attempt", "\"1\"", "expected an integer from 0 to 2147483647"),
    ])
    func `a member outside its bounds refuses the request by index and name`(name: String, value: String, rule: String)
    {
        #expect(decode("[\(item([name: value]))]").message == "422 results[0].\(name): \(rule)")
    }

    @Test(arguments: [("0", 0), ("12.4", 12), ("12.5", 13), ("1.5e3", 1500), ("2147483647", 2_147_483_647)])
    func `the parse duration may be any number and is rounded`(text: String, expected: Int) throws {
        #expect(
            try #require(decode("[\(item(["parse_duration_ms": text]))]").results.first).parseDurationMs == expected)
    }

    @Test func `there are 1 to 1000 items`() {
        func body(_ count: Int) -> String { "[" + Array(repeating: item(), count: count).joined(separator: ",") + "]" }
        #expect(decode(body(0)).message == "422 results: expected 1 to 1000 items")
        #expect(decode(body(1000)).results.count == 1000)
        #expect(decode(body(1001)).message == "422 results: expected 1 to 1000 items")
    }

    @Test(arguments: [
        ("1", "422 results: expected an array"), ("{}", "422 results: is required"),
        ("{\"results\":{}}", "422 results: expected an array"),
        ("{\"results\":[]}", "422 results: expected 1 to 1000 items"),
        ("[1]", "422 results[0]: expected an object"), ("[{}]", "422 results[0].task_id: is required"),
        ("[{}] x", "400 byte 5: bytes after the end of the JSON value"),
        ("[{\"task_id\":1},NaN]", "400 byte 15: NaN is not JSON (Python: json.dumps(..., allow_nan=False))"),
        ("", "400 byte 0: the document ends too early"),
    ])
    func `a body of another shape is refused whole, and no JSON first`(text: String, message: String) {
        #expect(decode(text).message == message)
    }

    @Test(arguments: [
        ("data", "{\"a\":\"\\u0000\"}", "NUL_CHARACTER"), ("data", "{\"\\ud800\":1}", "LONE_SURROGATE"),
        ("data", "{\"a\":1e200000}", "NUMBER_TOO_LARGE"), ("county", "\"a\\u0000\"", "NUL_CHARACTER"),
        ("state", "\"\\udc00\"", "LONE_SURROGATE"), ("raw_html_hash", "\"\\u0000\"", "NUL_CHARACTER"),
        ("task_id", "\"\(String(repeating: "x", count: 129))\"", "TOO_LONG"),
        ("parcel_id", "\"\(String(repeating: "x", count: 129))\"", "TOO_LONG"),
        ("platform", "\"\(String(repeating: "x", count: 65))\"", "TOO_LONG"),
        ("state", "\"\(String(repeating: "é", count: 33))\"", "TOO_LONG"),
        ("county", "\"\(String(repeating: "x", count: 129))\"", "TOO_LONG"),
    ])
    func `what storage cannot take fails its item alone`(name: String, value: String, code: String) throws {
        let answer = decode("[\(item()),\(item([name: value])),\(item())]")
        #expect(answer.results.count == 3)
        #expect(answer.results[0].problem == nil && answer.results[2].problem == nil)
        let problem = try #require(answer.results[1].problem)
        #expect(problem.code.description == code)
        var message = ByteBuffer()
        problem.appendMessage(to: &message)
        #expect(message.bytes.string.hasPrefix("\(name): "))
    }

    @Test func `a name is measured as the text it means`() throws {
        let escaped = String(repeating: "\\u0041", count: 64)
        #expect(try #require(decode("[\(item(["platform": "\"\(escaped)\""]))]").results.first).problem == nil)
        let longer = try #require(decode("[\(item(["platform": "\"\(escaped)B\""]))]").results.first)
        #expect(longer.problem?.code.description == "TOO_LONG")
    }

    @Test func `data nested to 128 is taken and to 129 fails alone`() throws {
        func nested(_ depth: Int) -> String {
            "{\"a\":" + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
        }
        #expect(try #require(decode("[\(item(["data": nested(128)]))]").results.first).problem == nil)
        let deeper = try #require(decode("[\(item(["data": nested(129)]))]").results.first)
        #expect(deeper.problem?.code.description == "NESTING_TOO_DEEP")
    }

    @Test func `what an ignored or overwritten member holds harms nobody`() throws {
        let ignored = item(["extra": "\"\\u0000\""])
        let overwritten = "{\"county\":\"\\u0000\",\"data\":\"\\ud800\"," + item().dropFirst()
        for text in [ignored, overwritten] {
            #expect(try #require(decode("[\(text)]").results.first).problem == nil)
        }
    }

    @Test func `the list keeps its storage from request to request`() throws {
        var results: [ParcelResult] = []
        let body = Array("[\(Array(repeating: item(), count: 50).joined(separator: ","))]".utf8)
        try ParcelResult.decode(body.span.bytes, key: .parcel, into: &results)
        let capacity = results.capacity
        try ParcelResult.decode(Array("[\(item())]".utf8).span.bytes, key: .parcel, into: &results)
        #expect(results.count == 1 && results.capacity == capacity)
    }

    @Test func `no prefix of a body is one`() {
        let text = "{\"results\":[\(item())]}"
        for count in 0..<text.utf8.count {
            #expect(decode(String(text.prefix(count))).message?.hasPrefix("400") == true)
        }
    }
}
