// Guarantee 8 on two gateways that lose the Redis or PostgreSQL they share: nothing is answered 200 that was not done,
// 503 with Retry-After at once meanwhile, and no restart. Source: api.md section 5.

import Foundation
import Synchronization
import TestSupport
import Testing

extension GuaranteeTests {
    private static let atOnceSeconds = 2.0

    private func expectRefusals(_ fleet: FleetFixture, _ calls: [(method: String, target: String, body: String?)])
        throws
    {
        for gateway in fleet.gateways {
            for call in calls {
                let start = monotonicSeconds()
                let headers = TestSupport.GatewayProcess.headers(worker: "w") + WorkerClient.opsHeaders
                let response = try gateway.exchange(call.method, call.target, headers: headers, body: call.body)
                try expectProblem(response, 503, "SERVICE_UNAVAILABLE")
                #expect(Int(response.header("Retry-After") ?? "") ?? 0 >= 1)
                #expect(monotonicSeconds() - start < Self.atOnceSeconds, "\(call.method) \(call.target)")
            }
        }
    }

    @Test func `all gateways refuse at once while Redis is away, and serve again without a restart`() throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(2, redisURL: services.redisURL)
        try fleet[0].enqueue("t")
        #expect(try fleet[1].pull("w").count == 1)
        try services.stop(.redis)
        try expectRefusals(
            fleet,
            [
                ("GET", "/internal/work", nil), ("GET", "/internal/work?wait=20", nil),
                ("POST", "/internal/heartbeat", Sample.heartbeat()), ("POST", "/internal/tasks/t/complete", nil),
                ("POST", "/internal/tasks/t/fail", nil), ("POST", "/internal/results", "[\(Sample.result("p"))]"),
                ("POST", "/internal/tasks", "[\(Sample.task("unstored"))]"), ("GET", "/internal/queue", nil),
                ("POST", "/internal/dlq/requeue", #"{"all":true}"#), ("DELETE", "/internal/tasks/t", nil),
            ])
        try services.start(.redis)
        for gateway in fleet.gateways {
            try eventually("it serves again") { try gateway.isConnected }
        }
        #expect(try fleet[0].complete("w", "t", attempt: 1)["success"] as? Bool == true)
        #expect(try fleet[1].pull("w").isEmpty)
    }

    @Test func `all gateways refuse results at once while PostgreSQL is away, and the queue goes on`() throws {
        let services = try PrivateServices([.postgres])
        let fleet = try FleetFixture(2, postgresURL: services.postgresURL)
        try fleet[0].enqueue("t-p")
        #expect(try fleet[0].pull("w").count == 1)
        try services.stop(.postgres)
        try expectRefusals(fleet, [("POST", "/internal/results", "[\(Sample.result("p"))]")])
        // The result was refused, so the task is still its worker's.
        #expect(try fleet[1].heartbeat("w", holding: ["t-p"])["lost_task_ids"] as? [String] == [])
        try services.start(.postgres)
        for gateway in fleet.gateways {
            try eventually("it serves again") { try gateway.isConnected }
            _ = try gateway.submit("w", Sample.result("p"))
        }
        #expect(try fleet.database.count("SELECT count(*) FROM parcel_results") == 1)
        #expect(try QueueView(redisURL: fleet.redisURL, kind: "parcel").leftovers() == [])
    }

    /// A Redis that hangs has been asked and has not answered; when it dies nobody knows what it did.
    @Test func `what Redis had not answered when it went is no 200`() throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(2, redisURL: services.redisURL)
        try fleet[0].enqueue("completed", "failed")
        #expect(try fleet[0].pull("w").count == 2)
        let calls: [(method: String, target: String, body: String?)] = [
            ("POST", "/internal/heartbeat", Sample.heartbeat()), ("GET", "/internal/work", nil),
            ("POST", "/internal/heartbeat", Sample.heartbeat(",\"task_ids\":[]")),
            ("POST", "/internal/tasks/completed/complete", nil), ("POST", "/internal/tasks/failed/fail", nil),
            ("POST", "/internal/tasks", "[\(Sample.task("new"))]"), ("GET", "/internal/queue", nil),
        ]
        services.pause(.redis)
        let headers = TestSupport.GatewayProcess.headers(worker: "w") + WorkerClient.opsHeaders
        let clients = try fleet.gateways.flatMap { gateway in
            try calls.map { call in
                let client = try RawHTTP(port: gateway.port, timeoutSeconds: 30)
                try client.send(RawHTTP.request(call.method, call.target, headers: headers, body: call.body))
                return client
            }
        }
        try throughout(seconds: 0.5, "nobody is answered") { clients.allSatisfy { !$0.socket.hasInput } }
        try services.kill(.redis)
        for client in clients { try expectProblem(client.readResponse(), 503, "SERVICE_UNAVAILABLE") }
    }

    /// "A submitted result completes its task": stored, but its task not ended, is not done.
    @Test(arguments: [false, true])
    func `a result whose task could not be ended is no 200, and a repeat ends it`(isRedisAsked: Bool) throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(
            2, redisURL: services.redisURL,
            sql: """
                CREATE TABLE gate (is_open int);
                CREATE FUNCTION wait_for_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    WHILE NOT EXISTS (SELECT 1 FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER gated BEFORE INSERT ON parcel_results FOR EACH ROW EXECUTE FUNCTION wait_for_gate();
                """)
        try fleet[0].enqueue("t-p")
        #expect(try fleet[0].pull("w").count == 1)
        let client = try RawHTTP(port: fleet[1].port, timeoutSeconds: 30)
        let headers = TestSupport.GatewayProcess.headers(worker: "w")
        try client.send(
            RawHTTP.request("POST", "/internal/results", headers: headers, body: "[\(Sample.result("p"))]"))
        try eventually("PostgreSQL is at it") {
            try fleet.database.count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
                > 0
        }
        // Redis goes before it is asked to end the task, or while it is.
        if isRedisAsked { services.pause(.redis) } else { try services.stop(.redis) }
        try fleet.database.run("INSERT INTO gate VALUES (1)")
        try eventually("the result is stored") { try fleet.database.count("SELECT count(*) FROM parcel_results") == 1 }
        if isRedisAsked {
            try throughout(seconds: 0.5, "it is not answered") { !client.socket.hasInput }
            try services.kill(.redis)
        }
        try expectProblem(client.readResponse(), 503, "SERVICE_UNAVAILABLE")
        try services.start(.redis)
        for gateway in fleet.gateways { try eventually("it serves again") { try gateway.isConnected } }
        #expect(try fleet[0].heartbeat("w", holding: ["t-p"])["lost_task_ids"] as? [String] == [])
        #expect(try fleet[0].submit("w", Sample.result("p")) == ResultsAnswer(updated: 1))
        #expect(try QueueView(redisURL: fleet.redisURL, kind: "parcel").leftovers() == [])
    }

    enum RedisLoss: String, CaseIterable, Sendable { case stopped, killed }

    @Test(arguments: RedisLoss.allCases)
    func `what was accepted or completed around a loss of Redis stays so`(loss: RedisLoss) throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(2, redisURL: services.redisURL)
        let ports = fleet.gateways.map(\.port)
        let isEnding = Atomic(false)
        let count = Atomic(0)
        let outcomes = try concurrently(5) { thread -> Outcomes in
            guard thread < 4 else {
                defer { isEnding.store(true, ordering: .relaxed) }
                for round in 1...2 {
                    try eventually("tasks are done", deadlineSeconds: 60) {
                        count.load(ordering: .relaxed) > 60 * round
                    }
                    if loss == .stopped { try services.stop(.redis) } else { try services.kill(.redis) }
                    try services.start(.redis)
                }
                let before = count.load(ordering: .relaxed)
                try eventually("tasks are done after it", deadlineSeconds: 60) {
                    count.load(ordering: .relaxed) > before + 40
                }
                return Outcomes()
            }
            return try Self.work(thread, port: ports[thread % 2], until: isEnding, count)
        }
        let accepted = Set(outcomes.flatMap(\.accepted))
        let completed = Set(outcomes.flatMap(\.completed))
        let known = Set(
            try TestSupport.RedisClient(url: services.redisURL).command("HKEYS", "{parcel:0}:tasks").array?
                .compactMap(\.string) ?? [])
        let ended = completed.union(outcomes.flatMap(\.perhapsCompleted))
        #expect(completed.count > 100)
        #expect(accepted.subtracting(known).subtracting(ended).isEmpty)
        #expect(known.intersection(completed).isEmpty)
    }

    private struct Outcomes: Sendable {
        var accepted: [String] = []
        var completed: [String] = []
        var perhapsCompleted: [String] = []
    }

    /// Queues a task and takes and completes one, over and over; what is not a 200 must be a 503.
    private static func work(
        _ thread: Int, port: Int, until isEnding: borrowing Atomic<Bool>, _ count: borrowing Atomic<Int>
    ) throws -> Outcomes {
        let client = try WorkerClient(port: port, id: "w\(thread)")
        var outcomes = Outcomes()
        var number = 0
        while !isEnding.load(ordering: .relaxed) {
            let id = "t-\(thread)-\(number)"
            number += 1
            if try isDone(
                client.http.exchange(
                    "POST", "/internal/tasks", headers: WorkerClient.opsHeaders, body: "[\(Sample.task(id))]"))
            {
                outcomes.accepted.append(id)
            }
            let pulled = try client.send("GET", "/internal/work?capacity=1")
            guard try isDone(pulled), let task = try FleetTask.list(pulled.jsonObject()).first else { continue }
            let answer = try client.send("POST", "/internal/tasks/\(task.id)/complete")
            if try isDone(answer) {
                if try answer.jsonObject()["success"] as? Bool == true { outcomes.completed.append(task.id) }
                count.add(1, ordering: .relaxed)
            } else {
                outcomes.perhapsCompleted.append(task.id)
            }
        }
        return outcomes
    }

    private static func isDone(_ response: HTTPResponse) throws -> Bool {
        if response.status != 200 { try expectProblem(response, 503, "SERVICE_UNAVAILABLE") }
        return response.status == 200
    }
}
