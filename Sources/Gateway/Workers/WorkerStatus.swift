// The body of a heartbeat, read where it lies: numbers as values, everything else as ranges of the body.
// Plain data of whichever reactor reads it; no allocation. Limits: 32 platforms, 10,000 task ids.
// Source: WorkerStatus in the HTTP contract, section 2.

import Reactor

struct WorkerStatus {
    static let platformsMax = 32
    static let taskIDsMax = 10_000

    var activeTasks = 0
    var completedLastMinute = 0
    var failedLastMinute = 0
    var cpuPercent = 0.0
    var memoryPercent = 0.0
    /// The array of strings; read it with `JSONStrings`.
    var platforms = ByteRange.empty
    /// The array of strings; nil where the worker did not send one.
    var taskIDs: ByteRange?
    /// The whole object as it was sent, without the whitespace around it.
    var document = ByteRange.empty

    /// - Throws: `.syntax` for what is not JSON, else `.schema` with the first member (in the contract's order) that is
    ///   missing or wrong.
    static func decode(_ body: RawSpan) throws(JSONFailure) -> WorkerStatus {
        do throws(JSONFailure) {
            return try read(body)
        } catch {
            throw JSONReader.failure(error, of: body)
        }
    }

    private static func read(_ body: RawSpan) throws(JSONFailure) -> WorkerStatus {
        var members = Members()
        var status = WorkerStatus()
        status.document = try members.read(body)
        let count: StaticString = "expected an integer of 0 or more"
        status.activeTasks = try members.activeTasks.requiredInteger("active_tasks", in: body, 0...Int.max, count)
        status.completedLastMinute = try members.completedLastMinute.requiredInteger(
            "completed_last_minute", in: body, 0...Int.max, count)
        status.failedLastMinute = try members.failedLastMinute.requiredInteger(
            "failed_last_minute", in: body, 0...Int.max, count)
        status.platforms = try members.platforms.requiredArray("platforms")
        try checkStrings(
            body, status.platforms, "platforms", max: platformsMax, "expected at most 32 platforms")
        status.cpuPercent = try members.cpuPercent.requiredNumber("cpu_percent", in: body)
        status.memoryPercent = try members.memoryPercent.requiredNumber("memory_percent", in: body)
        status.taskIDs = try members.taskIDs.optionalArray("task_ids")
        if let taskIDs = status.taskIDs {
            try checkStrings(body, taskIDs, "task_ids", max: taskIDsMax, "expected at most 10000 task ids")
        }
        return status
    }

    private static func checkStrings(
        _ body: RawSpan, _ array: ByteRange, _ field: StaticString, max: Int, _ rule: StaticString
    ) throws(JSONFailure) {
        let (count, areAllStrings) = JSONStrings.count(body, array)
        guard areAllStrings else { throw .schema(field, "expected a string", element: count) }
        guard count <= max else { throw .schema(field, rule) }
    }
}

/// The members of the object, of any kind; of equal names the last.
private struct Members {
    var activeTasks = JSONValue.absent
    var completedLastMinute = JSONValue.absent
    var failedLastMinute = JSONValue.absent
    var platforms = JSONValue.absent
    var cpuPercent = JSONValue.absent
    var memoryPercent = JSONValue.absent
    var taskIDs = JSONValue.absent

    /// - Returns: the range of the object.
    mutating func read(_ body: RawSpan) throws(JSONFailure) -> ByteRange {
        var reader = JSONReader(body)
        _ = try reader.peek()
        let start = reader.offset
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            if reader.key(key, is: "active_tasks") {
                activeTasks = value
            } else if reader.key(key, is: "completed_last_minute") {
                completedLastMinute = value
            } else if reader.key(key, is: "failed_last_minute") {
                failedLastMinute = value
            } else if reader.key(key, is: "platforms") {
                platforms = value
            } else if reader.key(key, is: "cpu_percent") {
                cpuPercent = value
            } else if reader.key(key, is: "memory_percent") {
                memoryPercent = value
            } else if reader.key(key, is: "task_ids") {
                taskIDs = value
            }
            more = try reader.moreMembers()
        }
        let end = reader.offset
        try reader.end()
        return ByteRange(offset: start, count: end - start)
    }
}
