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
        let members = try JSONMembers<7>(
            body,
            [
                "active_tasks", "completed_last_minute", "failed_last_minute", "platforms", "cpu_percent",
                "memory_percent", "task_ids",
            ])
        var status = WorkerStatus()
        status.document = members.document
        let count: StaticString = "expected an integer of 0 or more"
        status.activeTasks = try members[0].requiredInteger("active_tasks", in: body, 0...Int.max, count)
        status.completedLastMinute = try members[1].requiredInteger(
            "completed_last_minute", in: body, 0...Int.max, count)
        status.failedLastMinute = try members[2].requiredInteger(
            "failed_last_minute", in: body, 0...Int.max, count)
        status.platforms = try members[3].requiredArray("platforms")
        try checkStrings(
            body, status.platforms, "platforms", max: platformsMax, "expected at most 32 platforms")
        status.cpuPercent = try members[4].requiredNumber("cpu_percent", in: body)
        status.memoryPercent = try members[5].requiredNumber("memory_percent", in: body)
        status.taskIDs = try members[6].optionalArray("task_ids")
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
