// The gate of the public surface as it is served: credentials, then rates and quotas. One a reactor, on its thread.
// Source: the HTTP contract, section 3.

import Reactor

final class KnownCallers: CallerGate {
    private let credentials: Credentials
    private let limits: CallerLimits
    private let shared: SharedState
    private let reactor: Reactor
    private let redis: RedisClient

    init(
        shared: SharedState, reactor: Reactor, client: HTTPClient, redis: RedisClient, postgres: PostgresClient,
        shard: MetricsShard
    ) {
        self.shared = shared
        self.reactor = reactor
        self.redis = redis
        credentials = Credentials(shared: shared, reactor: reactor, client: client, postgres: postgres)
        limits = CallerLimits(shared: shared, reactor: reactor, redis: redis, shard: shard)
    }

    func start() { credentials.start() }

    func drain() async { await credentials.drain() }

    func close() {
        credentials.close()
        limits.close()
    }

    func identify(_ request: borrowing Request) -> Identification { credentials.identify(request) }

    func resolve(_ presented: PresentedCredential) async throws(Problem) -> Caller {
        try await credentials.resolve(presented)
    }

    func admit(_ caller: Caller, to feature: Feature?) async -> Admission {
        await limits.admit(caller, to: feature)
    }

    func settle(_ charge: Charge, status: Int?) { limits.settle(charge, status: status) }

    func usage(of caller: Caller) async throws(Problem) -> [UInt8] { try await limits.usage(of: caller) }

    func appendHeaders(_ rate: RateNote, tier: Tier, to buffer: inout ByteBuffer) {
        let rule = shared.tiers[tier]
        rate.write(limitPerMinute: rule.perMinute, to: &buffer)
        let now = Int(redis.fleetMicroseconds(reactor.now) / 1_000_000)
        rate.write(rule, nowSeconds: now, to: &buffer)
    }
}

extension RateNote {
    /// The same in the words of draft-ietf-httpapi-ratelimit-headers: a bucket of `burst` that fills in `w` seconds.
    func write(_ rule: TierRule, nowSeconds: Int, to buffer: inout ByteBuffer) {
        guard rule.perMinute > 0 else { return }
        buffer.append("RateLimit-Policy: \"tier\";q=")
        buffer.append(decimal: rule.burst)
        buffer.append(";w=")
        buffer.append(decimal: max(1, (rule.burst * 60 + rule.perMinute - 1) / rule.perMinute))
        buffer.append("\r\nRateLimit: \"tier\";r=")
        buffer.append(decimal: remaining)
        buffer.append(";t=")
        buffer.append(decimal: max(0, resetSeconds - nowSeconds))
        buffer.append("\r\n")
    }
}
