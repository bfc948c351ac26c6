// Keeps the gauges of one kind: depths and ages from the queue's figures; what is leased, delayed and dead, and the
// workers alive, by counting through them little by little. On the process's first reactor; every gateway shows all.
// Limits: `itemsMax` of each looked at a refresh, so that a long list takes several refreshes to be counted anew (a
// scrape reads what was last counted); `pageItems` a command. Platforms are bounded by the metrics' label set.

import Logging
import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class QueueCensus: @unchecked Sendable {
    static let itemsMax = 5000
    static let pageItems = 500
    static let intervalSeconds = 1.0...5.0
    /// Platform of workers that have not said theirs.
    static let unknownPlatform = "unknown"

    private let kind: WorkKind
    private let redis: RedisClient
    private let scripts: QueueScripts
    private let keys: QueueKeys
    private let leaseMs: Int
    private let rounds: Rounds
    private let metrics: GatewayMetrics
    private let shard: MetricsShard
    private var platforms: LabelCache
    /// What each gauge shows that is not 0.
    private var shown: [QueueGauge: Set<MetricID>] = [:]
    private var leased = Sweep()
    private var delayed = Sweep()
    private var dead = Sweep()
    private var workers = Sweep()

    /// Where a count through a long list has come to.
    private struct Sweep {
        var cursor = ""
        var counts: [Label: Int] = [:]
    }

    private struct Label: Hashable {
        var platform: String
        /// 0 where there is none.
        var priority: Int
    }

    init(kind: WorkKind, shared: SharedState, reactor: Reactor, redis: RedisClient) {
        self.kind = kind
        self.redis = redis
        scripts = shared.scripts
        keys = kind.queueKeys
        leaseMs = shared.configuration.leaseMs
        let seconds = Double(shared.configuration.reaperIntervalMs) / 1000
        let bounds = Self.intervalSeconds
        rounds = Rounds(every: .seconds(min(max(seconds, bounds.lowerBound), bounds.upperBound)), on: reactor)
        metrics = shared.metrics
        shard = shared.metrics.shards[reactor.index]
        platforms = LabelCache(shared.metrics.platforms)
    }

    func start() {
        rounds.start { [self] in
            do throws(RedisFailure) {
                try await refresh()
            } catch {
                // Redis is away: the gauges keep what they showed, and gateway_redis_connected tells.
            }
        }
    }

    func close() { rounds.end() }

    private func refresh() async throws(RedisFailure) {
        let figures = try await QueueFigures.read(kind, redis, scripts, aliveMs: leaseMs)
        var (depths, ages): ([Label: Int], [Label: Int]) = ([:], [:])
        for (platform, levels) in figures.platforms {
            for (index, depth) in levels.enumerated() {
                let label = Label(platform: platform, priority: index + 1)
                depths[label] = depth.tasks
                ages[label] = figures.seconds(since: depth.oldestMs)
            }
        }
        show(.depth, depths)
        show(.oldest, ages)
        try await sweep(\.leased, .leased) { [self] sweep throws(RedisFailure) in try await countLeased(&sweep) }
        try await sweep(\.delayed, .delayed) { [self] sweep throws(RedisFailure) in
            try await countWaiting(keys.delayed, &sweep)
        }
        try await sweep(\.dead, .dead) { [self] sweep throws(RedisFailure) in
            try await countWaiting(keys.dead, &sweep)
        }
        try await sweep(\.workers, .workers) { [self] sweep throws(RedisFailure) in try await countWorkers(&sweep) }
    }

    // MARK: Counting

    /// Counts on for at most `itemsMax`; at the end shows what was counted and begins again.
    /// - Parameter page: counts one page, moves the cursor, which is empty at the end.
    private func sweep(
        _ path: ReferenceWritableKeyPath<QueueCensus, Sweep>, _ gauge: QueueGauge,
        _ page: (inout Sweep) async throws(RedisFailure) -> Void
    ) async throws(RedisFailure) {
        var sweep = self[keyPath: path]
        for _ in 0..<Self.itemsMax / Self.pageItems {
            try await page(&sweep)
            guard sweep.cursor.isEmpty else { continue }
            show(gauge, sweep.counts)
            self[keyPath: path] = Sweep()
            return
        }
        self[keyPath: path] = sweep
    }

    private func countLeased(_ sweep: inout Sweep) async throws(RedisFailure) {
        let page = try await scan("HSCAN", keys.leases, &sweep)
        for index in stride(from: 1, to: page.count, by: 2) { Self.count(record: page[index].text, &sweep) }
    }

    /// Counts members of a sorted set by their records in `history`.
    private func countWaiting(_ key: String, _ sweep: inout Sweep) async throws(RedisFailure) {
        let page = try await scan("ZSCAN", key, &sweep)
        let ids = stride(from: 0, to: page.count, by: 2).compactMap { page[$0].text }
        guard !ids.isEmpty else { return }
        let records = try await redis.command(["HMGET", .string(keys.history)] + ids.map { .string($0) })
        for record in records.elements ?? [] { Self.count(record: record.text, &sweep) }
    }

    private func scan(
        _ command: RedisArgument, _ key: String, _ sweep: inout Sweep
    ) async throws(RedisFailure) -> [RedisValue] {
        let from = sweep.cursor.isEmpty ? "0" : sweep.cursor
        let reply = try await redis.command(command, .string(key), .string(from), "COUNT", .integer(Self.pageItems))
        guard let parts = reply.elements, parts.count == 2, let cursor = parts[0].text, let page = parts[1].elements
        else { throw .protocolViolation("not the reply of a scan") }
        sweep.cursor = cursor == "0" ? "" : cursor
        return page
    }

    /// A record ends with priority and tier (two digits) and platform.
    private static func count(record: String?, _ sweep: inout Sweep) {
        guard let fields = record?.split(separator: " ").suffix(2), fields.count == 2, let levels = fields.first,
            let priority = levels.first?.wholeNumberValue, let platform = fields.last
        else { return }
        sweep.counts[Label(platform: String(platform), priority: priority), default: 0] += 1
    }

    private func countWorkers(_ sweep: inout Sweep) async throws(RedisFailure) {
        let reply = try await redis.call(
            scripts[.workers], keys: [.string(keys.prefix)],
            arguments: ["", .string(sweep.cursor), .integer(Self.pageItems)])
        guard let page = WorkerPage(reply) else { throw .protocolViolation("not a page of workers") }
        sweep.cursor = page.next
        for row in page.rows where row.seenMs > page.nowMs - leaseMs {
            let names = row.platforms
            for name in names.isEmpty ? [Self.unknownPlatform] : names {
                sweep.counts[Label(platform: name, priority: 0), default: 0] += 1
            }
        }
    }

    // MARK: Showing

    private func show(_ gauge: QueueGauge, _ counts: [Label: Int]) {
        var values: [MetricID: Int] = [:]
        for (label, count) in counts where count > 0 {
            var name = ByteBuffer(capacity: TaskBody.platformBytesMax)
            name.append(label.platform)
            let metric = metrics.queueGauge(
                gauge, kind, priority: label.priority, platform: name.bytes, in: &platforms)
            // Platforms beyond the bound share a series: counts add up, of ages the greatest is shown.
            values[metric] = gauge == .oldest ? max(values[metric] ?? 0, count) : (values[metric] ?? 0) + count
        }
        for metric in shown[gauge] ?? [] where values[metric] == nil { shard.set(metric, 0) }
        for (metric, value) in values { shard.set(metric, value) }
        shown[gauge] = Set(values.keys)
    }
}
