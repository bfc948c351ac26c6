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
            var members = TaskMembers()
            let document = try members.read(item)
            return try members.task(item, document)
        } catch {
            throw JSONReader.failure(error, of: item)
        }
    }
}

/// The members of the object, of any kind; of equal names the last.
private struct TaskMembers {
    var taskID = JSONValue.absent
    var type = JSONValue.absent
    var platform = JSONValue.absent
    var priority = JSONValue.absent
    var tier = JSONValue.absent
    var target = JSONValue.absent
    var createdAt = JSONValue.absent

    /// - Returns: the range of the object.
    mutating func read(_ item: RawSpan) throws(JSONFailure) -> ByteRange {
        var reader = JSONReader(item)
        _ = try reader.peek()
        let start = reader.offset
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "task_id") {
                taskID = value
            } else if reader.key(key, is: "type") {
                type = value
            } else if reader.key(key, is: "platform") {
                platform = value
            } else if reader.key(key, is: "priority") {
                priority = value
            } else if reader.key(key, is: "tier") {
                tier = value
            } else if reader.key(key, is: "target") {
                target = value
            } else if reader.key(key, is: "created_at") {
                createdAt = value
            }
            more = try reader.moreMembers()
        }
        let end = reader.offset
        try reader.end()
        return ByteRange(offset: start, count: end - start)
    }

    func task(_ item: RawSpan, _ document: ByteRange) throws(JSONFailure) -> TaskDocument {
        let taskID = try self.taskID.requiredName("task_id")
        try check(
            taskID, "task_id", in: item, bytesMax: TaskDocument.taskIDBytesMax,
            "expected 1 to 128 bytes without control characters")
        let platform = try self.platform.requiredName("platform")
        try check(
            platform, "platform", in: item, bytesMax: TaskDocument.platformBytesMax,
            "expected 1 to 64 bytes without control characters")
        let type = self.type.isAbsent ? nil : try self.type.requiredName("type")
        if let type {
            try check(
                type, "type", in: item, bytesMax: TaskDocument.typeBytesMax,
                "expected 1 to 64 bytes without control characters")
        }
        let range: StaticString = "expected an integer from 1 to 4"
        let target = try self.target.requiredObject("target")
        if let problem = ItemProblem("target", self.target.problem) { throw .schema("target", problem.rule) }
        return TaskDocument(
            taskID: taskID, type: type, platform: platform,
            priority: try priority.optionalInteger("priority", in: item, TaskDocument.priorities, range) ?? 3,
            tier: try tier.optionalInteger("tier", in: item, TaskDocument.tiers, range) ?? 1,
            target: target,
            createdAt: try createdAt.optionalTimestamp("created_at", in: item),
            document: document)
    }

    /// Names go into keys, paths and log lines.
    private func check(
        _ string: JSONString, _ field: StaticString, in item: RawSpan, bytesMax: Int, _ rule: StaticString
    ) throws(JSONFailure) {
        if let problem = ItemProblem(field, string, in: item, bytesMax: bytesMax), problem.kind != .tooLong {
            throw .schema(field, problem.rule)
        }
        guard string.textByteCount(in: item) <= bytesMax, !hasControlCharacter(string, in: item) else {
            throw .schema(field, rule)
        }
    }

    private func hasControlCharacter(_ string: JSONString, in item: RawSpan) -> Bool {
        if string.hasEscapes {
            var text = ByteBuffer(capacity: Int(string.range.count))
            text.append(string, from: item)
            return hasControlCharacter(text.bytes)
        }
        return hasControlCharacter(item.slice(string.range))
    }

    private func hasControlCharacter(_ text: RawSpan) -> Bool {
        for index in 0..<text.byteCount where text.byte(at: index) < 0x20 || text.byte(at: index) == 0x7F {
            return true
        }
        return false
    }
}
