// The operators' page over HTTP: what is open, what needs the token, where it is served, the shape of its data. That it works
// in a browser is tested by scripts/test-ops-page, which runs here too. Source: operations.md section 3.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct OpsPageTests {
    private static let files = [
        "ops.css", "ops-icon.svg", "ops.js", "ops-chart.js", "ops-client.js", "ops-commands.js", "ops-dom.js",
        "ops-fleet.js", "ops-format.js", "ops-letters.js", "ops-paged.js", "ops-queues.js", "ops-rates.js",
        "ops-system.js", "ops-theme.js", "ops-traffic.js",
    ]

    private func readOverview(_ gateway: TestSupport.GatewayProcess) throws -> [String: Any] {
        try WorkerClient.success(gateway.ops("GET", "/ops/api/overview"))
    }

    // MARK: The page

    @Test func `the page and its files need no token, and may load nothing but each other`() throws {
        let fleet = try FleetFixture(1)
        let page = try fleet[0].exchange("GET", "/ops")
        #expect(page.status == 200)
        #expect(page.header("Content-Type") == "text/html; charset=utf-8")
        for path in ["/ops"] + Self.files.map({ "/ops/\($0)" }) {
            let response = try fleet[0].exchange("GET", path)
            #expect(response.status == 200, "\(path)")
            #expect(!response.body.isEmpty)
            let policy = try #require(response.header("Content-Security-Policy"))
            #expect(policy.contains("default-src 'none'; script-src 'self'; style-src 'self'"))
            #expect(policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe"))
            #expect(response.header("X-Content-Type-Options") == "nosniff")
            #expect(response.header("Referrer-Policy") == "no-referrer")
            #expect(response.header("Cache-Control") == "no-store")
            #expect(!response.bodyText.contains(TestSupport.GatewayProcess.opsToken))
        }
    }

    @Test func `every file that a file of the page names is there, and has a type that a browser takes`() throws {
        let fleet = try FleetFixture(1)
        var left = ["/ops"]
        var seen: Set<String> = []
        while let path = left.popLast() {
            guard seen.insert(path).inserted else { continue }
            let response = try fleet[0].exchange("GET", path)
            #expect(response.status == 200, "\(path)")
            let type = path.hasSuffix(".js") ? "text/javascript" : path.hasSuffix(".css") ? "text/css" : nil
            if let type { #expect(response.header("Content-Type")?.hasPrefix(type) == true, "\(path)") }
            let named = response.bodyText.matches(of: /"(?:\.|ops)\/(ops[a-z-]*\.[a-z]+)"/)
            left += named.map { "/ops/\($0.output.1)" }
        }
        #expect(seen == Set(["/ops"] + Self.files.map { "/ops/\($0)" }))
    }

    @Test func `what is no file of the page is a 404`() throws {
        let fleet = try FleetFixture(1)
        for path in ["/ops/", "/ops/ops.html.bak", "/ops/ops.html/x", "/ops/..%2fops.js", "/ops/api", "/ops/api/x"] {
            try expectProblem(fleet[0].exchange("GET", path), 404, "NOT_FOUND")
        }
    }

    @Test func `only listeners of the ops surface serve it`() throws {
        let (ops, port) = (try FreePort.next(), try FreePort.next())
        let live = try Live.withListeners(
            port: port, "worker=127.0.0.1:\(port),public=127.0.0.1:\(port),ops=127.0.0.1:\(ops)")
        let headers = [("X-Ops-Token", TestSupport.GatewayProcess.opsToken)]
        for path in ["/ops", "/ops/ops.js", "/ops/api/overview", "/ops/api/parcel/workers"] {
            #expect(try RawHTTP.exchange(port: ops, "GET", path, headers: headers).status == 200, "\(path)")
            let elsewhere = try RawHTTP.exchange(port: port, "GET", path, headers: headers)
            try expectProblem(elsewhere, 404, "NOT_FOUND")
        }
        #expect(live.gateway.isRunning)
    }

    // MARK: Its data

    @Test func `all data and commands of the page need the ops token`() throws {
        let fleet = try FleetFixture(1)
        for (method, path) in [
            ("GET", "overview"), ("GET", "parcel/workers"), ("GET", "party/workers"), ("GET", "parcel/dlq"),
            ("POST", "party/dlq/requeue"), ("DELETE", "parcel/dlq"), ("POST", "parcel/workers/w/commands"),
        ] {
            for token in [nil, TestSupport.GatewayProcess.workerToken] {
                let response = try fleet[0].exchange(
                    method, "/ops/api/\(path)", headers: token.map { [("X-Ops-Token", $0)] } ?? [],
                    body: method == "GET" ? nil : "{}")
                try expectProblem(response, 401, "UNAUTHORIZED")
                #expect(response.header("X-Content-Type-Options") == "nosniff")
            }
        }
    }

    @Test func `the overview counts requests by route and status, and says how long they took`() throws {
        let fleet = try FleetFixture(1)
        for _ in 0..<3 { try fleet[0].heartbeat("w") }
        _ = try fleet[0].exchange("POST", "/internal/heartbeat")
        let overview = try readOverview(fleet[0])
        let bounds = try #require(overview["duration_bounds_ms"] as? [Double])
        let routes = try #require(overview["routes"] as? [[String: Any]])
        let route = try #require(routes.first { $0["route"] as? String == "/internal/parcel/heartbeat" })
        #expect(route["method"] as? String == "POST")
        #expect(route["may_wait"] as? Bool == false)
        #expect(route["statuses"] as? [String: Int] == ["200": 3])
        let buckets = try #require(route["buckets"] as? [Int])
        #expect(buckets.count == bounds.count + 1)
        #expect(buckets.reduce(0, +) == 3)
        let refused = try #require(routes.first { $0["route"] as? String == "/internal/heartbeat" })
        #expect(refused["statuses"] as? [String: Int] == ["401": 1])
        let kinds = try #require(overview["kinds"] as? [String: [String: Any]])
        #expect(kinds["parcel"]?["heartbeats"] as? Int == 3)
        #expect(kinds["party"]?["heartbeats"] as? Int == 0)
    }

    @Test func `the overview shows what is ready, out and dead on which platform`() throws {
        let fleet = try FleetFixture(1)
        try fleet[0].enqueue("a1", "a2", "a3", platform: "beacon")
        try fleet[0].enqueue("b1", platform: "qpublic", priority: 1)
        try fleet[0].heartbeat("w")
        #expect(try fleet[0].pull("w", "capacity=1&platforms=beacon").count == 1)
        try eventually("the figures are there", deadlineSeconds: 30) {
            let kind = try (readOverview(fleet[0])["kinds"] as? [String: [String: Any]])?["parcel"] ?? [:]
            let queue = kind["queue"] as? [String: Int] ?? [:]
            let platforms = kind["platforms"] as? [[String: Any]] ?? []
            guard let first = platforms.first, first["leased"] as? Int == 1, first["workers"] as? Int == 1 else {
                return false
            }
            #expect(queue["ready"] == 3 && queue["leased"] == 1 && queue["dead"] == 0)
            #expect(queue["workers"] == 1 && queue["workers_alive"] == 1)
            #expect(first["platform"] as? String == "beacon")
            #expect(first["ready"] as? [Int] == [0, 0, 2, 0])
            #expect(platforms.last?["ready"] as? [Int] == [1, 0, 0, 0])
            #expect(kind["platforms_total"] as? Int == 2)
            return true
        }
    }

    @Test func `the overview names dependencies, circuits, listeners and what the process uses`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_PARSER_SERVICE_URL": "http://127.0.0.1:1"])
        try eventually("the dependencies were looked at") {
            let found = try readOverview(fleet[0])["dependencies"] as? [String: [String: Any]]
            return found?.keys.sorted() == ["postgres", "raw_storage", "redis"]
                && found?.values.allSatisfy { $0["status"] as? String == "ok" } == true
        }
        let overview = try readOverview(fleet[0])
        let services = try #require(overview["upstreams"] as? [[String: Any]])
        #expect(services.map { $0["service"] as? String } == ["parser", "ml"])
        #expect(services.map { $0["endpoints"] as? Int } == [1, 0])
        #expect(services.map { $0["circuit"] as? String } == ["closed", "closed"])
        let process = try #require(overview["process"] as? [String: Any])
        #expect((process["resident_bytes"] as? Int ?? 0) > 1 << 20)
        let reactors = try #require(process["reactors"] as? [[String: Any]])
        #expect(reactors.allSatisfy { $0["redis_connected"] as? Bool == true })
        try eventually("only the connection that asks is open") {
            let listeners = try readOverview(fleet[0])["listeners"] as? [[String: Any]]
            return listeners?.map { $0["open"] as? Int } == [1]
        }
    }

    @Test func `without Redis the overview says that the queues are not known`() throws {
        let services = try PrivateServices()
        let fleet = try FleetFixture(1, redisURL: services.redisURL, postgresURL: services.postgresURL)
        try services.kill(.redis)
        try eventually("the loss is shown", deadlineSeconds: 30) {
            let overview = try readOverview(fleet[0])
            let found = overview["dependencies"] as? [String: [String: Any]]
            let kinds = try #require(overview["kinds"] as? [String: [String: Any]])
            return found?["redis"]?["status"] as? String == "unavailable" && kinds["parcel"]?["queue"] is NSNull
        }
    }

    @Test func `platforms beyond the bound are counted, not listed`() throws {
        let fleet = try FleetFixture(1)
        let tasks = (0..<210).map { #"{"task_id":"t\#($0)","platform":"p\#($0)","target":{}}"# }
        let answer = try fleet[0].ops("POST", "/internal/tasks", "[\(tasks.joined(separator: ","))]")
        #expect(try answer.jsonObject()["accepted"] as? Int == 210)
        try eventually("all are counted") {
            let kind = try (readOverview(fleet[0])["kinds"] as? [String: [String: Any]])?["parcel"] ?? [:]
            let listed = (kind["platforms"] as? [Any])?.count
            return listed == 200 && (kind["platforms_total"] as? Int ?? 0) >= 210
        }
    }

    @Test func `more requests than may wait for one look are refused, and it answers those that wait`() throws {
        let services = try PrivateServices()
        let fleet = try FleetFixture(1, redisURL: services.redisURL, postgresURL: services.postgresURL)
        services.pause(.redis)
        defer { services.resume(.redis) }
        let http = try RawHTTP(port: fleet[0].port, timeoutSeconds: 60)
        let token = TestSupport.GatewayProcess.opsToken
        let request = "GET /ops/api/overview HTTP/1.1\r\nHost: x\r\nX-Ops-Token: \(token)\r\n\r\n"
        try http.send(String(repeating: request, count: 300))
        try eventually("44 are refused", deadlineSeconds: 30) {
            try fleet[0].metric("gateway_requests_total", ["route": "/ops/api/overview", "status": "503"]) == 44
        }
        services.resume(.redis)
        let statuses = try (0..<300).map { _ in try http.readResponse().status }
        #expect(statuses.prefix(256).allSatisfy { $0 == 200 })
        #expect(statuses.dropFirst(256).allSatisfy { $0 == 503 })
    }

    // MARK: The fleet's filters

    @Test func `workers are found by how their ids begin and by whether they live, page by page`() throws {
        let fleet = try FleetFixture(1)
        for name in ["a", "ab", "ab-1", "ab-2", "ab.3", "abz", "ac", "b"] { try fleet[0].heartbeat(name) }
        _ = try fleet.redis.command("ZADD", "{parcel:0}:seen", "1000", "ab-2")
        func page(_ query: String) throws -> (ids: [String], next: String?) {
            let answer = try WorkerClient.success(fleet[0].ops("GET", "/ops/api/parcel/workers?\(query)"))
            let workers = try #require(answer["workers"] as? [[String: Any]])
            return (workers.compactMap { $0["worker_id"] as? String }, answer["next_cursor"] as? String)
        }
        #expect(try page("prefix=ab").ids == ["ab", "ab-1", "ab-2", "ab.3", "abz"])
        #expect(try page("prefix=ab-").ids == ["ab-1", "ab-2"])
        #expect(try page("prefix=zz").ids == [])
        #expect(try page("alive=false").ids == ["ab-2"])
        #expect(try page("prefix=ab&alive=true").ids == ["ab", "ab-1", "ab.3", "abz"])
        var (ids, cursor): ([String], String?) = ([], "")
        while let from = cursor {
            let one = try page("prefix=ab&limit=2&cursor=\(from)")
            (ids, cursor) = (ids + one.ids, one.next)
        }
        #expect(ids == ["ab", "ab-1", "ab-2", "ab.3", "abz"])
        for query in ["prefix=%3Cscript%3E", "alive=maybe"] {
            #expect(try fleet[0].ops("GET", "/ops/api/parcel/workers?\(query)").errorCode == "INVALID_REQUEST")
        }
    }
}

/// Whether a browser is here that scripts/test-ops-page knows.
private enum InstalledBrowser {
    static let isThere = ["chromium", "chromium-browser", "google-chrome"].contains { name in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }
}

@Suite struct OpsPageInBrowserTests {
    @Test(.enabled(if: InstalledBrowser.isThere, "needs Chromium: scripts/install --tests"))
    func `an operator signs in, sees numbers move, requeues a dead letter and pauses a worker`() throws {
        var environment = ProcessInfo.processInfo.environment
        environment["GATEWAY_IO_BACKEND"] = PollerKind.underTest.rawValue
        let result = try ChildProcess.run(
            Checkout.script("test-ops-page"), ["--binary", Checkout.gatewayBinary], environment: environment,
            deadlineSeconds: 300)
        #expect(result.isSuccess, "\(result.output)\n\(result.errors)")
    }
}
