// What is counted of upstream services, described once. Immutable; shared by all reactors.
// Bounded: services are those of the table, statuses those that have counters anyway and the ways to fail.
// Source: operations.md section 2.

import Reactor

struct UpstreamMetrics: Sendable {
    /// Histograms are many series: they tell hundreds of statuses apart, and what failed without one.
    private static let statusClasses = ["1xx", "2xx", "3xx", "4xx", "5xx", "failed"]
    private static let failures = ["connect_failed", "timeout", "reset", "malformed", "refused"]

    private let requests: [[MetricID]]
    /// By service and `statusClasses`.
    private let durations: [[HistogramID]]

    init(_ registry: MetricsRegistry, services: [UpstreamService], durationBounds: [Int64]) {
        let labels = GatewayMetrics.statuses.map { "\($0)" } + Self.failures
        requests = ServiceName.allCases.map { service in
            labels.map {
                registry.add(
                    .counter, "gateway_upstream_requests_total", "Requests to upstream services, retries included.",
                    labels: [("service", service.rawValue), ("status", $0)], isSparse: $0 != "200")
            }
        }
        durations = ServiceName.allCases.map { service in
            Self.statusClasses.map {
                registry.addHistogram(
                    "gateway_upstream_duration_seconds", "From a request to the head of the upstream's answer.",
                    labels: [("service", service.rawValue), ("status", $0)], bounds: durationBounds, scale: 1e9,
                    isSparse: $0 != "2xx")
            }
        }
        for service in services {
            registry.add(
                .gauge, "gateway_circuit_breaker_state", "0 closed, 1 half-open, 2 open.",
                labels: [("service", service.name.rawValue)], read: { Double(service.breakerPhase.rawValue) })
        }
    }

    /// Requests by status or failure, those that occurred, and how long they took by bucket of `durationBounds`.
    func read(
        _ service: ServiceName, _ shards: [MetricsShard]
    ) -> (statuses: [(name: String, count: Int)], buckets: [Int]) {
        let index = service == .parser ? 0 : 1
        let names = GatewayMetrics.statuses.map { "\($0)" } + Self.failures
        let counts = zip(names, requests[index]).map { (name: $0, count: shards.sum(of: $1)) }
        let buckets = durations[index].map { shards.buckets(of: $0) }
        let totals = buckets[0].indices.map { bucket in buckets.reduce(0) { $0 + $1[bucket] } }
        return (counts.filter { $0.count > 0 }, totals)
    }

    func count(_ service: ServiceName, status: Int, _ duration: Interval, on shard: MetricsShard) {
        add(service, GatewayMetrics.statusPosition(status), status / 100 - 1, duration, on: shard)
    }

    func count(_ service: ServiceName, failure: HTTPClientFailure, _ duration: Interval, on shard: MetricsShard) {
        let position =
            switch failure {
            case .connectFailed: 0
            case .timedOut: 1
            case .resetBeforeResponse, .resetDuringResponse: 2
            case .protocolViolation, .tooLarge: 3
            case .unsupported, .overloaded, .cancelled: 4
            }
        add(service, GatewayMetrics.statuses.count + position, Self.statusClasses.count - 1, duration, on: shard)
    }

    private func add(
        _ service: ServiceName, _ position: Int, _ statusClass: Int, _ duration: Interval, on shard: MetricsShard
    ) {
        let index = service == .parser ? 0 : 1
        shard.add(requests[index][position], 1)
        shard.observe(durations[index][statusClass], duration.nanoseconds)
    }
}
