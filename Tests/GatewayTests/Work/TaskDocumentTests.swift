// A producer's task: its defaults, its bounds, and what is said of a bad one.

import Reactor
import Testing

@testable import Gateway

@Suite struct TaskDocumentTests {
    private func message(_ text: String) -> String? {
        do throws(JSONFailure) {
            _ = try TaskDocument.decode(Array(text.utf8).span.bytes)
            return nil
        } catch {
            return "\(error.status) \(error.message)"
        }
    }

    @Test func `the task of the contract is read`() throws {
        let text = """
             {"task_id": "t-1", "type": "refresh", "platform": "beacon", "priority": 2, "tier": 4,
             "target": {"parcel_id": "1615514", "url": "https://x"}, "attempt": 1, "created_at": "2026-02-04T10:00:00Z"}
            """
        let bytes = Array(text.utf8)
        let body = bytes.span.bytes
        let task = try TaskDocument.decode(body)
        let type = try #require(task.type)
        var names: [String] = []
        for name in [task.taskID, type, task.platform] { names.append(body.slice(name.range).string) }
        #expect(names == ["t-1", "refresh", "beacon"])
        #expect(task.priority == 2 && task.tier == 4)
        #expect(body.slice(task.target).string == "{\"parcel_id\": \"1615514\", \"url\": \"https://x\"}")
        #expect(task.createdAt == Timestamp(microsSinceEpoch: 1_770_199_200_000_000))
        #expect(body.slice(task.document).string == text.dropFirst())
    }

    @Test func `what may be left out has its default`() throws {
        let body = Array("{\"task_id\":\"t\",\"platform\":\"p\",\"target\":{},\"tier\":null}".utf8)
        let task = try TaskDocument.decode(body.span.bytes)
        #expect(task.priority == 3 && task.tier == 1 && task.type == nil && task.createdAt == nil)
    }

    @Test(arguments: [
        ("{}", "422 task_id: is required"), ("[]", "422 expected an object"), ("7", "422 expected an object"),
        ("{\"task_id\":\"t\"}", "422 platform: is required"),
        ("{\"task_id\":\"t\",\"platform\":\"p\"}", "422 target: is required"),
        ("{\"task_id\":\"t\",\"platform\":\"p\",\"target\":[]}", "422 target: expected an object"),
        ("{\"task_id\":7}", "422 task_id: expected a string"),
        ("{\"task_id\":\"\"}", "422 task_id: expected a string that is not empty"),
        ("{\"task_id\":\"a\\nb\"}", "422 task_id: expected 1 to 128 bytes without control characters"),
        ("{\"task_id\":\"a\u{7F}b\"}", "422 task_id: expected 1 to 128 bytes without control characters"),
        ("{\"task_id\":\"\\u0000\"}", "422 task_id: holds the character U+0000, which cannot be stored"),
        ("{\"task_id\":\"\\ud800\"}", "422 task_id: holds half of a surrogate pair, which cannot be stored"),
        ("{\"task_id\":\"t\",}", "400 byte 15: expected a member name in double quotes"),
        ("{\"task_id\":NaN}", "400 byte 11: NaN is not JSON (Python: json.dumps(..., allow_nan=False))"),
    ])
    func `a bad task says what is wrong with it`(text: String, expected: String) {
        #expect(message(text) == expected)
    }

    @Test(arguments: [
        ("\"priority\":0", "priority: expected an integer from 1 to 4"),
        ("\"priority\":5", "priority: expected an integer from 1 to 4"),
        ("\"priority\":\"1\"", "priority: expected an integer from 1 to 4"),
        ("\"tier\":5", "tier: expected an integer from 1 to 4"),
        ("\"tier\":1.0", "tier: expected an integer from 1 to 4"),
        ("\"type\":\"\"", "type: expected a string that is not empty"),
        ("\"created_at\":\"x\"", "created_at: expected an RFC 3339 time"),
        ("\"created_at\":1", "created_at: expected a string"),
        ("\"target\":{\"a\":\"\\u0000\"}", "target: holds the character U+0000, which cannot be stored"),
        (
            "\"platform\":\"\(String(repeating: "p", count: 65))\"",
            "platform: expected 1 to 64 bytes without control characters"
        ),
    ])
    func `a member outside its bounds is named`(member: String, expected: String) {
        #expect(message("{\"task_id\":\"t\",\"platform\":\"p\",\"target\":{},\(member)}") == "422 \(expected)")
    }

    @Test func `an id has up to 128 bytes`() {
        for (count, isTaken) in [(1, true), (128, true), (129, false)] {
            let id = String(repeating: "i", count: count)
            #expect((message("{\"task_id\":\"\(id)\",\"platform\":\"p\",\"target\":{}}") == nil) == isTaken)
        }
    }
}
