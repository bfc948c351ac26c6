// What is counted of each route, by its place in the route table, which it keeps for the life of the process; so the
// series of a route go on whatever the table becomes. Immutable values, replaced as a whole with the table.
// Limit: `RouteTable.newRoutesMax` routes are new since the start; words for them are kept in the shards from the start.

import Reactor

struct RouteMetrics: Sendable {
    struct Counters: Sendable {
        var duration: HistogramID
        /// By tier, where the route is told apart by it, and status.
        var byStatus: [MetricID]
        /// Counters of one tier; 0 where tiers are not told apart.
        var tierStride = 0
        /// Hits, misses, stale answers; none where the route has never been cached.
        var cache: [MetricID] = []
    }

    private let registry: MetricsRegistry
    /// By route.
    private(set) var counters: [Counters] = []
    /// HEAD, by route; the route's own where it has none.
    private(set) var heads: [Counters] = []
    /// What no route took, by method.
    let unrouted: [Counters]

    /// Words that routes may need which come up later: a histogram, a counter for each tier and status, both for
    /// HEAD too, and cached answers of all there can be.
    static let spareWords =
        RouteTable.newRoutesMax
        * 2 * (GatewayMetrics.durationBounds.count + 2 + Tier.allCases.count * GatewayMetrics.statuses.count)
        + (RouteTable.newRoutesMax + PublicRoutes.routesMax) * cacheFamilies.count

    private static let cacheFamilies = [
        ("gateway_cache_hits_total", "Public requests answered by a fresh entry."),
        ("gateway_cache_misses_total", "Public requests of cached routes that an upstream answered."),
        ("gateway_cache_stale_total", "Public requests answered by a stale entry."),
    ]

    init(_ registry: MetricsRegistry, _ routes: RouteTable, _ publicRoutes: PublicRoutes) {
        self.registry = registry
        unrouted = HTTPMethod.allCases.map {
            Self.describe(registry, $0, "unrouted", tiers: ["none"], isRare: true)
        }
        add(routes, publicRoutes)
    }

    /// Counters of a table that came of ours.
    func extended(to routes: RouteTable, _ publicRoutes: PublicRoutes) -> RouteMetrics {
        var extended = self
        extended.add(routes, publicRoutes)
        return extended
    }

    private mutating func add(_ table: RouteTable, _ publicRoutes: PublicRoutes) {
        for (index, route) in table.routes.enumerated() {
            if index == counters.count {
                let own = Self.describe(registry, route.method, route.pattern, tiers: route.access.tiers)
                counters.append(own)
                let answersHead = route.method == .get && route.operation != .work
                heads.append(
                    answersHead
                        ? Self.describe(registry, .head, route.pattern, tiers: route.access.tiers, isRare: true) : own)
            }
            if route.relay >= 0, publicRoutes.routes[Int(route.relay)].cacheMs > 0, counters[index].cache.isEmpty {
                counters[index].cache = Self.cacheFamilies.map { [registry] name, help in
                    registry.add(.counter, name, help, labels: [("route", route.pattern)])
                }
            }
        }
    }

    /// - Parameter isRare: most of these never happen, and are shown only when they have.
    private static func describe(
        _ registry: MetricsRegistry, _ method: HTTPMethod, _ route: String, tiers: [String], isRare: Bool = false
    ) -> Counters {
        let labels = [("method", "\(method.name)"), ("route", route)]
        return Counters(
            duration: registry.addHistogram(
                "gateway_request_duration_seconds", "From a request's head to its answer.", labels: labels,
                bounds: GatewayMetrics.durationBounds, scale: 1e9, isSparse: isRare),
            byStatus: tiers.flatMap { tier in
                GatewayMetrics.statuses.map {
                    registry.add(
                        .counter, "gateway_requests_total", "Requests answered.",
                        labels: labels + [("status", "\($0)"), ("tier", tier)],
                        isSparse: isRare || $0 != 200 || tiers.count > 1)
                }
            }, tierStride: tiers.count > 1 ? GatewayMetrics.statuses.count : 0)
    }

    /// Hits, misses and stale answers of all routes.
    func cacheTotals(_ shards: [MetricsShard]) -> (hits: Int, misses: Int, stale: Int) {
        func total(_ position: Int) -> Int {
            counters.reduce(0) { $0 + ($1.cache.isEmpty ? 0 : shards.sum(of: $1.cache[position])) }
        }
        return (total(0), total(1), total(2))
    }

    // MARK: Counting

    /// Counts one answer.
    func count(_ exchange: borrowing AnsweredExchange, on shard: MetricsShard) {
        let route = Int(exchange.note.route)
        if route >= counters.count {
            Self.count(exchange, in: unrouted[Int(exchange.method.rawValue)], on: shard)
        } else if exchange.method == .head {
            Self.count(exchange, in: heads[route], on: shard)
        } else {
            Self.count(exchange, in: counters[route], on: shard)
        }
    }

    @inline(__always)
    private static func count(
        _ exchange: borrowing AnsweredExchange, in counters: borrowing Counters, on shard: MetricsShard
    ) {
        shard.observe(counters.duration, exchange.duration.nanoseconds)
        let tier = counters.tierStride * Int(exchange.note.tier)
        shard.add(counters.byStatus[tier + GatewayMetrics.statusPosition(exchange.status)], 1)
    }

    /// Counts how a request of a cached route was answered.
    func count(_ source: CacheOutcome.Source, route: Int, on shard: MetricsShard) {
        guard route < counters.count, !counters[route].cache.isEmpty else { return }
        let position =
            switch source {
            case .hit: 0
            case .miss: 1
            case .stale: 2
            }
        shard.add(counters[route].cache[position], 1)
    }
}
