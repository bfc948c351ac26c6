// One or several gateways on one Redis and one PostgreSQL, and the few words in which the tests speak to them.
// Owned by one test. Short leases come from the environment that the test gives.

import Foundation
import TestSupport
import Testing

final class FleetFixture {
    let redisURL: String
    let redis: TestSupport.RedisClient
    let postgresURL: String
    private let environment: [String: String]
    private(set) var gateways: [TestSupport.GatewayProcess] = []

    /// - Parameters:
    ///   - redisURL, postgresURL: nil takes an empty database of the shared services; one that is given is migrated.
    ///   - sql: run on the migrated database before a gateway starts.
    init(
        _ count: Int = 1, redisURL: String? = nil, postgresURL: String? = nil, sql: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        self.redisURL = try redisURL ?? Services.shared.takeRedisDatabase()
        redis = try TestSupport.RedisClient(url: self.redisURL)
        if let postgresURL {
            self.postgresURL = postgresURL
            let result = try TestSupport.GatewayProcess.run(["migrate"], postgresURL: postgresURL)
            guard result.isSuccess else { throw TestFailure("gateway migrate failed:\n\(result.errors)") }
        } else {
            self.postgresURL = try TestSupport.GatewayProcess.migratedDatabase()
        }
        if let sql { try PostgresQuery(url: self.postgresURL).run(sql) }
        let quick = ["GATEWAY_REAPER_INTERVAL_SECONDS": "0.05", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"]
        self.environment = quick.merging(environment) { _, given in given }
        for _ in 0..<count { try addGateway() }
    }

    @discardableResult
    func addGateway(port: Int? = nil) throws -> TestSupport.GatewayProcess {
        let gateway = try TestSupport.GatewayProcess(
            redisURL: redisURL, postgresURL: postgresURL, environment: environment, port: port)
        try eventually("every reactor of gateway \(gateways.count) has Redis and PostgreSQL") {
            try gateway.isConnected
        }
        gateways.append(gateway)
        return gateway
    }

    /// Heartbeats through gateway `index` until one is younger than the worker's last delivery. The fleet's clock may lag by
    /// what a measurement took, so that the first one may not count as heard after the delivery.
    func confirm(_ worker: String, at index: Int) throws {
        try eventually("\(worker) is heard from after its delivery") {
            try gateways[index].heartbeat(worker)
            let seen = try redis.command("ZSCORE", "{parcel:0}:seen", worker).string.flatMap { Double($0) }
            let last = try redis.command("ZRANGE", "{parcel:0}:held:\(worker)", "-1", "-1", "WITHSCORES").array?.last
            guard let seen, let last = last?.string.flatMap({ Double($0) }) else {
                throw TestFailure("\(worker) holds nothing")
            }
            return seen > last
        }
    }

    var database: PostgresQuery { PostgresQuery(url: postgresURL) }

    subscript(index: Int) -> TestSupport.GatewayProcess { gateways[index] }
}

extension TestSupport.GatewayProcess {
    /// A worker's request; the answer must be a 200.
    func worker(_ id: String, _ method: String, _ target: String, _ body: String? = nil) throws -> [String: Any] {
        let response = try exchange(method, target, headers: Self.headers(worker: id), body: body)
        guard response.status == 200 else {
            throw TestFailure("\(method) \(target): \(response.status) \(response.bodyText)")
        }
        return try response.jsonObject()
    }

    static func headers(worker id: String) -> [(String, String)] {
        [("X-Worker-Token", workerToken), ("X-Worker-ID", id)]
    }

    func ops(_ method: String, _ target: String, _ body: String? = nil) throws -> HTTPResponse {
        try exchange(method, target, headers: [("X-Ops-Token", Self.opsToken)], body: body)
    }

    /// Puts tasks in; all must be new.
    func enqueue(
        _ ids: String..., platform: String = "beacon", priority: Int = 3, tier: Int = 1, kind: String = "parcel"
    )
        throws
    {
        let tasks = ids.map {
            #"{"task_id":"\#($0)","platform":"\#(platform)","priority":\#(priority),"tier":\#(tier),"target":{"id":"\#($0)"}}"#
        }
        let response = try ops("POST", "/internal/\(kind)/tasks", "[\(tasks.joined(separator: ","))]")
        let accepted = try response.jsonObject()["accepted"] as? Int
        guard accepted == ids.count else { throw TestFailure("not enqueued: \(response.bodyText)") }
    }

    /// One pull: id and attempt of each task.
    func pull(_ worker: String, _ query: String = "", kind: String = "parcel") throws -> [FleetTask] {
        try FleetTask.list(self.worker(worker, "GET", "/internal/\(kind)/work?\(query)"))
    }

    /// Pulls until something comes.
    func pullEventually(_ worker: String, _ query: String = "", deadlineSeconds: Double = 10) throws -> [FleetTask] {
        try eventuallyValue("\(worker) gets a task", deadlineSeconds: deadlineSeconds) {
            let tasks = try pull(worker, query)
            return tasks.isEmpty ? nil : tasks
        }
    }

    func submit(_ worker: String, _ items: String...) throws -> ResultsAnswer {
        try ResultsAnswer(self.worker(worker, "POST", "/internal/results", "[\(items.joined(separator: ","))]"))
    }

    @discardableResult
    func heartbeat(_ worker: String, holding ids: [String]? = nil, kind: String = "parcel") throws -> [String: Any] {
        let listed = ids.map { #","task_ids":[\#($0.map { "\"\($0)\"" }.joined(separator: ","))]"# } ?? ""
        return try self.worker(
            worker, "POST", "/internal/\(kind)/heartbeat",
            #"{"active_tasks":1,"completed_last_minute":0,"failed_last_minute":0,"platforms":["beacon"],"cpu_percent":1,"memory_percent":1\#(listed)}"#
        )
    }

    func complete(_ worker: String, _ id: String, attempt: Int? = nil) throws -> [String: Any] {
        try self.worker(
            worker, "POST", "/internal/tasks/\(id)/complete", attempt.map { #"{"attempt":\#($0)}"# } ?? "{}")
    }

    @discardableResult
    func fail(_ worker: String, _ id: String, _ body: String? = nil) throws -> [String: Any] {
        try self.worker(worker, "POST", "/internal/tasks/\(id)/fail", body)
    }

    /// The figures of one kind from GET /internal/queue.
    func figures(kind: String = "parcel") throws -> [String: Any] {
        let kinds = try ops("GET", "/internal/\(kind)/queue").jsonObject()["kinds"] as? [String: Any]
        guard let figures = kinds?[kind] as? [String: Any] else { throw TestFailure("no figures of \(kind)") }
        return figures
    }

    /// Whether every reactor is connected to Redis and PostgreSQL.
    var isConnected: Bool {
        get throws {
            let page = try exchange("GET", "/metrics").bodyText.split(separator: "\n")
            return ["gateway_redis_connected{", "gateway_postgres_connected{"].allSatisfy { name in
                let series = page.filter { $0.hasPrefix(name) }
                return !series.isEmpty && series.allSatisfy { $0.hasSuffix(" 1") }
            }
        }
    }

    /// The value of one series of /metrics; nil where it is not there.
    func metric(_ name: String, _ labels: [String: String] = [:]) throws -> Double? {
        for line in try exchange("GET", "/metrics").bodyText.split(separator: "\n") where line.hasPrefix(name + "{") {
            if labels.allSatisfy({ line.contains("\($0.key)=\"\($0.value)\"") }) {
                return line.split(separator: " ").last.flatMap { Double($0) }
            }
        }
        return nil
    }
}

struct FleetTask: Equatable {
    var id: String
    var attempt: Int

    static func list(_ answer: [String: Any]) throws -> [FleetTask] {
        guard let tasks = answer["tasks"] as? [[String: Any]] else { throw TestFailure("no tasks in \(answer)") }
        return try tasks.map { task in
            guard let id = task["task_id"] as? String, let attempt = task["attempt"] as? Int else {
                throw TestFailure("not a task: \(task)")
            }
            return FleetTask(id: id, attempt: attempt)
        }
    }
}
