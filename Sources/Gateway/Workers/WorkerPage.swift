// A page of the registry of workers, as the `workers` script gives it. Plain data.

import Reactor

struct WorkerPage: Sendable {
    struct Row: Sendable {
        var worker: String
        var seenMs: Int
        var leases: Int
        /// Its last WorkerStatus (JSON); empty where it has sent none.
        var status: [UInt8]

        /// The platforms that it says it works for; none where it has said nothing.
        var platforms: [String] {
            let body = status.rawBytes
            // What is stored was read once: it cannot fail, and would mean that nothing is known.
            guard let read = try? WorkerStatus.decode(body) else { return [] }
            var names: [String] = []
            var strings = JSONStrings(body, read.platforms)
            var text = ByteBuffer(capacity: 64)
            while let name = strings.next() {
                text.clear()
                text.append(name, from: body)
                names.append(text.bytes.string)
            }
            return names
        }

        func isWanted(_ page: PageQuery, aliveSinceMs: Int) -> Bool {
            if let isAlive = page.isAlive, isAlive != (seenMs > aliveSinceMs) { return false }
            return page.platform.map { hasPlatform($0) } ?? true
        }

        func hasPlatform(_ name: String) -> Bool { platforms.contains(name) }

        func write(_ kind: WorkKind, aliveSinceMs: Int, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
            json.openObject(&out)
            json.key("worker_id", &out)
            json.string(text: worker, &out)
            json.key("kind", &out)
            json.string(text: kind.name, &out)
            json.key("last_seen", &out)
            json.timestamp(Timestamp(microsSinceEpoch: Int64(seenMs) * 1000), &out)
            json.key("alive", &out)
            json.bool(seenMs > aliveSinceMs, &out)
            json.key("leases", &out)
            json.number(leases, &out)
            json.key("status", &out)
            if status.isEmpty { json.null(&out) } else { json.raw(status.rawBytes, &out) }
            json.closeObject(&out)
        }
    }

    var nowMs: Int
    /// In the whole registry.
    var total: Int
    /// Where the next page begins; empty after the last.
    var next: String
    var rows: [Row] = []

    /// - Returns: nil where the reply is none of the script's.
    init?(_ reply: RedisValue) {
        guard let parts = reply.elements, parts.count >= 3, let now = parts[0].number, let count = parts[1].number,
            let cursor = parts[2].text
        else { return nil }
        (nowMs, total, next) = (now, count, cursor)
        for row in stride(from: 3, to: parts.count - 3, by: 4) {
            guard let worker = parts[row].text, let seenMs = parts[row + 1].number, let leases = parts[row + 2].number,
                case .string(let status) = parts[row + 3]
            else { return nil }
            rows.append(Row(worker: worker, seenMs: seenMs, leases: leases, status: status))
        }
    }

    static func isWorkerID(_ text: String) -> Bool { RequestTarget.isWorkerID(Array(text.utf8).rawBytes) }
}
