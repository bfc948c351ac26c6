// Hits, misses and stale answers by route, described once. Immutable; shared by all reactors.
// Bounded: the cached routes of the table. Source: operations.md section 2.

import Reactor

struct CacheMetrics: Sendable {
    /// By public route and source; none where the route is not cached.
    private let counters: [[MetricID]]

    init(_ registry: MetricsRegistry, _ table: PublicRoutes) {
        let families = [
            ("gateway_cache_hits_total", "Public requests answered by a fresh entry."),
            ("gateway_cache_misses_total", "Public requests of cached routes that an upstream answered."),
            ("gateway_cache_stale_total", "Public requests answered by a stale entry."),
        ]
        counters = table.routes.map { route in
            guard route.cacheMs > 0 else { return [] }
            return families.map { name, help in
                registry.add(.counter, name, help, labels: [("route", route.pattern)])
            }
        }
    }

    /// Hits, misses and stale answers of all routes.
    func totals(_ shards: [MetricsShard]) -> (hits: Int, misses: Int, stale: Int) {
        func total(_ position: Int) -> Int {
            counters.reduce(0) { $0 + ($1.isEmpty ? 0 : shards.sum(of: $1[position])) }
        }
        return (total(0), total(1), total(2))
    }

    func count(_ source: CacheOutcome.Source, relay: Int, on shard: MetricsShard) {
        let position =
            switch source {
            case .hit: 0
            case .miss: 1
            case .stale: 2
            }
        shard.add(counters[relay][position], 1)
    }
}
