// All metrics of the process: described here once, counted in shards, written by /metrics. Immutable after start.
// Limits: `platformsMax` platforms have series of their own, later ones are `other`; routes are the table's patterns.
// Source: operations.md section 2 for the names.

import Reactor

/// What became of a task: values of the `status` label.
enum TaskStatus: Int, CaseIterable, Sendable {
    case leased, completed, failed, requeued, dead

    var name: String { "\(self)" }
}

/// Gauges of a queue, refreshed every few seconds; the same on every gateway of a fleet, so take their maximum.
enum QueueGauge: Int, CaseIterable, Sendable {
    // By kind, platform and priority.
    case depth, oldest, leased, delayed, dead
    // By kind and platform.
    case workers

    var name: String {
        switch self {
        case .depth: "gateway_queue_depth"
        case .oldest: "gateway_queue_oldest_seconds"
        case .leased: "gateway_tasks_leased"
        case .delayed: "gateway_tasks_delayed"
        case .dead: "gateway_tasks_dead"
        case .workers: "gateway_workers_active"
        }
    }

    var help: String {
        switch self {
        case .depth: "Tasks that are ready."
        case .oldest: "Age of the oldest ready task, from its enqueueing."
        case .leased: "Tasks that workers hold."
        case .delayed: "Tasks that wait for a retry."
        case .dead: "Dead letters."
        case .workers: "Workers heard from within the lease time, by each platform they name."
        }
    }

    var priorities: ClosedRange<Int> { self == .workers ? 0...0 : 1...4 }
}

/// Gauges of the proxies by kind and platform; the same on every gateway of a fleet, so take their maximum.
enum ProxyGauge: Int, CaseIterable, Sendable {
    case available, banned

    var name: String { "gateway_proxy_\(self)" }

    var help: String {
        switch self {
        case .available: "Proxies of the pool that are not banned there, on each platform that was asked for lately."
        case .banned: "Proxies that are banned or cool down there."
        }
    }
}

/// Values of the `outcome` label, one metric each.
struct OutcomeMetrics: Sendable {
    var inserted: MetricID
    var updated: MetricID
    var stale: MetricID
    var failed: MetricID
}

/// One for each sink.
struct SinkMetrics: Sendable {
    var redis: HistogramID
    var postgres: HistogramID
}

final class GatewayMetrics: Sendable {
    static let platformsMax = 64
    /// Statuses that have counters of their own; others are counted under their hundred.
    static let statuses = [
        100, 200, 201, 202, 204, 206, 300, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 429, 431,
        500, 501,
        502, 503, 504, 505,
    ]

    let reactorCount: Int
    let registry = MetricsRegistry()
    let platforms: LabelSet
    let shards: [MetricsShard]
    let heartbeats: [MetricID]
    let results: [OutcomeMetrics]
    let batchSize: SinkMetrics
    let batchDuration: SinkMetrics
    let rateLimitHits: MetricID
    let redisConnected: MetricID
    let redisReconnects: MetricID
    let postgresConnected: MetricID
    let postgresReconnects: MetricID
    let loop: HistogramID
    let busyRatio: MetricID
    let overloadLevel: MetricID
    /// By class.
    let overloadRefused: [MetricID]
    let activeConnections: [MetricID]
    let connections: [MetricID]
    let tiers: TierMetrics
    let upstreams: UpstreamMetrics
    let spansSent: MetricID
    let spansDropped: MetricID
    private let tasks: Int
    /// Families, by `QueueGauge`.
    private let queueGauges: [Int]
    /// Families, by `ProxyGauge`.
    private let proxyGauges: [Int]
    /// Of the routes that the process started with.
    let routes: RouteMetrics

    /// `busyRatio` is counted in millionths.
    static let busyScale = 1e6

    /// 100 µs to 30 s, in nanoseconds.
    static let durationBounds: [Int64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 10_000_000_000, 30_000_000_000,
    ]
    private static let sizeBounds: [Int64] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096]

    init(
        reactors: Int, routes: RouteTable, listeners: [ListenerSetting], poller: PollerKind,
        services: [UpstreamService] = [],
        publicRoutes: PublicRoutes = .builtIn
    ) {
        reactorCount = reactors
        let registry = registry
        self.routes = RouteMetrics(registry, routes, publicRoutes)
        let kinds = WorkKind.allCases.map { [("kind", $0.name)] }
        heartbeats = kinds.map {
            registry.add(.counter, "gateway_heartbeats_total", "Heartbeats received.", labels: $0)
        }
        results = kinds.map { Self.describeResults(registry, $0) }
        batchSize = Self.sinks(registry, "gateway_batch_size", "Entries of one batch.", Self.sizeBounds, scale: 1)
        batchDuration = Self.sinks(
            registry, "gateway_batch_duration_seconds", "From a batch's departure to its landing.",
            Self.durationBounds, scale: 1e9)
        rateLimitHits = registry.add(
            .counter, "gateway_rate_limit_hits_total", "Requests refused by a rate.", labels: [("tier", "worker")])
        tiers = TierMetrics(registry, workerRateHits: rateLimitHits)
        redisConnected = registry.addByReactor(
            .gauge, "gateway_redis_connected", "1 while the reactor is connected to Redis.", reactors: reactors)
        redisReconnects = registry.addByReactor(
            .counter, "gateway_redis_reconnects_total", "Connections to Redis lost.", reactors: reactors)
        postgresConnected = registry.addByReactor(
            .gauge, "gateway_postgres_connected", "1 while the reactor is connected to PostgreSQL.",
            reactors: reactors)
        postgresReconnects = registry.addByReactor(
            .counter, "gateway_postgres_reconnects_total", "Connections to PostgreSQL lost.", reactors: reactors)
        loop = registry.addHistogram(
            "gateway_reactor_loop_seconds", "Work of one turn of the loop.", bounds: Self.durationBounds, scale: 1e9,
            reactors: reactors)
        busyRatio = registry.addByReactor(
            .gauge, "gateway_reactor_busy_ratio", "Share of the last second or more spent working, not waiting.",
            reactors: reactors, scale: Self.busyScale)
        overloadLevel = registry.addByReactor(
            .gauge, "gateway_overload_level", "0: none; 1 refuses the public, 2 pulls, 3 results, 4 heartbeats.",
            reactors: reactors)
        overloadRefused = OverloadClass.allCases.map {
            registry.add(
                .counter, "gateway_overload_refused_total", "Requests refused because the reactor is overloaded.",
                labels: [("class", $0.name)])
        }
        let labels = listeners.map { [("listener", $0.shown)] }
        activeConnections = labels.map {
            registry.add(.gauge, "gateway_active_connections", "Open connections.", labels: $0)
        }
        connections = labels.map {
            registry.add(.counter, "gateway_connections_total", "Connections accepted.", labels: $0)
        }
        platforms = LabelSet(registry, label: "platform", valuesMax: Self.platformsMax)
        tasks = platforms.addFamily(
            .counter, "gateway_worker_tasks_total", "Tasks by what became of them.",
            fixed: WorkKind.allCases.flatMap { kind in
                TaskStatus.allCases.map { [("kind", kind.name), ("status", $0.name)] }
            })
        queueGauges = QueueGauge.allCases.map { [platforms] in Self.describe($0, platforms) }
        proxyGauges = ProxyGauge.allCases.map { [platforms] in
            platforms.addFamily(.gauge, $0.name, $0.help, fixed: WorkKind.allCases.map { [("kind", $0.name)] })
        }
        upstreams = UpstreamMetrics(registry, services: services, durationBounds: Self.durationBounds)
        (spansSent, spansDropped) = Self.describeSpans(registry)
        Self.describeProcess(registry, poller)
        shards = registry.makeShards(reactors, spareWords: RouteMetrics.spareWords)
    }

    private static func describe(_ gauge: QueueGauge, _ platforms: LabelSet) -> Int {
        platforms.addFamily(
            .gauge, gauge.name, gauge.help,
            fixed: WorkKind.allCases.flatMap { kind in
                gauge.priorities.map { [("kind", kind.name)] + ($0 > 0 ? [("priority", "\($0)")] : []) }
            })
    }

    private static func describeResults(_ registry: MetricsRegistry, _ kind: [(String, String)]) -> OutcomeMetrics {
        func outcome(_ name: String) -> MetricID {
            registry.add(
                .counter, "gateway_results_total", "Results by what became of them.", labels: kind + [("outcome", name)]
            )
        }
        return OutcomeMetrics(
            inserted: outcome("inserted"), updated: outcome("updated"), stale: outcome("stale"),
            failed: outcome("failed"))
    }

    private static func sinks(
        _ registry: MetricsRegistry, _ name: String, _ help: String, _ bounds: [Int64], scale: Double
    ) -> SinkMetrics {
        SinkMetrics(
            redis: registry.addHistogram(name, help, labels: [("sink", "redis")], bounds: bounds, scale: scale),
            postgres: registry.addHistogram(name, help, labels: [("sink", "postgres")], bounds: bounds, scale: scale))
    }

    private static func describeSpans(_ registry: MetricsRegistry) -> (sent: MetricID, dropped: MetricID) {
        func outcome(_ name: String) -> MetricID {
            registry.add(
                .counter, "gateway_trace_spans_total", "Spans by whether the collector took them.",
                labels: [("outcome", name)])
        }
        return (outcome("sent"), outcome("dropped"))
    }

    private static func describeProcess(_ registry: MetricsRegistry, _ poller: PollerKind) {
        let read: [(MetricKind, String, String, @Sendable (ProcessUsage) -> Double)] = [
            (.counter, "process_cpu_seconds_total", "User and system time.", { $0.cpuSeconds }),
            (.gauge, "process_resident_memory_bytes", "Resident memory.", { Double($0.residentBytes) }),
            (.gauge, "process_virtual_memory_bytes", "Virtual memory.", { Double($0.virtualBytes) }),
            (.gauge, "process_open_fds", "Open descriptors.", { Double($0.descriptorsOpen) }),
            (.gauge, "process_max_fds", "Limit of open descriptors.", { Double($0.descriptorsMax) }),
            (.gauge, "process_start_time_seconds", "Start, since the Unix epoch.", { $0.startedSeconds }),
        ]
        for (kind, name, help, value) in read {
            registry.add(kind, name, help, read: { ProcessUsage.read().map(value) ?? .nan })
        }
        registry.add(
            .gauge, "gateway_build_info", "1; the labels say what runs.",
            labels: [
                ("version", BuildInfo.version), ("commit", BuildInfo.commit), ("swift", BuildInfo.swift),
                ("backend", poller.rawValue),
            ], read: { 1 })
    }

    // MARK: Counting

    static func statusPosition(_ status: Int) -> Int {
        if status == 200 { return 1 }
        return statuses.firstIndex(of: status) ?? statuses.firstIndex(of: status / 100 * 100) ?? 0
    }

    /// The counter of tasks of a platform; the cache is the caller's reactor's.
    func tasks(
        _ kind: WorkKind, _ status: TaskStatus, platform: RawSpan, in cache: inout LabelCache
    ) -> MetricID {
        let fixed = Int(kind.rawValue) * TaskStatus.allCases.count + status.rawValue
        return cache.metric(family: tasks, fixed: fixed, value: platform)
    }
}

extension GatewayMetrics {
    /// Shows what the log could not take.
    /// - Parameter linesDropped: asked for at each scrape, on any thread.
    func describeLog(linesDropped: @escaping @Sendable () -> Int) {
        registry.add(
            .counter, "gateway_log_lines_dropped_total", "Lines of the log for which there was no room.",
            read: { Double(linesDropped()) })
    }

    /// A queue's gauge; the cache is the caller's reactor's.
    /// - Parameter priority: 1 … 4, 0 for a gauge without.
    func queueGauge(
        _ gauge: QueueGauge, _ kind: WorkKind, priority: Int, platform: RawSpan, in cache: inout LabelCache
    ) -> MetricID {
        let fixed = Int(kind.rawValue) * gauge.priorities.count + priority - gauge.priorities.lowerBound
        return cache.metric(family: queueGauges[gauge.rawValue], fixed: fixed, value: platform)
    }

    /// A gauge of proxies; the cache is the caller's reactor's.
    func proxyGauge(
        _ gauge: ProxyGauge, _ kind: WorkKind, platform: RawSpan, in cache: inout LabelCache
    ) -> MetricID {
        cache.metric(family: proxyGauges[gauge.rawValue], fixed: Int(kind.rawValue), value: platform)
    }
}

extension Access {
    /// Values of the `tier` label; where there are several, by the note's tier.
    var tiers: [String] {
        switch self {
        case .open: ["none"]
        case .worker: ["worker"]
        case .ops: ["ops"]
        case .caller: Tier.allCases.map(\.name)
        }
    }
}
