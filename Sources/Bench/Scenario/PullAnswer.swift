// Reads the answer to a pull: which tasks, and when to ask again if there are none. Pure; allocates nothing.
// Source: the HTTP contract, section 2.

import Reactor

struct PullAnswer {
    var count = 0
    var retryAfterSeconds = 0.0

    /// Calls `take` with the range of each task's id in `body` and its attempt.
    /// - Returns: nil where the body is no such answer.
    static func read(_ body: RawSpan, _ take: (ByteRange, Int) -> Void) -> PullAnswer? {
        do throws(JSONFailure) {
            var answer = PullAnswer()
            var reader = JSONReader(body)
            var hasTasks = false
            var more = try reader.openObject()
            while more {
                let key = try reader.key()
                if reader.key(key, is: "tasks") {
                    hasTasks = true
                    var moreTasks = try reader.openArray()
                    while moreTasks {
                        let task = try reader.value()
                        guard let (id, attempt) = try readTask(body, at: task.range) else { return nil }
                        take(id, attempt)
                        answer.count += 1
                        moreTasks = try reader.moreElements()
                    }
                } else {
                    let value = try reader.value()
                    if reader.key(key, is: "retry_after") {
                        answer.retryAfterSeconds = try value.requiredNumber("retry_after", in: body)
                    }
                }
                more = try reader.moreMembers()
            }
            return hasTasks ? answer : nil
        } catch {
            return nil
        }
    }

    /// nil where it has no id, or one that is written with escapes.
    private static func readTask(_ body: RawSpan, at range: ByteRange) throws(JSONFailure) -> (ByteRange, Int)? {
        var reader = JSONReader(body, at: Int(range.offset))
        var id: ByteRange?
        var attempt = 1
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "task_id"), let string = value.string, !string.hasEscapes { id = string.range }
            if reader.key(key, is: "attempt"), value.kind == .number {
                attempt = JSONNumber.integer(body.slice(value.range)) ?? 1
            }
            more = try reader.moreMembers()
        }
        return id.map { ($0, attempt) }
    }
}
