// Ends loans of proxies whose time is up or whose worker is gone, forgets bans that have ended, and shows what is left.
// One a kind in each process, on its first reactor; each step is one atomic script, so that several gateways do no harm
// and all show the same. Limits: `movesMax` loans a step, `stepsMax` steps a tick.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class ProxyReaper: @unchecked Sendable {
    static let movesMax = 200
    static let stepsMax = 20

    private let kind: WorkKind
    private let redis: RedisClient
    private let script: RedisScript
    private let leaseMs: Int
    private let rounds: Rounds
    private let metrics: GatewayMetrics
    private let shard: MetricsShard
    private var platforms: LabelCache
    /// Gauges that show something.
    private var shown: Set<MetricID> = []

    init(kind: WorkKind, shared: SharedState, reactor: Reactor, redis: RedisClient) {
        self.kind = kind
        self.redis = redis
        script = shared.scripts[.proxyReap]
        leaseMs = shared.configuration.leaseMs
        rounds = Rounds(every: .milliseconds(Int64(shared.configuration.reaperIntervalMs)), on: reactor)
        metrics = shared.metrics
        shard = shared.metrics.shards[reactor.index]
        platforms = LabelCache(shared.metrics.platforms)
    }

    func start() {
        rounds.start { [self] in
            do throws(RedisFailure) {
                var steps = 1
                while try await step(), steps < Self.stepsMax { steps += 1 }
            } catch {
                // Redis is away: loans that are over end when it is back. The client logs the loss itself.
            }
        }
    }

    func close() { rounds.end() }

    /// - Returns: whether more is due.
    private func step() async throws(RedisFailure) -> Bool {
        let reply = try await redis.call(
            script, keys: [.string(kind.queueKeys.prefix)],
            arguments: ["", .integer(Self.movesMax), .integer(leaseMs)])
        guard let parts = reply.elements, parts.count >= 4, let pool = parts[2].number else {
            throw .protocolViolation("not the reply of proxy_reap")
        }
        show(pool: pool, bans: parts[4...])
        return parts[0].number == 1
    }

    private func show(pool: Int, bans: ArraySlice<RedisValue>) {
        var values: [MetricID: Int] = [:]
        for index in stride(from: bans.startIndex, to: bans.endIndex - 1, by: 2) {
            guard let platform = bans[index].text, let banned = bans[index + 1].number else { continue }
            var name = ByteBuffer(capacity: TaskBody.platformBytesMax)
            name.append(platform)
            for (gauge, value) in [(ProxyGauge.available, max(0, pool - banned)), (.banned, banned)] {
                // Platforms beyond the bound of labels share a series, which shows the last of them.
                values[metrics.proxyGauge(gauge, kind, platform: name.bytes, in: &platforms)] = value
            }
        }
        for metric in shown where values[metric] == nil { shard.set(metric, 0) }
        for (metric, value) in values { shard.set(metric, value) }
        shown = Set(values.keys)
    }
}
