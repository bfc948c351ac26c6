// Rates and quotas of callers, from one reactor: the process's own bucket first, then one script in Redis for both.
// Owned by its reactor; used by its tasks. Limits: `returnsMax` charges wait to be given back while Redis is away, the
// oldest are kept; a charge's mark lives `markMs`. Source: the HTTP contract, section 3, "Rates" and "Quotas".
//
//     front bucket (this process, burst + 1) ─► 429
//        └─► Redis: bucket of all gateways ─► 429, quota ─► 403
//               └─ away: the front bucket with the exact burst, 503, or nothing (GATEWAY_RATE_LIMIT_ON_REDIS_LOSS)

import Logging
import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class CallerLimits: @unchecked Sendable {
    static let markMs = 10_000
    static let returnsMax = 4096
    static let returnPause = Interval.seconds(1)
    /// After its period a counter is of no use; a clock may be a little behind.
    static let counterGraceSeconds = 3600
    /// Tells accounts from worker ids in hashes.
    private static let hashDomain: UInt8 = 1

    private let shared: SharedState
    private let reactor: Reactor
    private let redis: RedisClient
    private let shard: MetricsShard
    private let owner: String
    private var serial = 0
    private var returns: [(charge: Charge, mark: String)] = []
    private var isReturning = false

    init(shared: SharedState, reactor: Reactor, redis: RedisClient, shard: MetricsShard) {
        self.shared = shared
        self.reactor = reactor
        self.redis = redis
        self.shard = shard
        owner = "\(shared.processToken).\(reactor.index)"
    }

    /// Redis' time, by which periods and buckets are told.
    private var nowMicroseconds: Int64 { redis.fleetMicroseconds(reactor.now) }

    // MARK: Letting in

    func admit(_ caller: Caller, to feature: Feature?) async -> Admission {
        let rule = shared.tiers[caller.tier]
        if rule.isUnlimited { return .unlimited }
        let front = takeFront(caller.account, rule)
        if let front, !front.decision.isAllowed { return refuse(caller.tier, front.decision) }
        let quota = feature.map { rule.quota($0) }
        let window = quota.map { QuotaWindow($0.period, atMicroseconds: nowMicroseconds) }
        let reply: AdmitReply
        do throws(RedisFailure) {
            reply = try await ask(caller.account, rule, feature, quota, window)
        } catch {
            return admitWithout(caller, rule, front, quota, error)
        }
        let rate = reply.bucket.map { note($0) }
        if let bucket = reply.bucket, !bucket.isAllowed { return refuse(caller.tier, bucket) }
        guard let feature, let window else { return Admission(rate: rate, refusal: nil, charge: nil) }
        if !reply.isCharged {
            shard.add(shared.metrics.tiers.quotaHits(caller.tier), 1)
            return Admission(rate: rate, refusal: .quotaUsedUp(caller.tier, feature, quota), charge: nil)
        }
        let charge = Charge(account: caller.account, tier: caller.tier, feature: feature, period: window.name)
        return Admission(rate: rate, refusal: nil, charge: charge)
    }

    private var onLoss: RateLimitOnRedisLoss { shared.configuration.rateLimitOnRedisLoss }

    /// What this process's own bucket says. While Redis answers it holds one token more than the exact one, so that
    /// what Redis allows is not refused here for a clock's jitter.
    private struct Front {
        var decision: BucketDecision
        var isExact: Bool
    }

    /// - Returns: nil where no rate holds, or none does without Redis.
    private func takeFront(_ account: String, _ rule: TierRule) -> Front? {
        if rule.perMinute == 0 || (!redis.isConnected && onLoss != .local) { return nil }
        let isExact = !redis.isConnected
        let decision = shared.callerBuckets.take(
            key: shared.hash.hash(Array(account.utf8).rawBytes, domain: Self.hashDomain),
            nowNs: UInt64(reactor.now.nanoseconds),
            rate: BucketRate(perMinute: rule.perMinute, burst: rule.burst + (isExact ? 0 : 1)))
        return Front(decision: decision, isExact: isExact)
    }

    private func refuse(_ tier: Tier, _ decision: BucketDecision) -> Admission {
        shard.add(shared.metrics.tiers.rateHits(tier), 1)
        return Admission(
            rate: note(decision), refusal: .rateLimited(retryAfterSeconds: max(1, decision.retryAfterSeconds)),
            charge: nil)
    }

    private func note(_ decision: BucketDecision) -> RateNote {
        RateNote(
            remaining: decision.remaining, resetSeconds: Int(nowMicroseconds / 1_000_000) + decision.resetSeconds)
    }

    /// What holds while Redis is away. The rate comes first here too.
    private func admitWithout(
        _ caller: Caller, _ rule: TierRule, _ front: Front?, _ quota: Quota?, _ failure: RedisFailure
    ) -> Admission {
        var rate: RateNote?
        if rule.perMinute > 0, onLoss == .deny {
            return Admission(rate: nil, refusal: Problem(failure), charge: nil)
        }
        if let front, onLoss == .local {
            var exact = front.decision
            if !front.isExact {
                // Lost just now: of the exact bucket there is one token less.
                exact.remaining -= 1
                if exact.remaining < 0 {
                    exact.remaining = 0
                    return refuse(caller.tier, exact)
                }
            }
            rate = note(exact)
        }
        if let quota, quota.limit != nil {
            return Admission(rate: rate, refusal: Problem(failure), charge: nil)
        }
        return Admission(rate: rate, refusal: nil, charge: nil)
    }

    // MARK: Redis

    private struct AdmitReply {
        /// nil where no rate holds.
        var bucket: BucketDecision?
        var isCharged: Bool
    }

    private func ask(
        _ account: String, _ rule: TierRule, _ feature: Feature?, _ quota: Quota?, _ window: QuotaWindow?
    ) async throws(RedisFailure) -> AdmitReply {
        let rate = rule.rate
        let intervalUs = rule.perMinute == 0 ? 0 : (60_000_000 + rule.perMinute - 1) / rule.perMinute
        let counter = feature.map { CallerScripts.counter(account, $0, window?.name ?? "") }
        let limit = quota.map { $0.limit ?? -1 } ?? -2
        let reply = try await redis.call(
            shared.callerScripts.admit,
            keys: [
                .string(CallerScripts.bucket(account)), .string(counter ?? CallerScripts.bucket(account)),
                .string(makeMark(account)),
            ],
            arguments: [
                .integer(intervalUs), .integer(intervalUs * rate.burst), .integer(limit),
                .integer((window?.endSeconds ?? 0) + Self.counterGraceSeconds), .integer(Self.markMs),
            ])
        guard let parts = reply.elements, parts.count == 5, let isAllowed = parts[0].number,
            let fullInUs = parts[1].number, let retryInUs = parts[2].number, let charged = parts[3].number
        else { throw .protocolViolation("a caller's admission") }
        var bucket: BucketDecision?
        if intervalUs > 0 {
            let left = max(0, intervalUs * rate.burst - fullInUs) / intervalUs
            bucket = BucketDecision(
                isAllowed: isAllowed == 1, remaining: isAllowed == 1 ? left : 0, fullInUs: UInt64(max(0, fullInUs)),
                retryInUs: UInt64(max(0, retryInUs)))
        }
        return AdmitReply(bucket: bucket, isCharged: charged == 1)
    }

    private func makeMark(_ account: String) -> String {
        serial += 1
        return CallerScripts.mark(account, "\(owner).\(serial)")
    }

    // MARK: Giving back

    /// A request that was answered by a failure of ours is not charged. One whose client has left is: what it asked for
    /// was done.
    func settle(_ charge: Charge, status: Int?) {
        guard let status, status >= 500 else { return }
        guard returns.count < Self.returnsMax else { return }
        returns.append((charge, makeMark(charge.account)))
        if isReturning { return }
        isReturning = true
        reactor.spawn { [self] in
            await giveBack()
            isReturning = false
        }
    }

    /// Until all are given back, however long Redis is away.
    private func giveBack() async {
        while let next = returns.first, !isClosed {
            let charge = next.charge
            do throws(RedisFailure) {
                _ = try await redis.call(
                    shared.callerScripts.giveBack,
                    keys: [
                        .string(CallerScripts.counter(charge.account, charge.feature, charge.period)),
                        .string(next.mark),
                    ], arguments: [.integer(Self.markMs)])
                returns.removeFirst()
            } catch {
                switch error {
                case .unavailable, .timedOut, .overloaded: await reactor.sleep(Self.returnPause)
                case .refused, .protocolViolation, .unsupported: returns.removeFirst()
                }
            }
        }
    }

    private var isClosed = false

    func close() { isClosed = true }

    // MARK: Usage

    /// - Returns: the JSON of `GET /v1/usage`.
    func usage(of caller: Caller) async throws(Problem) -> [UInt8] {
        let rule = shared.tiers[caller.tier]
        let now = nowMicroseconds
        let windows = QuotaPeriod.allCases.map { QuotaWindow($0, atMicroseconds: now) }
        let features = Feature.allCases
        let keys = features.map { feature in
            let window = windows[rule.quota(feature).period == .day ? 0 : 1]
            return RedisArgument.string(CallerScripts.counter(caller.account, feature, window.name))
        }
        var used = features.map { _ in 0 }
        do throws(RedisFailure) {
            let reply = try await redis.command(["MGET"] + keys)
            guard let counts = reply.elements, counts.count == used.count else {
                throw .protocolViolation("a caller's usage")
            }
            used = counts.map { max(0, $0.text.flatMap { Int($0) } ?? 0) }
        } catch {
            throw Problem(error)
        }
        return UsageBody.make(caller, rule, used: used, windows: windows)
    }
}
