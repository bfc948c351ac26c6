// What several reactors count adds up to what clients sent, exactly. Source: operations.md section 2.

import TestSupport
import Testing

@Suite struct MetricsSumTests {
    private static let clients = 24

    @Test func `the counters of four reactors add up to the requests that were sent`() throws {
        let live = try Live(["GATEWAY_REACTORS": "4", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        _ = try concurrently(Self.clients) { index in
            let worker = try live.worker()
            for _ in 0..<25 { _ = try worker.heartbeat() }
            for number in 0..<10 { _ = try worker.submit([Sample.result("\(index)-\(number)")]) }
            for (times, method, target, status) in [
                (5, "HEAD", "/health", 200), (3, "PATCH", "/nowhere/\(index)", 404),
                (2, "POST", "/internal/heartbeat", 422),
            ] {
                for _ in 0..<times {
                    let response = try worker.send(method, target, body: method == "POST" ? "{}" : nil)
                    guard response.status == status else {
                        throw TestFailure("\(method) \(target): \(response.status)")
                    }
                }
            }
        }
        let page = try MetricsPage(live)
        func count(_ method: String, _ route: String, _ status: Int) -> Int {
            let labels = ["method": method, "route": route, "status": "\(status)"]
            return Int(page.value("gateway_requests_total", labels)) / Self.clients
        }
        #expect(count("POST", "/internal/heartbeat", 200) == 25)
        #expect(count("POST", "/internal/heartbeat", 422) == 2)
        #expect(count("POST", "/internal/parcel/results", 200) == 10)
        #expect(count("HEAD", "/health", 200) == 5)
        #expect(count("PATCH", "unrouted", 404) == 3)
        #expect(page.value("gateway_heartbeats_total") == Double(25 * Self.clients))
        #expect(page.value("gateway_results_total", ["outcome": "inserted"]) == Double(10 * Self.clients))
        #expect(page.value("gateway_batch_size_sum", ["sink": "postgres"]) == Double(10 * Self.clients))
        for route in ["/internal/heartbeat", "/internal/parcel/results", "unrouted", "/health"] {
            #expect(
                page.value("gateway_request_duration_seconds_count", ["route": route])
                    == page.value("gateway_requests_total", ["route": route]), "\(route)")
        }
        #expect(page.values(of: "reactor", in: "gateway_reactor_busy_ratio") == ["0", "1", "2", "3"])
    }

    /// The table of the contract: a name, and the labels that its series have.
    private static let contract: [(String, Set<String>)] = [
        ("gateway_requests_total", ["method", "route", "status", "tier"]),
        ("gateway_request_duration_seconds_count", ["method", "route"]),
        ("gateway_active_connections", ["listener"]), ("gateway_connections_total", ["listener"]),
        ("gateway_workers_active", ["kind", "platform"]),
        ("gateway_worker_tasks_total", ["kind", "platform", "status"]),
        ("gateway_queue_depth", ["kind", "platform", "priority"]),
        ("gateway_queue_oldest_seconds", ["kind", "platform", "priority"]),
        ("gateway_tasks_leased", ["kind", "platform", "priority"]),
        ("gateway_tasks_delayed", ["kind", "platform", "priority"]),
        ("gateway_tasks_dead", ["kind", "platform", "priority"]),
        ("gateway_results_total", ["kind", "outcome"]),
        ("gateway_batch_size_count", ["sink"]), ("gateway_batch_duration_seconds_count", ["sink"]),
        ("gateway_heartbeats_total", ["kind"]),
        ("gateway_rate_limit_hits_total", ["tier"]), ("gateway_quota_hits_total", ["tier"]),
        ("gateway_cache_hits_total", ["route"]), ("gateway_cache_misses_total", ["route"]),
        ("gateway_cache_stale_total", ["route"]),
        ("gateway_circuit_breaker_state", ["service"]), ("gateway_upstream_requests_total", ["service", "status"]),
        ("gateway_upstream_duration_seconds_count", ["service", "status"]),
        ("gateway_proxy_available", ["kind", "platform"]), ("gateway_proxy_banned", ["kind", "platform"]),
        ("gateway_redis_connected", ["reactor"]), ("gateway_redis_reconnects_total", ["reactor"]),
        ("gateway_postgres_connected", ["reactor"]), ("gateway_postgres_reconnects_total", ["reactor"]),
        ("gateway_reactor_loop_seconds_count", ["reactor"]), ("gateway_reactor_busy_ratio", ["reactor"]),
        ("gateway_log_lines_dropped_total", []),
        ("process_cpu_seconds_total", []), ("process_resident_memory_bytes", []), ("process_open_fds", []),
        ("process_max_fds", []), ("process_start_time_seconds", []),
        ("gateway_build_info", ["version", "commit", "swift", "backend"]),
    ]

    @Test func `every metric of the contract is on the page, with its labels`() throws {
        let fleet = try FleetFixture(environment: ["GATEWAY_PROXIES": "socks5://127.0.0.1:1"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w", "capacity=1").count == 1)
        for (name, labels) in Self.contract {
            let found = try MetricsPage(fleet[0]).samples.filter { $0.name == name }
            #expect(!found.isEmpty, "\(name)")
            #expect(found.allSatisfy { Set($0.labels.keys) == labels }, "\(name): \(found.first as Any)")
        }
    }
}
