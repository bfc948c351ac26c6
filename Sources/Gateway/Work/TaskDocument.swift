// One task as its producer sends it: checked, and read where it lies.
// Plain data; no allocation. A bad task is rejected alone, so every fault is a thrown failure of this one document.
// Limits: name lengths as below. Source: Task in the HTTP contract, section 2.

import Reactor

struct TaskDocument {
    static let taskIDBytesMax = 128
    static let typeBytesMax = 64
    static let platformBytesMax = 64
    static let priorities = 1...4
    static let tiers = 1...4

    var taskID: JSONString
    /// Nil: `scrape`.
    var type: JSONString?
    var platform: JSONString
    var priority: Int
    var tier: Int
    /// An object, byte for byte as it was sent.
    var target: ByteRange
    /// Nil: the time of arrival.
    var createdAt: Timestamp?
    /// The whole object, without the whitespace around it.
    var document: ByteRange

    static let defaultType: StaticString = "scrape"

    static func decode(_ item: RawSpan) throws(JSONFailure) -> TaskDocument {
        do throws(JSONFailure) {
            return try read(item)
        } catch {
            throw JSONReader.failure(error, of: item)
        }
    }
}

extension TaskDocument {
    private static func read(_ item: RawSpan) throws(JSONFailure) -> TaskDocument {
        let members = try JSONMembers<7>(
            item, ["task_id", "type", "platform", "priority", "tier", "target", "created_at"])
        let taskID = try members[0].requiredName("task_id")
        try check(
            taskID, "task_id", in: item, bytesMax: taskIDBytesMax,
            "expected 1 to 128 bytes without control characters")
        let platform = try members[2].requiredName("platform")
        try check(
            platform, "platform", in: item, bytesMax: platformBytesMax,
            "expected 1 to 64 bytes without control characters")
        let type = members[1].isAbsent ? nil : try members[1].requiredName("type")
        if let type {
            try check(
                type, "type", in: item, bytesMax: typeBytesMax,
                "expected 1 to 64 bytes without control characters")
        }
        let range: StaticString = "expected an integer from 1 to 4"
        let target = try members[5].requiredObject("target")
        if let problem = ItemProblem("target", members[5].problem) { throw .schema("target", problem.rule) }
        return TaskDocument(
            taskID: taskID, type: type, platform: platform,
            priority: try members[3].optionalInteger("priority", in: item, priorities, range) ?? 3,
            tier: try members[4].optionalInteger("tier", in: item, tiers, range) ?? 1,
            target: target,
            createdAt: try members[6].optionalTimestamp("created_at", in: item),
            document: members.document)
    }

    /// Names go into keys, paths and log lines.
    private static func check(
        _ string: JSONString, _ field: StaticString, in item: RawSpan, bytesMax: Int, _ rule: StaticString
    ) throws(JSONFailure) {
        if let problem = ItemProblem(field, string, in: item, bytesMax: bytesMax), problem.kind != .tooLong {
            throw .schema(field, problem.rule)
        }
        guard string.textByteCount(in: item) <= bytesMax, !hasControlCharacter(string, in: item) else {
            throw .schema(field, rule)
        }
    }

    private static func hasControlCharacter(_ string: JSONString, in item: RawSpan) -> Bool {
        if string.hasEscapes {
            var text = ByteBuffer(capacity: Int(string.range.count))
            text.append(string, from: item)
            return hasControlCharacter(text.bytes)
        }
        return hasControlCharacter(item.slice(string.range))
    }

    private static func hasControlCharacter(_ text: RawSpan) -> Bool {
        for index in 0..<text.byteCount where text.byte(at: index) < 0x20 || text.byte(at: index) == 0x7F {
            return true
        }
        return false
    }
}
