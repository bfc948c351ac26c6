// The /metrics page of a live gateway: valid, equal to what was sent, and bounded. Source: operations.md section 2.

import Reactor
import TestSupport
import Testing

@Suite struct MetricsTests {
    private func quiet() throws -> Live { try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"]) }

    @Test func `heartbeats, results and tasks are counted as they were sent`() throws {
        let live = try quiet()
        let workers = try (0..<4).map { _ in try live.worker() }
        for worker in workers { for _ in 0..<5 { _ = try worker.heartbeat() } }
        _ = try workers[0].call("POST", "/internal/party/heartbeat", body: Sample.heartbeat(",\"task_ids\":[]"))
        _ = try workers[0].enqueue((0..<12).map { Sample.task("t-\($0)", platform: $0 < 8 ? "one" : "two") })
        #expect(try workers[1].pull("capacity=12").count == 12)
        _ = try workers[1].complete("t-0")
        _ = try workers[1].fail("t-1")
        _ = try workers[1].fail("t-2", body: "{\"retry_suggested\":false}")
        func timed(_ task: String, _ minute: Int, _ data: String = "{}") -> String {
            Sample.result(
                "p", data: data, ["task_id": "\"\(task)\"", "scraped_at": "\"2026-02-04T10:0\(minute):00Z\""])
        }
        _ = try workers[2].submit([timed("t-3", 2)])
        _ = try workers[2].submit([timed("t-4", 3)])
        _ = try workers[2].submit([timed("t-8", 1), timed("none", 9, "{\"a\":\"\\u0000\"}")])
        let page = try MetricsPage(live)
        func value(_ name: String, _ labels: [String: String]) -> Double {
            page.value(name, ["kind": "parcel"].merging(labels) { $1 })
        }
        #expect(value("gateway_heartbeats_total", [:]) == 20)
        #expect(value("gateway_heartbeats_total", ["kind": "party"]) == 1)
        for outcome in ["inserted", "updated", "stale", "failed"] {
            #expect(value("gateway_results_total", ["outcome": outcome]) == 1, "\(outcome)")
        }
        #expect(value("gateway_worker_tasks_total", ["status": "leased", "platform": "one"]) == 8)
        #expect(value("gateway_worker_tasks_total", ["status": "leased", "platform": "two"]) == 4)
        #expect(value("gateway_worker_tasks_total", ["status": "completed"]) == 4)
        #expect(value("gateway_worker_tasks_total", ["status": "failed"]) == 1)
        #expect(value("gateway_worker_tasks_total", ["status": "dead"]) == 1)
        #expect(page.value("gateway_batch_size_count", ["sink": "postgres"]) == 3)
        #expect(page.value("gateway_batch_size_count", ["sink": "redis"]) >= 1)
        #expect(
            page.value("gateway_redis_connected")
                == Double(page.values(of: "reactor", in: "gateway_redis_connected").count))
        #expect(page.value("gateway_build_info", ["backend": PollerKind.underTest.rawValue]) == 1)
    }

    @Test func `requests are counted by method, route and status, never by path`() throws {
        let live = try quiet()
        let worker = try live.worker()
        for number in 0..<7 { _ = try worker.call("POST", "/internal/tasks/task-\(number)/complete") }
        for number in 0..<5 { _ = try worker.send("GET", "/unknown/\(number)?secret=1") }
        for _ in 0..<3 { _ = try worker.send("POST", "/internal/heartbeat", body: "{}") }
        _ = try worker.send("DELETE", "/internal/heartbeat")
        try RawHTTP(port: live.port).send("nonsense\r\n\r\n")
        try eventually("the refused request is counted") {
            try MetricsPage(live).value("gateway_requests_total", ["route": "unrouted", "status": "400"]) == 1
        }
        let page = try MetricsPage(live)
        func count(_ route: String, _ status: Int) -> Double {
            page.value("gateway_requests_total", ["route": route, "status": "\(status)"])
        }
        #expect(count("/internal/tasks/{id}/complete", 200) == 7)
        #expect(count("/internal/heartbeat", 422) == 3)
        #expect(count("unrouted", 404) == 5)
        #expect(count("unrouted", 405) == 1)
        #expect(page.value("gateway_request_duration_seconds_count", ["route": "/internal/tasks/{id}/complete"]) == 7)
        #expect(!page.text.contains("secret") && !page.text.contains("task-1"))
        // Every histogram's last bucket is its count.
        for sample in page.samples where sample.name.hasSuffix("_count") {
            let name = sample.name.dropLast("_count".count)
            let last = page.value("\(name)_bucket", sample.labels.merging(["le": "+Inf"]) { $1 })
            #expect(last == sample.value, "\(sample)")
        }
    }

    @Test func `platforms beyond 64 are counted as other`() throws {
        let live = try quiet()
        let worker = try live.worker()
        // One of them is really called so.
        let names = (0..<70).map { "platform-\($0)" } + ["other"]
        _ = try worker.enqueue((0..<142).map { Sample.task("t-\($0)", platform: names[$0 % 71]) })
        #expect(try worker.pull("capacity=100").count == 100)
        #expect(try worker.pull("capacity=100").count == 42)
        let page = try MetricsPage(live)
        let platforms = page.values(of: "platform", in: "gateway_worker_tasks_total")
        #expect(platforms.count <= 65)
        #expect(platforms.contains("other"))
        #expect(page.value("gateway_worker_tasks_total", ["status": "leased"]) == 142)
        try expectNoSeriesTwice(page)
    }

    private func expectNoSeriesTwice(_ page: MetricsPage) throws {
        var seen: Set<Substring> = []
        for line in page.text.split(separator: "\n") where !line.hasPrefix("#") {
            let series = line[..<(line.lastIndex(of: " ") ?? line.endIndex)]
            #expect(seen.insert(series).inserted, "\(series)")
        }
        #expect(!seen.isEmpty)
    }

    /// A gateway that has something to show of each sort.
    private func busy() throws -> Live {
        let live = try quiet()
        let worker = try live.worker()
        _ = try worker.heartbeat()
        _ = try worker.submit([Sample.result("p")])
        _ = try worker.enqueue([Sample.task("t")])
        _ = try worker.pull("")
        return live
    }

    @Test func `the page is of the type that Prometheus reads, with no series twice`() throws {
        let live = try busy()
        try expectNoSeriesTwice(try MetricsPage(live))
        let response = try live.gateway.exchange("GET", "/metrics")
        #expect(response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
    }

    private static let hasPromtool: Bool = {
        // No shell or no promtool: none.
        (try? ChildProcess.run("sh", ["-c", "command -v promtool"]))?.isSuccess ?? false
    }()

    @Test(.enabled(if: hasPromtool, "needs promtool: scripts/install --tests"))
    func `Prometheus' own checker finds nothing in the page`() throws {
        let result = try ChildProcess.run("promtool", ["check", "metrics"], input: try MetricsPage(busy()).text)
        #expect(result.isSuccess && result.errors.isEmpty, "\(result.output)\(result.errors)")
    }

    @Test func `connections are counted while they are open`() throws {
        let live = try quiet()
        let held = try (0..<10).map { _ in try live.worker() }
        for worker in held { try worker.http.expectKept() }
        #expect(try MetricsPage(live).value("gateway_active_connections") >= 10)
        #expect(try MetricsPage(live).value("gateway_connections_total") >= 10)
        for worker in held { worker.http.close() }
        try eventually("they are gone") { try MetricsPage(live).value("gateway_active_connections") <= 3 }
    }
}
