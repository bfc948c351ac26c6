// One kind's queue in figures: what is queued, out, delayed and dead, and how deep it is where.
// Plain data, read from Redis page by page (the `stats` script). Limit: `levelsMax` platform levels a call.

import Reactor

struct QueueFigures: Sendable {
    static let levelsMax = 500

    /// Tasks of one platform and priority that are ready.
    struct Depth: Sendable {
        var tasks = 0
        /// When the oldest was enqueued, ms since the Unix epoch; 0 where there is none.
        var oldestMs = 0
    }

    var nowMs = 0
    var queued = 0
    var leased = 0
    var delayed = 0
    var dead = 0
    /// In the registry, and of these heard from lately.
    var workers = 0
    var workersAlive = 0
    /// By platform; priorities 1 … 4 lie at 0 … 3.
    var platforms: [String: [Depth]] = [:]

    /// Whole seconds since the oldest queued task was enqueued; 0 where none is.
    var oldestSeconds: Int {
        let oldest = platforms.values.joined().lazy.filter { $0.oldestMs > 0 }.map(\.oldestMs).min()
        return oldest.map { seconds(since: $0) } ?? 0
    }

    func seconds(since ms: Int) -> Int { ms > 0 ? max(0, (nowMs - ms) / 1000) : 0 }

    /// - Parameter aliveMs: a worker heard from within is alive.
    static func read(
        _ kind: WorkKind, _ redis: RedisClient, _ scripts: QueueScripts, aliveMs: Int
    ) async throws(RedisFailure) -> QueueFigures {
        var figures = QueueFigures()
        var offset = 0
        repeat {
            let reply = try await redis.call(
                scripts[.stats], keys: [.string(kind.queueKeys.prefix)],
                arguments: ["", .integer(aliveMs), .integer(offset), .integer(levelsMax)])
            guard let parts = reply.elements, parts.count >= 9 else {
                throw .protocolViolation("the figures are incomplete")
            }
            figures.add(parts)
            offset = parts[7].number ?? 0
        } while offset > 0
        return figures
    }

    private mutating func add(_ page: [RedisValue]) {
        nowMs = page[0].number ?? 0
        queued = page[1].number ?? 0
        leased = page[2].number ?? 0
        delayed = page[3].number ?? 0
        dead = page[4].number ?? 0
        workers = page[5].number ?? 0
        workersAlive = page[6].number ?? 0
        for row in stride(from: 9, to: page.count - 3, by: 4) {
            guard let platform = page[row].text, let priority = page[row + 1].number, (1...4).contains(priority),
                let tasks = page[row + 2].number, let oldestMs = page[row + 3].number
            else { continue }
            var depths = platforms[platform] ?? Array(repeating: Depth(), count: 4)
            // Twice where some were out before: they add up.
            depths[priority - 1].tasks += tasks
            let known = depths[priority - 1].oldestMs
            if oldestMs > 0 { depths[priority - 1].oldestMs = known == 0 ? oldestMs : min(known, oldestMs) }
            platforms[platform] = depths
        }
    }

    func write(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.openObject(&out)
        for (name, value) in [
            ("queued", queued), ("leased", leased), ("delayed", delayed), ("dead", dead),
            ("oldest_seconds", oldestSeconds),
        ] as [(StaticString, Int)] {
            json.key(name, &out)
            json.number(value, &out)
        }
        json.key("platforms", &out)
        json.openObject(&out)
        for (platform, depths) in platforms.sorted(by: { $0.key < $1.key }) {
            json.key(text: Array(platform.utf8).rawBytes, &out)
            json.openObject(&out)
            for (index, name) in (["1", "2", "3", "4"] as [StaticString]).enumerated() {
                json.key(name, &out)
                json.number(depths[index].tasks, &out)
            }
            json.closeObject(&out)
        }
        json.closeObject(&out)
        json.closeObject(&out)
    }
}
