// Gives back what is overdue of one kind's queue: silent workers' leases, due retries, workers long gone.
// One a kind in each process, on its first reactor; of a fleet only the holder of a lock in Redis reaps. The lock
// expires, so that a holder that dies is succeeded; two that reap at once (a holder that was held up) do no harm,
// since each step is one atomic script.
// Limits: `movesMax` tasks a step, steps one after the other; `lockMs` until a dead holder is succeeded.
//
//      tick ─► lock? ─no──────────────────────► tick
//               └yes─► step ─(more)─► step … ─► tick           drain ─► release

import Logging
import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class Reaper: @unchecked Sendable {
    /// Moves of each sort in one step: about 2 ms of Redis.
    static let movesMax = 200
    static let lockMsMin = 1000

    private let kind: WorkKind
    private let reactor: Reactor
    private let redis: RedisClient
    private let scripts: QueueScripts
    private let rules: QueueRules
    private let rounds: Rounds
    private let lockMs: Int
    /// Names this process as the holder of the lock.
    private let token: String
    private let metrics: GatewayMetrics
    private let shard: MetricsShard
    private var platforms: LabelCache
    private let logger = Logger(label: "gateway.reaper")
    private var isDraining = false
    /// Whether the last round held the lock; told in the log when it changes.
    private(set) var isHolder = false

    init(kind: WorkKind, shared: SharedState, reactor: Reactor, redis: RedisClient, token: String) {
        self.kind = kind
        self.reactor = reactor
        self.redis = redis
        self.token = token
        scripts = shared.scripts
        rules = QueueRules(shared.configuration)
        rounds = Rounds(every: .milliseconds(Int64(shared.configuration.reaperIntervalMs)), on: reactor)
        // A holder renews at every tick: two may be late before it is given up.
        lockMs = max(Self.lockMsMin, 3 * shared.configuration.reaperIntervalMs)
        metrics = shared.metrics
        shard = shared.metrics.shards[reactor.index]
        platforms = LabelCache(shared.metrics.platforms)
    }

    func start() {
        rounds.start { [self] in
            do throws(RedisFailure) {
                try await round()
            } catch {
                // Redis is away, or refuses writes: the next tick tries again. The client logs the loss itself.
                logger.debug("a round of the reaper failed", metadata: ["kind": "\(kind.name)", "reason": "\(error)"])
                noteHolder(false)
            }
        }
    }

    /// Reaps no more, and leaves the lock to another gateway.
    /// - Returns: ends when the lock is free, or Redis cannot be told.
    func drain() -> Task<Void, Never> {
        isDraining = true
        rounds.end()
        return reactor.spawn { [self] in
            guard isHolder else { return }
            do throws(RedisFailure) {
                _ = try await lock("release")
            } catch {
                logger.notice("the reaper's lock was left to expire", metadata: ["kind": "\(kind.name)"])
            }
        }
    }

    /// Steps until nothing is overdue, while this gateway holds the lock.
    private func round() async throws(RedisFailure) {
        var renewAt = reactor.now
        while !isDraining {
            if reactor.now >= renewAt {
                noteHolder(try await lock("acquire"))
                renewAt = reactor.now + .milliseconds(Int64(lockMs / 3))
            }
            guard isHolder, !isDraining, try await step() else { return }
        }
    }

    private func lock(_ action: RedisArgument) async throws(RedisFailure) -> Bool {
        let reply = try await redis.call(
            scripts[.reaperLock], keys: [.string(kind.queueKeys.prefix)],
            arguments: ["", action, .string(token), .integer(lockMs)])
        return reply.number == 1
    }

    private func noteHolder(_ holds: Bool) {
        guard holds != isHolder else { return }
        isHolder = holds
        logger.info(holds ? "this gateway reaps" : "this gateway reaps no more", metadata: ["kind": "\(kind.name)"])
    }

    /// - Returns: whether more is overdue.
    private func step() async throws(RedisFailure) -> Bool {
        let reply = try await redis.call(
            scripts[.reap], keys: [.string(kind.queueKeys.prefix)],
            arguments: [
                "", .integer(Self.movesMax), .integer(rules.leaseMs), .integer(rules.deliveryMs),
                .integer(rules.taskTimeoutMs), .integer(rules.retriesMax), .integer(rules.registryMs),
            ])
        guard let parts = reply.elements, parts.count >= 4 else { return false }
        for index in stride(from: 4, to: parts.count - 1, by: 2) {
            count(parts[index + 1].text == "dead" ? .dead : .requeued, platform: parts[index].text ?? "")
        }
        return parts[0].number == 1
    }

    private func count(_ status: TaskStatus, platform: String) {
        var name = ByteBuffer(capacity: TaskBody.platformBytesMax)
        name.append(platform)
        shard.add(metrics.tasks(kind, status, platform: name.bytes, in: &platforms), 1)
    }
}
