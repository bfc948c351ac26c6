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
