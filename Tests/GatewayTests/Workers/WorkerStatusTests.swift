// A heartbeat's body: what is one, and what is said of what is none.

import Reactor
import Testing

@testable import Gateway

@Suite struct WorkerStatusTests {
    private static let members = [
        "\"active_tasks\":4", "\"completed_last_minute\":12", "\"failed_last_minute\":1",
        "\"platforms\":[\"beacon\",\"qpublic\"]",
        "\"cpu_percent\":137.5", "\"memory_percent\":61",
    ]
    private static let whole = "{\(members.joined(separator: ","))}"

    private func message(_ text: String) -> String? {
        do throws(JSONFailure) {
            _ = try WorkerStatus.decode(Array(text.utf8).span.bytes)
            return nil
        } catch {
            return "\(error.status) \(error.message)"
        }
    }

    @Test func `a whole heartbeat is read`() throws {
        let text =
            "  " + Self.whole.dropLast() + ", \"task_ids\": [\"t-1\", \"t\\u002d2\"], \"version\": {\"x\": [1]}} \n"
        let bytes = Array(text.utf8)
        let body = bytes.span.bytes
        let status = try WorkerStatus.decode(body)
        #expect(status.activeTasks == 4)
        #expect(status.completedLastMinute == 12)
        #expect(status.failedLastMinute == 1)
        #expect(status.cpuPercent == 137.5)
        #expect(status.memoryPercent == 61)
        #expect(body.slice(status.platforms).string == "[\"beacon\",\"qpublic\"]")
        #expect(body.slice(status.document).string == text.dropFirst(2).dropLast(2))
        let range = try #require(status.taskIDs)
        var ids = JSONStrings(body, range)
        var found: [String] = []
        while let id = ids.next() {
            var text = ByteBuffer()
            text.append(id, from: body)
            found.append(text.bytes.string)
        }
        #expect(found == ["t-1", "t-2"])
    }

    @Test func `task ids may be absent, null or empty`() throws {
        func taskIDs(_ member: String) throws -> ByteRange? {
            try WorkerStatus.decode(Array("\(Self.whole.dropLast())\(member)}".utf8).span.bytes).taskIDs
        }
        #expect(try taskIDs("") == nil)
        #expect(try taskIDs(",\"task_ids\":null") == nil)
        #expect(try taskIDs(",\"task_ids\":[]") != nil)
    }

    @Test func `each member is required and named where it is missing or null`() {
        #expect(message(Self.whole) == nil)
        #expect(message("{}") == "422 active_tasks: is required")
        for (index, member) in Self.members.enumerated() {
            let name = member.split(separator: "\"")[0]
            var others = Self.members
            others.remove(at: index)
            #expect(message("{\(others.joined(separator: ","))}") == "422 \(name): is required")
            others.append("\"\(name)\":null")
            #expect(message("{\(others.joined(separator: ","))}")?.hasPrefix("422 \(name): expected") == true)
        }
    }

    @Test(arguments: [
        ("\"active_tasks\":-1", "422 active_tasks: expected an integer of 0 or more"),
        ("\"active_tasks\":1.5", "422 active_tasks: expected an integer of 0 or more"),
        ("\"active_tasks\":\"1\"", "422 active_tasks: expected an integer of 0 or more"),
        ("\"active_tasks\":99999999999999999999", "422 active_tasks: expected an integer of 0 or more"),
        ("\"active_tasks\":true", "422 active_tasks: expected an integer of 0 or more"),
        ("\"completed_last_minute\":[]", "422 completed_last_minute: expected an integer of 0 or more"),
        ("\"platforms\":\"beacon\"", "422 platforms: expected an array"),
        ("\"platforms\":[\"a\",1]", "422 platforms[1]: expected a string"),
        ("\"cpu_percent\":\"5\"", "422 cpu_percent: expected a number"),
        ("\"cpu_percent\":1e999", "422 cpu_percent: expected a smaller number"),
        ("\"memory_percent\":{}", "422 memory_percent: expected a number"),
        ("\"task_ids\":{}", "422 task_ids: expected an array"),
        ("\"task_ids\":[null]", "422 task_ids[0]: expected a string"),
        ("\"cpu_percent\":NaN", "400 byte 155: NaN is not JSON (Python: json.dumps(..., allow_nan=False))"),
    ])
    func `the last of equal names counts, and is refused by its name`(member: String, expected: String) {
        #expect(message("\(Self.whole.dropLast()),\(member)}") == expected)
        // The same member before the right one does no harm, unless it is no JSON or the right one is not there.
        if !member.contains("NaN"), !member.contains("task_ids") {
            #expect(message("{\(member),\(Self.whole.dropFirst())") == nil)
        }
    }

    @Test(arguments: ["[]", "1", "null", "\"x\""])
    func `what is no object is no heartbeat`(text: String) {
        #expect(message(text) == "422 expected an object")
    }

    @Test(arguments: ["", "{", "{\"active_tasks\":\"x\"", "{\"active_tasks\":\"x\"} {}", "{\"active_tasks\":null,}"])
    func `what is no JSON is a 400 even where the schema fails before`(text: String) {
        #expect(message(text)?.hasPrefix("400 byte ") == true)
    }

    @Test func `there are at most 32 platforms`() {
        func platforms(_ count: Int) -> String {
            let list = (0..<count).map { "\"p\($0)\"" }.joined(separator: ",")
            return Self.whole.replacing("[\"beacon\",\"qpublic\"]", with: "[\(list)]")
        }
        #expect(message(platforms(0)) == nil)
        #expect(message(platforms(WorkerStatus.platformsMax)) == nil)
        #expect(message(platforms(WorkerStatus.platformsMax + 1)) == "422 platforms: expected at most 32 platforms")
    }

    @Test func `no prefix of a heartbeat is one`() {
        for count in 0..<Self.whole.utf8.count {
            #expect(message(String(Self.whole.prefix(count)))?.hasPrefix("400") == true)
        }
    }
}
