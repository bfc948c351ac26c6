// The stored form of a task: the first bytes that the scripts read, the producer's own bytes, and its platform.

import Reactor
import Testing

@testable import Gateway

@Suite struct TaskBodyTests {
    private func body(_ document: String, arrivedUs: Int64 = 1_770_199_200_999_999) throws(JSONFailure) -> String {
        let bytes = Array(document.utf8)
        let task = try TaskDocument.decode(bytes.span.bytes)
        var out = ByteBuffer()
        try TaskBody.append(task, of: bytes.span.bytes, arrivedUs: arrivedUs, to: &out)
        return out.bytes.string
    }

    @Test func `a body is the contract's task up to the attempt, defaults filled in`() throws {
        let text = try body("{\"target\":{\"a\":[1.10, null]},\"platform\":\"beacon\",\"task_id\":\"t-1\"}")
        #expect(
            text == "{\"priority\":3,\"tier\":1,\"platform\":\"beacon\",\"task_id\":\"t-1\",\"type\":\"scrape\","
                + "\"target\":{\"a\":[1.10, null]},\"created_at\":\"2026-02-04T10:00:00Z\",\"attempt\":")
    }

    @Test func `what the producer gave is kept as it was written`() throws {
        let text = try body(
            "{\"task_id\":\"a\\u00e9\\\"\",\"type\":\"re\\/scrape\",\"platform\":\"b\",\"priority\":1,\"tier\":4,"
                + "\"target\":{ },\"created_at\":\"2026-02-04T10:00:00.5+01:00\"}")
        #expect(text.hasPrefix("{\"priority\":1,\"tier\":4,\"platform\":\"b\",\"task_id\":\"a\\u00e9\\\"\","))
        #expect(text.contains("\"type\":\"re\\/scrape\",\"target\":{ },\"created_at\":\"2026-02-04T09:00:00.5"))
    }

    @Test func `an escaped platform is stored plain, one with other characters is refused`() throws {
        #expect(try body("{\"task_id\":\"t\",\"platform\":\"b\\u0065acon\",\"target\":{}}").contains("\"beacon\""))
        for name in ["a b", "ü", "a\\\"b", "a\\\\b", "a/b"] {
            #expect(throws: JSONFailure.self, "\(name)") {
                try body("{\"task_id\":\"t\",\"platform\":\"\(name)\",\"target\":{}}")
            }
        }
    }

    @Test func `a platform is 1 to 64 of the permitted characters, as bytes and as text`() {
        for (name, isGood) in [
            ("a", true), ("A-z_0.9:x", true), (String(repeating: "p", count: 64), true), ("", false), ("a b", false),
            (String(repeating: "p", count: 65), false), ("ä", false), ("a\"", false), ("a\n", false),
        ] {
            #expect(TaskBody.isPlatform(name.utf8) == isGood, "\(name)")
            #expect(TaskBody.isPlatform(Array(name.utf8).span.bytes) == isGood, "\(name)")
        }
    }

    @Test func `the platform of a body is found without parsing it`() throws {
        let bytes = Array(try body("{\"task_id\":\"t\",\"platform\":\"qpublic\",\"target\":{}}").utf8)
        #expect(TaskBody.platform(of: bytes.span.bytes)?.string == "qpublic")
        #expect(TaskBody.platform(of: Array("{}".utf8).span.bytes)?.string == nil)
        let head = try #require(TaskBody.Head(of: String(decoding: bytes, as: UTF8.self)))
        #expect(head.platform == "qpublic" && head.priority == 3 && head.tier == 1)
        #expect(TaskBody.Head(of: "{\"priority\":5") == nil)
    }
}
