// Moves what old gateways left in their Redis lists into our queue, oldest first, a page at a time. One task of a
// command. An entry leaves its list only after it is queued (or buried) here, so that a run killed at any instant loses
// none; the next run finds again what was queued and not yet taken out, and to that the queue says duplicate.
// Limits: `pageEntries` a step, `listsMax` lists a run.

import Reactor

struct LegacyImport {
    static let pageEntries = 200
    static let listsMax = 100_000
    static let scanCount = 1000

    struct Total: Sendable {
        var lists = 0
        var queued = 0
        var duplicates = 0
        var buried = 0

        var summary: String {
            "\(lists) lists: \(queued) tasks queued, \(duplicates) known already, \(buried) to the dead letters"
        }
    }

    /// Where the old lists are, and where our queue is.
    let source: RedisSession
    let target: RedisSession
    let kind: WorkKind
    /// Lists of tasks that old workers hold, too.
    let takesProcessing: Bool
    /// Told after each step.
    var stepped: (Total) -> Void = { _ in }
    private(set) var total = Total()

    init(source: RedisSession, target: RedisSession, kind: WorkKind, takesProcessing: Bool) {
        self.source = source
        self.target = target
        self.kind = kind
        self.takesProcessing = takesProcessing
    }

    mutating func run() async throws -> Total {
        // What was out comes first: it is older than what waits.
        var keys: [String] = []
        if takesProcessing { keys += try await find("processing:*") }
        keys += try await find("queue:*:p[1-4]")
        for key in keys {
            guard let list = LegacyList(key: key) else { continue }
            total.lists += 1
            while try await step(list) { stepped(total) }
        }
        return total
    }

    /// The lists whose keys match, in order of their names.
    private func find(_ pattern: String) async throws -> [String] {
        var (found, cursor) = (Set<String>(), "0")
        repeat {
            let reply = try await source.command(
                "SCAN", .string(cursor), "MATCH", .string(pattern), "COUNT", .integer(Self.scanCount), "TYPE", "list")
            guard let parts = reply.elements, parts.count == 2, let next = parts[0].text else {
                throw RedisFailure.protocolViolation("not the reply of a scan")
            }
            for key in parts[1].elements ?? [] where found.count < Self.listsMax {
                if let name = key.text { found.insert(name) }
            }
            cursor = next
        } while cursor != "0"
        return found.sorted()
    }

    /// Moves one page; they were pushed left, so the oldest are at the right.
    /// - Returns: false where the list is empty.
    private mutating func step(_ list: LegacyList) async throws -> Bool {
        let reply = try await source.command("LRANGE", .string(list.key), .integer(-Self.pageEntries), -1)
        var entries: [[UInt8]] = []
        for element in (reply.elements ?? []).reversed() {
            if case .string(let bytes) = element { entries.append(bytes) }
        }
        guard !entries.isEmpty else { return false }
        try await take(entries, list)
        // Each by itself, from the right: an old gateway may still take from this list, or push.
        let removed = try await source.pipeline(
            entries.map { ["LREM", .string(list.key), -1, .bytes($0)] })
        for case .error(let text) in removed { throw RedisFailure.refused(text) }
        return true
    }

    private mutating func take(_ entries: [[UInt8]], _ list: LegacyList) async throws {
        var tasks: [RedisArgument] = []
        for entry in entries {
            switch LegacyEntry(entry, in: list, arrivedUs: target.reactor.wallMicroseconds) {
            case .task(let id, let body): tasks += [.bytes(id), .bytes(body)]
            case .dead(let id, let body, let error):
                let reply = try await target.call(
                    .bury, kind, [.string(id), .bytes(body), .string(error)])
                if reply.number == 1 { total.buried += 1 } else { total.duplicates += 1 }
            }
        }
        guard !tasks.isEmpty else { return }
        let reply = try await target.call(.enqueue, kind, tasks)
        guard let outcomes = reply.text?.utf8, outcomes.count == tasks.count / 2 else {
            throw RedisFailure.protocolViolation("not the reply of enqueue")
        }
        for outcome in outcomes {
            if outcome == UInt8(ascii: "1") { total.queued += 1 } else { total.duplicates += 1 }
        }
    }
}
