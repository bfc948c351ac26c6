// The overview as JSON: counters as they stand (the page makes rates of them), gauges as they are. Runs on the reactor's
// thread; reads all reactors' shards relaxed.

import Reactor

extension OpsOverview {
    private var metrics: GatewayMetrics { shared.metrics }
    private var shards: [MetricsShard] { shared.metrics.shards }

    func write(to out: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&out)
        json.member("at_ms", Int(reactor.wallMicroseconds / 1000), &out)
        json.member("monotonic_ms", Int(reactor.now.nanoseconds / 1_000_000), &out)
        writeProcess(&json, &out)
        writeDependencies(&json, &out)
        writeConnections(&json, &out)
        writeRoutes(&json, &out)
        json.key("kinds", &out)
        json.openObject(&out)
        for kind in WorkKind.allCases { write(kind, &json, &out) }
        json.closeObject(&out)
        writeUpstreams(&json, &out)
        writePublic(&json, &out)
        json.closeObject(&out)
    }

    // MARK: Process

    private func writeProcess(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("process", &out)
        json.openObject(&out)
        json.member("id", text: String(shared.processToken.prefix(8)), &out)
        json.member("version", text: BuildInfo.version, &out)
        json.member("commit", text: BuildInfo.commit, &out)
        json.member("backend", text: shared.poller.kind.rawValue, &out)
        json.key("draining", &out)
        json.bool(shared.life.isDraining, &out)
        if let usage = ProcessUsage.read() {
            json.member("started_at_ms", Int(usage.startedSeconds * 1000), &out)
            json.key("cpu_seconds", &out)
            json.number(usage.cpuSeconds, &out)
            json.member("resident_bytes", usage.residentBytes, &out)
            json.member("descriptors_open", usage.descriptorsOpen, &out)
            json.member("descriptors_max", usage.descriptorsMax, &out)
        }
        json.key("reactors", &out)
        json.openArray(&out)
        for shard in shards {
            json.openObject(&out)
            json.key("busy_ratio", &out)
            json.number(Double(shard.value(of: metrics.busyRatio)) / GatewayMetrics.busyScale, &out)
            json.key("redis_connected", &out)
            json.bool(shard.value(of: metrics.redisConnected) != 0, &out)
            json.key("postgres_connected", &out)
            json.bool(shard.value(of: metrics.postgresConnected) != 0, &out)
            json.closeObject(&out)
        }
        json.closeArray(&out)
        json.closeObject(&out)
    }

    private func writeDependencies(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("dependencies", &out)
        json.openObject(&out)
        write("redis", checks?.redis, connected: metrics.redisConnected, lost: metrics.redisReconnects, &json, &out)
        write(
            "postgres", checks?.postgres, connected: metrics.postgresConnected, lost: metrics.postgresReconnects,
            &json, &out)
        write("raw_storage", checks?.storage, connected: nil, lost: nil, &json, &out)
        json.closeObject(&out)
    }

    /// - Parameter connected: tells of a loss at once, before the next check does.
    private func write(
        _ name: StaticString, _ check: Dependencies.State?, connected: MetricID?, lost: MetricID?,
        _ json: inout JSONWriter,
        _ out: inout ByteBuffer
    ) {
        let connections = connected.map { shards.sum(of: $0) }
        json.key(name, &out)
        json.openObject(&out)
        json.key("status", &out)
        if connections == 0 || check.map({ $0.latency == nil }) == true {
            json.string("unavailable", &out)
        } else if connections.map({ $0 < shards.count }) == true {
            json.string("degraded", &out)
        } else {
            json.string(check == nil ? "unknown" : "ok", &out)
        }
        (check ?? Dependencies.State()).writeLatency(&json, &out)
        if let connections { json.member("reactors_connected", connections, &out) }
        if let lost { json.member("connections_lost", shards.sum(of: lost), &out) }
        json.closeObject(&out)
    }

    private func writeConnections(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("listeners", &out)
        json.openArray(&out)
        for (index, listener) in shared.listeners.enumerated() {
            json.openObject(&out)
            json.member("listener", text: listener.shown, &out)
            json.member("open", shards.sum(of: metrics.activeConnections[index]), &out)
            json.member("accepted", shards.sum(of: metrics.connections[index]), &out)
            json.closeObject(&out)
        }
        json.closeArray(&out)
    }

    // MARK: Requests

    /// Routes that were asked for.
    private func writeRoutes(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("duration_bounds_ms", &out)
        json.openArray(&out)
        for bound in GatewayMetrics.durationBounds { json.number(Double(bound) / 1e6, &out) }
        json.closeArray(&out)
        json.key("routes", &out)
        json.openArray(&out)
        let counted = shared.live.tables.routeMetrics
        for (index, route) in shared.routes.routes.enumerated() {
            let mayWait = route.operation == .work
            write(counted.counters[index], route.method, route.pattern, mayWait: mayWait, &json, &out)
            if counted.heads[index].duration != counted.counters[index].duration {
                write(counted.heads[index], .head, route.pattern, mayWait: mayWait, &json, &out)
            }
        }
        for (method, unrouted) in zip(HTTPMethod.allCases, counted.unrouted) {
            write(unrouted, method, "unrouted", mayWait: false, &json, &out)
        }
        json.closeArray(&out)
    }

    private func write(
        _ counters: RouteMetrics.Counters, _ method: HTTPMethod, _ route: String, mayWait: Bool,
        _ json: inout JSONWriter, _ out: inout ByteBuffer
    ) {
        let buckets = shards.buckets(of: counters.duration)
        guard buckets.contains(where: { $0 > 0 }) else { return }
        json.openObject(&out)
        json.member("method", text: "\(method.name)", &out)
        json.member("route", text: route, &out)
        json.key("may_wait", &out)
        json.bool(mayWait, &out)
        json.key("statuses", &out)
        json.openObject(&out)
        for (position, status) in GatewayMetrics.statuses.enumerated() {
            let tiers = stride(from: position, to: counters.byStatus.count, by: GatewayMetrics.statuses.count)
            let count = tiers.reduce(0) { $0 + shards.sum(of: counters.byStatus[$1]) }
            if count > 0 { json.member(text: "\(status)", count, &out) }
        }
        json.closeObject(&out)
        json.key("buckets", &out)
        json.numbers(buckets, &out)
        json.closeObject(&out)
    }

    private func writeUpstreams(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("upstreams", &out)
        json.openArray(&out)
        for name in ServiceName.allCases {
            let service = shared.service(name)
            let (statuses, buckets) = metrics.upstreams.read(name, shards)
            json.openObject(&out)
            json.member("service", text: name.rawValue, &out)
            json.member("endpoints", service.groups.reduce(0) { $0 + $1.endpoints.count }, &out)
            json.key("circuit", &out)
            switch service.breakerPhase {
            case .closed: json.string("closed", &out)
            case .halfOpen: json.string("half_open", &out)
            case .open: json.string("open", &out)
            }
            json.key("statuses", &out)
            json.openObject(&out)
            for (status, count) in statuses { json.member(text: status, count, &out) }
            json.closeObject(&out)
            json.key("buckets", &out)
            json.numbers(buckets, &out)
            json.closeObject(&out)
        }
        json.closeArray(&out)
    }

    /// What the public surface's cache and limits did.
    private func writePublic(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        let cache = shared.live.tables.routeMetrics.cacheTotals(shards)
        let tiers = metrics.tiers
        json.key("cache", &out)
        json.openObject(&out)
        json.member("hits", cache.hits, &out)
        json.member("misses", cache.misses, &out)
        json.member("stale", cache.stale, &out)
        json.closeObject(&out)
        json.key("refused", &out)
        json.openObject(&out)
        json.member("rate", Tier.allCases.reduce(0) { $0 + shards.sum(of: tiers.rateHits($1)) }, &out)
        json.member("quota", Tier.allCases.reduce(0) { $0 + shards.sum(of: tiers.quotaHits($1)) }, &out)
        json.closeObject(&out)
    }
}

// MARK: - Queues

extension OpsOverview {
    private func write(_ kind: WorkKind, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        let index = Int(kind.rawValue)
        let figures = index < figures.count ? figures[index] : nil
        json.key(text: Array(kind.name.utf8).rawBytes, &out)
        json.openObject(&out)
        json.member("heartbeats", shards.sum(of: metrics.heartbeats[index]), &out)
        let results = metrics.results[index]
        json.key("results", &out)
        json.openObject(&out)
        json.member("inserted", shards.sum(of: results.inserted), &out)
        json.member("updated", shards.sum(of: results.updated), &out)
        json.member("stale", shards.sum(of: results.stale), &out)
        json.member("failed", shards.sum(of: results.failed), &out)
        json.closeObject(&out)
        writeTasks(kind, &json, &out)
        json.key("queue", &out)
        if let figures {
            json.openObject(&out)
            json.member("ready", figures.queued, &out)
            json.member("leased", figures.leased, &out)
            json.member("delayed", figures.delayed, &out)
            json.member("dead", figures.dead, &out)
            json.member("oldest_seconds", figures.oldestSeconds, &out)
            json.member("workers", figures.workers, &out)
            json.member("workers_alive", figures.workersAlive, &out)
            json.closeObject(&out)
        } else {
            json.null(&out)
        }
        writePlatforms(kind, figures, &json, &out)
        json.closeObject(&out)
    }

    private func writeTasks(_ kind: WorkKind, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        let names = metrics.platforms.known.map { Array($0.utf8) }
        json.key("tasks", &out)
        json.openObject(&out)
        for status in TaskStatus.allCases {
            let total = names.reduce(0) { total, name in
                total + shards.sum(of: metrics.tasks(kind, status, platform: name.rawBytes, in: &platforms))
            }
            json.member(text: status.name, total, &out)
        }
        json.closeObject(&out)
    }

    /// Depths and ages are this second's; the others were counted by the census up to some seconds ago.
    private func writePlatforms(
        _ kind: WorkKind, _ figures: QueueFigures?, _ json: inout JSONWriter, _ out: inout ByteBuffer
    ) {
        let rows = platformRows(kind, figures)
        json.member("platforms_total", rows.count, &out)
        json.key("platforms", &out)
        json.openArray(&out)
        for row in rows.prefix(Self.platformsMax) {
            json.openObject(&out)
            json.member("platform", text: row.name, &out)
            json.key("ready", &out)
            json.numbers(row.ready, &out)
            json.key("oldest_seconds", &out)
            json.numbers(row.oldestSeconds, &out)
            json.member("leased", row.counted[QueueGauge.leased.rawValue], &out)
            json.member("delayed", row.counted[QueueGauge.delayed.rawValue], &out)
            json.member("dead", row.counted[QueueGauge.dead.rawValue], &out)
            json.member("workers", row.counted[QueueGauge.workers.rawValue], &out)
            json.member("proxies_available", row.proxies[ProxyGauge.available.rawValue], &out)
            json.member("proxies_banned", row.proxies[ProxyGauge.banned.rawValue], &out)
            json.closeObject(&out)
        }
        json.closeArray(&out)
    }

    private struct PlatformRow {
        var name: String
        /// By priority.
        var ready = [0, 0, 0, 0]
        var oldestSeconds = [0, 0, 0, 0]
        /// By `QueueGauge`, and by `ProxyGauge`.
        var counted: [Int]
        var proxies: [Int]

        var tasks: Int { ready.reduce(0, +) + counted[QueueGauge.leased.rawValue] + counted[QueueGauge.dead.rawValue] }
        var isEmpty: Bool { tasks == 0 && counted.allSatisfy { $0 == 0 } && proxies.allSatisfy { $0 == 0 } }
    }

    /// Platforms that have something to show, those with most tasks first.
    private func platformRows(_ kind: WorkKind, _ figures: QueueFigures?) -> [PlatformRow] {
        let known = Set(metrics.platforms.known)
        let queued = figures?.platforms ?? [:]
        let rows = known.union(queued.keys).map { name in
            var row = PlatformRow(
                name: name, counted: Array(repeating: 0, count: QueueGauge.allCases.count),
                proxies: Array(repeating: 0, count: ProxyGauge.allCases.count))
            for (index, depth) in (queued[name] ?? []).enumerated() {
                row.ready[index] = depth.tasks
                row.oldestSeconds[index] = figures?.seconds(since: depth.oldestMs) ?? 0
            }
            // Those beyond the bound of labels are counted together, as `other`.
            if known.contains(name) { count(&row, kind) }
            return row
        }
        return rows.filter { !$0.isEmpty }.sorted { ($1.tasks, $0.name) < ($0.tasks, $1.name) }
    }

    private func count(_ row: inout PlatformRow, _ kind: WorkKind) {
        let name = Array(row.name.utf8)
        for gauge in [QueueGauge.leased, .delayed, .dead, .workers] {
            row.counted[gauge.rawValue] = gauge.priorities.reduce(0) { total, priority in
                let metric = metrics.queueGauge(
                    gauge, kind, priority: priority, platform: name.rawBytes, in: &platforms)
                return total + shards.sum(of: metric)
            }
        }
        for gauge in ProxyGauge.allCases {
            let metric = metrics.proxyGauge(gauge, kind, platform: name.rawBytes, in: &platforms)
            row.proxies[gauge.rawValue] = shards.sum(of: metric)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: StaticString, _ value: Int, _ out: inout ByteBuffer) {
        key(name, &out)
        number(value, &out)
    }

    fileprivate mutating func member(_ name: StaticString, text: String, _ out: inout ByteBuffer) {
        key(name, &out)
        string(text: text, &out)
    }

    /// A member whose name is data.
    fileprivate mutating func member(text name: String, _ value: Int, _ out: inout ByteBuffer) {
        key(text: Array(name.utf8).rawBytes, &out)
        number(value, &out)
    }

    fileprivate mutating func numbers(_ values: [Int], _ out: inout ByteBuffer) {
        openArray(&out)
        for value in values { number(value, &out) }
        closeArray(&out)
    }
}
