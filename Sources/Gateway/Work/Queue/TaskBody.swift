// The form in which a task's JSON is stored: rendered once at enqueue, spliced with the attempt at each delivery.
// Stateless. A body is the Task of api.md section 2 without the value of `attempt`, which comes last:
//
//     {"priority":3,"tier":1,"platform":"beacon","task_id":"t-1","type":"scrape","target":{…},"created_at":"…","attempt":
//
// The scripts read priority, tier and platform from its first bytes, so that these must be exactly as shown; the target
// is the producer's bytes. Delivered is body, attempt, `}`.

import Reactor

/// Writes and reads bodies.
enum TaskBody {
    /// A platform is 1 … 64 characters of `[A-Za-z0-9._:-]`: it is a metric label, a part of keys, and lies unescaped in bodies.
    static let platformBytesMax = 64

    static func isPlatform(_ bytes: some Sequence<UInt8>) -> Bool {
        var count = 0
        for byte in bytes {
            count += 1
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
                UInt8(ascii: "-"):
                continue
            default:
                return false
            }
        }
        return count > 0 && count <= platformBytesMax
    }

    static func isPlatform(_ name: RawSpan) -> Bool {
        guard (1...platformBytesMax).contains(name.byteCount) else { return false }
        for offset in 0..<name.byteCount where !isWorkerIDByte(name.byte(at: offset)) { return false }
        return true
    }

    /// The platform of a stored body; nil where it does not start as it must.
    @_lifetime(copy body)
    static func platform(of body: RawSpan) -> RawSpan? {
        // {"priority":P,"tier":T,"platform":"
        let start = 35
        guard body.byteCount > start else { return nil }
        var end = start
        while end < body.byteCount, body.byte(at: end) != UInt8(ascii: "\"") { end += 1 }
        return body.extracting(start..<end)
    }

    /// Appends the body of a task as its producer sent it.
    /// - Parameter arrivedUs: its `created_at` where the producer gave none, microseconds since the Unix epoch.
    static func append(
        _ task: TaskDocument, of item: RawSpan, arrivedUs: Int64, to buffer: inout ByteBuffer
    ) throws(JSONFailure) {
        var platform = ByteBuffer(capacity: platformBytesMax)
        platform.append(task.platform, from: item)
        guard isPlatform(platform.bytes) else {
            throw .schema("platform", "expected 1 to 64 characters of [A-Za-z0-9._:-]")
        }
        var id = ByteBuffer(capacity: 64)
        var type = ByteBuffer(capacity: 64)
        var created = ByteBuffer(capacity: 32)
        id.append(json: task.taskID, of: item)
        if let name = task.type { type.append(json: name, of: item) } else { type.append("\"scrape\"") }
        created.append(UInt8(ascii: "\""))
        created.append(task.createdAt ?? Timestamp(microsSinceEpoch: arrivedUs / 1_000_000 * 1_000_000))
        created.append(UInt8(ascii: "\""))
        append(
            to: &buffer, priority: task.priority, tier: task.tier, platform: platform.bytes.string,
            taskIDJSON: id.bytes, typeJSON: type.bytes, targetJSON: item.slice(task.target),
            createdAtJSON: created.bytes)
    }

    /// Appends a body. Arguments named `JSON` are JSON values as they stand, quotes and escapes included.
    /// - Parameter platform: passes `isPlatform`, else this traps.
    static func append(
        to buffer: inout ByteBuffer, priority: Int, tier: Int, platform: String, taskIDJSON: RawSpan, typeJSON: RawSpan,
        targetJSON: RawSpan, createdAtJSON: RawSpan
    ) {
        precondition((1...4).contains(priority) && (1...4).contains(tier), "priority and tier are 1 … 4")
        precondition(isPlatform(platform.utf8), "the platform was not checked")
        buffer.append("{\"priority\":")
        buffer.append(decimal: priority)
        buffer.append(",\"tier\":")
        buffer.append(decimal: tier)
        buffer.append(",\"platform\":\"")
        buffer.append(platform)
        buffer.append("\",\"task_id\":")
        buffer.append(taskIDJSON)
        buffer.append(",\"type\":")
        buffer.append(typeJSON)
        buffer.append(",\"target\":")
        buffer.append(targetJSON)
        buffer.append(",\"created_at\":")
        buffer.append(createdAtJSON)
        buffer.append(",\"attempt\":")
    }

    /// What the queue itself needs to know of a task.
    struct Head: Equatable {
        var priority: Int
        var tier: Int
        var platform: String

        /// - Returns: nil where the body does not start as it must.
        init?(of body: String) {
            guard let match = body.prefixMatch(of: /\{"priority":([1-4]),"tier":([1-4]),"platform":"([^"\\]+)",/) else {
                return nil
            }
            priority = Int(match.1)!
            tier = Int(match.2)!
            platform = String(match.3)
        }
    }
}

extension ByteBuffer {
    /// Appends a string of a document as JSON, as it was written there.
    fileprivate mutating func append(json string: JSONString, of document: RawSpan) {
        append(UInt8(ascii: "\""))
        append(document.slice(string.range))
        append(UInt8(ascii: "\""))
    }
}
