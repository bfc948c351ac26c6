// Redis or PostgreSQL gone and back: 503 at once meanwhile, recovery without a restart, nothing acknowledged lost.
// Each test has services of its own. Source: api.md section 5.8.

import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct OutageTests {
    /// "At once", with room for a machine that others use too.
    private static let atOnceSeconds = 1.0

    enum Loss: String, CaseIterable, Sendable { case stopped, killed }

    private func lose(_ service: Service, _ loss: Loss, _ services: PrivateServices) throws {
        switch loss {
        case .stopped: try services.stop(service)
        case .killed:
            // Redis writes its log before it replies, unless the disk is busy; what it holds back then dies with it.
            if service == .redis { try eventually("Redis has written its log") { try isLogWritten(services) } }
            try services.kill(service)
        }
    }

    private func isLogWritten(_ services: PrivateServices) throws -> Bool {
        let info = try RedisClient(url: services.redisURL).command("INFO", "persistence").string ?? ""
        return info.contains("aof_buffer_length:0\r\n")
    }

    private struct Call {
        var method: String
        var target: String
        var body: String?
        var isOps = false
    }

    private static let redisCalls = [
        Call(method: "POST", target: "/internal/heartbeat", body: Sample.heartbeat()),
        Call(method: "POST", target: "/internal/heartbeat", body: Sample.heartbeat(",\"task_ids\":[\"t\"]")),
        Call(method: "GET", target: "/internal/work"),
        Call(method: "POST", target: "/internal/tasks/t/complete"),
        Call(method: "POST", target: "/internal/tasks/t/fail"),
        Call(method: "POST", target: "/internal/tasks", body: "[\(Sample.task("unstored"))]", isOps: true),
    ]
    private static let results = Call(method: "POST", target: "/internal/results", body: "[\(Sample.result("p"))]")

    /// Every reactor is asked: connections are spread over them.
    private func expectUnavailable(_ live: Live, _ calls: [Call]) throws {
        for _ in 0..<6 {
            let worker = try live.worker()
            for call in calls {
                let start = monotonicSeconds()
                let response =
                    call.isOps
                    ? try worker.http.exchange(
                        call.method, call.target, headers: WorkerClient.opsHeaders, body: call.body)
                    : try worker.send(call.method, call.target, body: call.body)
                let seconds = monotonicSeconds() - start
                try expectProblem(response, 503, "SERVICE_UNAVAILABLE")
                #expect(seconds < Self.atOnceSeconds, "\(call.method) \(call.target) took \(seconds) s")
            }
        }
    }

    private func expectReadiness(_ live: Live, lost: Service) throws {
        let ready = try live.gateway.exchange("GET", "/health/ready")
        #expect(ready.status == 503)
        #expect(ready.header("Retry-After") != nil)
        let body = try ready.jsonObject()
        #expect(body["status"] as? String == "unavailable")
        let dependencies = try #require(body["dependencies"] as? [String: [String: Any]])
        for service in Service.allCases {
            #expect(dependencies[service.rawValue]?["status"] as? String == (service == lost ? "unavailable" : "ok"))
        }
        #expect(try live.gateway.exchange("GET", "/health").status == 200)
    }

    @Test(arguments: Loss.allCases)
    func `without Redis everything that needs it is a 503 at once, and serves again when it is back`(loss: Loss) throws
    {
        let services = try PrivateServices()
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"], services: services)
        let worker = try live.worker()
        _ = try worker.enqueue((0..<10).map { Sample.task("t-\($0)") })
        let held = try worker.pull("capacity=3")
        #expect(held.count == 3)
        for _ in 0..<2 {
            try lose(.redis, loss, services)
            // A loss that nobody has noticed yet shows as a request that fails at once.
            try expectUnavailable(live, Self.redisCalls + [Self.results])
            try expectReadiness(live, lost: .redis)
            try services.start(.redis)
            try live.waitUntilReady()
            // The connection of the worker is the same all the time.
            #expect(try worker.heartbeat()["acknowledged"] as? Bool == true)
        }
        // Nothing of the queue was lost, and nothing refused was done.
        #expect(try QueueView(live).tasks == 10)
        #expect(try !QueueView(live).isKnown("unstored"))
        #expect(try worker.complete(held[0].id)["success"] as? Bool == true)
        #expect(try worker.pull("capacity=100").count == 7)
        #expect(try worker.submit([Sample.result("p")]).failed == 0)
        #expect(live.gateway.isRunning)
    }

    @Test(arguments: Loss.allCases)
    func `without PostgreSQL results are a 503 at once, the rest goes on, and all is well when it is back`(loss: Loss)
        throws
    {
        let services = try PrivateServices()
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"], services: services)
        let worker = try live.worker()
        #expect(try worker.submit([Sample.result("before")]) == ResultsAnswer(inserted: 1))
        for round in 0..<2 {
            try lose(.postgres, loss, services)
            try expectUnavailable(live, [Self.results])
            try expectReadiness(live, lost: .postgres)
            #expect(try worker.heartbeat()["acknowledged"] as? Bool == true)
            _ = try worker.enqueue([Sample.task("t-\(round)")])
            #expect(try worker.pull("").map(\.id) == ["t-\(round)"])
            try services.start(.postgres)
            try live.waitUntilReady()
            #expect(try worker.submit([Sample.result("after-\(round)")]) == ResultsAnswer(inserted: 1))
        }
        #expect(try live.database.count("SELECT count(*) FROM parcel_results") == 3)
    }

    @Test(arguments: [(Service.redis, Loss.killed), (.postgres, .killed), (.postgres, .stopped)])
    func `what was acknowledged around a loss is stored`(service: Service, loss: Loss) throws {
        let services = try PrivateServices()
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"], services: services)
        let isEnding = Atomic(false)
        let acknowledgedSoFar = Atomic(0)
        // One thread of the test loses the service under the load of the others.
        let acknowledged = try concurrently(5) { thread -> [String] in
            if thread == 4 {
                defer { isEnding.store(true, ordering: .relaxed) }
                for _ in 0..<2 {
                    let before = acknowledgedSoFar.load(ordering: .relaxed)
                    try eventually("results are stored", deadlineSeconds: 60) {
                        acknowledgedSoFar.load(ordering: .relaxed) > before + 50
                    }
                    try lose(service, loss, services)
                    try services.start(service)
                    try live.waitUntilReady()
                }
                return []
            }
            return try submitUntil(isEnding, live, thread, acknowledgedSoFar)
        }.flatMap { $0 }
        let stored = try live.database.run("SELECT parcel_id FROM parcel_results").compactMap { $0[0] }
        let missing = Set(acknowledged).subtracting(stored)
        #expect(acknowledged.count > 100)
        #expect(missing.isEmpty, "\(missing.count) of \(acknowledged.count) are missing")
    }

    /// Submits one result after the other; returns those that were acknowledged. Anything but 200 and 503 is a failure.
    private func submitUntil(
        _ isEnding: borrowing Atomic<Bool>, _ live: Live, _ thread: Int, _ count: borrowing Atomic<Int>
    ) throws -> [String] {
        let worker = try live.worker()
        var acknowledged: [String] = []
        var number = 0
        while !isEnding.load(ordering: .relaxed) {
            let parcel = "load-\(thread)-\(number)"
            number += 1
            let response = try worker.send("POST", "/internal/results", body: "[\(Sample.result(parcel))]")
            if response.status == 200 {
                acknowledged.append(parcel)
                count.add(1, ordering: .relaxed)
            } else {
                try expectProblem(response, 503, "SERVICE_UNAVAILABLE")
            }
        }
        return acknowledged
    }

    @Test func `a gateway that starts before its services serves as soon as they are there`() throws {
        let services = try PrivateServices()
        try services.stop(.redis)
        try services.stop(.postgres)
        let gateway = try GatewayProcess(
            redisURL: services.redisURL, postgresURL: services.postgresURL,
            environment: ["GATEWAY_LOG_LEVEL": "notice"])
        #expect(try gateway.exchange("GET", "/health/ready").status == 503)
        try services.start(.redis)
        try services.start(.postgres)
        #expect(try GatewayProcess.run(["migrate"], postgresURL: services.postgresURL).isSuccess)
        let worker = try WorkerClient(port: gateway.port, id: "w")
        try eventually("results are stored", deadlineSeconds: 30) {
            try worker.send("POST", "/internal/results", body: "[\(Sample.result("p"))]").status == 200
        }
    }
}
