// One entry of an old gateway's list, and what it becomes here: a task, or a dead letter that says why not. Pure.
// Source: the lists `queue:<platform>:p<1..4>` and `processing:<worker>`, entries `{"task_id","type","platform",
// "target":{…},"priority","created_at"}`.

import Reactor

/// A list of the old gateways.
struct LegacyList: Sendable, Equatable {
    var key: String
    /// Of the tasks in it that do not say theirs; nil where the key does not tell.
    var platform: String?
    var priority: Int?

    /// - Returns: nil where the key is none of theirs.
    init?(key: String) {
        self.key = key
        if key.hasPrefix("processing:"), key.utf8.count > "processing:".utf8.count { return }
        guard key.hasPrefix("queue:"), let mark = key.lastIndex(of: ":"), mark > key.index(key.startIndex, offsetBy: 6),
            let level = Int(key[key.index(after: mark)...].dropFirst()), (1...4).contains(level),
            key[key.index(after: mark)...] == "p\(level)"
        else { return nil }
        priority = level
        platform = String(key[key.index(key.startIndex, offsetBy: 6)..<mark])
    }
}

/// What an entry becomes.
enum LegacyEntry: Equatable {
    case task(id: [UInt8], body: [UInt8])
    /// A dead letter with this error (JSON).
    case dead(id: String, body: [UInt8], error: String)

    /// Platform of what has none that can be used.
    static let unknownPlatform = "legacy"

    /// - Parameter arrivedUs: `created_at` of what does not say it, microseconds since the Unix epoch.
    init(_ entry: [UInt8], in list: LegacyList, arrivedUs: Int64) {
        do throws(JSONFailure) {
            self = try Self.task(entry, list, arrivedUs)
        } catch {
            self = Self.letter(entry, list, arrivedUs, reason: error)
        }
    }

    private static func task(
        _ entry: [UInt8], _ list: LegacyList, _ arrivedUs: Int64
    ) throws(JSONFailure) -> LegacyEntry {
        let value = try JSONReader.document(entry.rawBytes)
        guard value.kind == .object else { throw .schema("", "expected an object") }
        let item = withDefaults(entry, value.range, list)
        let task = try TaskDocument.decode(item.bytes)
        var body = ByteBuffer(capacity: item.count + 128)
        try TaskBody.append(task, of: item.bytes, arrivedUs: arrivedUs, to: &body)
        var id = ByteBuffer(capacity: 128)
        id.append(task.taskID, from: item.bytes)
        return .task(id: id.bytes.array, body: body.bytes.array)
    }

    /// The entry's object with what its list says in front: of equal names the last counts, so its own word wins.
    private static func withDefaults(_ entry: [UInt8], _ object: ByteRange, _ list: LegacyList) -> ByteBuffer {
        var item = ByteBuffer(capacity: entry.count + 128)
        let members = entry.rawBytes.extracting(Int(object.offset) + 1..<object.end)
        item.append("{\"priority\":")
        item.append(decimal: list.priority ?? 3)
        if let platform = list.platform {
            item.append(",\"platform\":")
            item.append(jsonString: platform)
        }
        var first = 0
        while first < members.byteCount, [0x20, 0x09, 0x0A, 0x0D].contains(members.byte(at: first)) { first += 1 }
        if members.byte(at: first) != UInt8(ascii: "}") { item.append(",") }
        item.append(members)
        return item
    }

    /// Keeps the entry as it was, in the target. Its id is made of the bytes, so that a repeat buries it once.
    private static func letter(
        _ entry: [UInt8], _ list: LegacyList, _ arrivedUs: Int64, reason: JSONFailure
    ) -> LegacyEntry {
        let id = "legacy-" + SHA256Digest.of(entry.rawBytes).hex.prefix(32)
        var idJSON = ByteBuffer()
        var target = ByteBuffer(capacity: entry.count + 128)
        var created = ByteBuffer()
        idJSON.append(jsonString: id)
        target.append("{\"list\":")
        target.append(jsonString: list.key)
        target.append(",\"entry\":")
        target.append(jsonString: entry.rawBytes)
        target.append("}")
        created.append("\"")
        created.append(Timestamp(microsSinceEpoch: arrivedUs / 1_000_000 * 1_000_000))
        created.append("\"")
        let platform = list.platform.flatMap { TaskBody.isPlatform($0.utf8) ? $0 : nil } ?? unknownPlatform
        var body = ByteBuffer(capacity: target.count + 256)
        TaskBody.append(
            to: &body, priority: list.priority ?? 3, tier: 1, platform: platform, taskIDJSON: idJSON.bytes,
            typeJSON: Array("\"legacy\"".utf8).rawBytes, targetJSON: target.bytes, createdAtJSON: created.bytes)
        var error = ByteBuffer()
        error.append("{\"reason\":\"format_changed\",\"message\":")
        error.append(jsonString: "imported from \(list.key): \(message(of: reason))")
        error.append("}")
        return .dead(id: id, body: body.bytes.array, error: error.bytes.string)
    }

    private static func message(of reason: JSONFailure) -> String {
        if case .syntax = reason { return "not JSON: \(reason.message)" }
        return reason.message
    }
}
