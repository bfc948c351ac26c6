// The gate of the public surface: credentials, then rates and quotas. One a reactor, on its thread. The pipeline asks in
// this order, once a request, and answers what is refused. Source: the HTTP contract, section 3.
//
//     identify ─► (resolve) ─► admit: rate, then quota ─► the answer is made ─► settle

import Reactor

final class KnownCallers {
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

    /// Reads who asks from a request's head, without waiting. Called before the body is read and again after it: cheap.
    func identify(_ request: borrowing Request) -> Identification { credentials.identify(request) }

    /// Checks a credential that `identify` could not.
    /// - Throws: 401 for a bad one, 503 where it cannot be checked now.
    func resolve(_ presented: PresentedCredential) async throws(Problem) -> Caller {
        try await credentials.resolve(presented)
    }

    /// Lets a request in: the rate first, then the quota of `feature`, which is charged here.
    /// - Parameter feature: nil where the route counts for none: only the rate holds.
    func admit(_ caller: Caller, to feature: Feature?) async -> Admission {
        await limits.admit(caller, to: feature)
    }

    /// The charged request has been answered: below 500 the charge stands, else it is given back.
    /// Told once for each charge.
    /// - Parameter status: nil where the client had gone before there was an answer.
    func settle(_ charge: Charge, status: Int?) { limits.settle(charge, status: status) }

    /// The body of `GET /v1/usage`, JSON.
    func usage(of caller: Caller) async throws(Problem) -> [UInt8] { try await limits.usage(of: caller) }

    /// Appends the rate's header lines of an answer to a caller of `tier`.
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
