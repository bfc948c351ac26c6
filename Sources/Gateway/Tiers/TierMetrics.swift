// What is counted of refused callers. Described once at start, counted in shards. Source: operations.md section 2.

import Reactor

struct TierMetrics: Sendable {
    private let rateHits: [MetricID]
    private let quotaHits: [MetricID]

    /// - Parameter workerRateHits: the counter of tier `worker`, which has one already.
    init(_ registry: MetricsRegistry, workerRateHits: MetricID) {
        rateHits =
            TierTable.tiers.map {
                registry.add(
                    .counter, "gateway_rate_limit_hits_total", "Requests refused by a rate.",
                    labels: [("tier", $0.name)])
            } + [workerRateHits]
        quotaHits = Tier.allCases.map {
            registry.add(
                .counter, "gateway_quota_hits_total", "Requests refused by a quota.", labels: [("tier", $0.name)],
                isSparse: $0 == .worker)
        }
    }

    func rateHits(_ tier: Tier) -> MetricID { rateHits[Int(tier.rawValue)] }
    func quotaHits(_ tier: Tier) -> MetricID { quotaHits[Int(tier.rawValue)] }
}
