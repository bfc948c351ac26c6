// A parser worker of the tests: one keep-alive connection, the headers of its credential, the calls of api.md section 2.
// Owned by one thread.

import Foundation
import TestSupport
import Testing

/// One task as it was delivered.
struct PulledTask: Equatable {
    var id: String
    var platform: String
    var priority: Int
    var tier: Int
    var attempt: Int

    init(_ object: [String: Any]) throws {
        id = try #require(object["task_id"] as? String)
        platform = try #require(object["platform"] as? String)
        priority = try #require(object["priority"] as? Int)
        tier = try #require(object["tier"] as? Int)
        attempt = try #require(object["attempt"] as? Int)
    }
}

/// What a results request came to.
struct ResultsAnswer: Equatable {
    struct Failure: Equatable {
        var index: Int
        var taskID: String
        var code: String
    }

    var inserted: Int
    var updated: Int
    var stale: Int
    var failed: Int
    var errorCount: Int
    var failures: [Failure]

    init(_ object: [String: Any]) throws {
        inserted = try #require(object["inserted"] as? Int)
        updated = try #require(object["updated"] as? Int)
        stale = try #require(object["stale"] as? Int)
        failed = try #require(object["failed"] as? Int)
        errorCount = try #require(object["errors"] as? [String]).count
        failures = try #require(object["failures"] as? [[String: Any]]).map { failure in
            _ = try #require(failure["message"] as? String)
            return Failure(
                index: try #require(failure["index"] as? Int), taskID: try #require(failure["task_id"] as? String),
                code: try #require(failure["code"] as? String))
        }
    }

    init(inserted: Int = 0, updated: Int = 0, stale: Int = 0, failed: [Failure] = []) {
        (self.inserted, self.updated, self.stale) = (inserted, updated, stale)
        (self.failed, failures, errorCount) = (failed.count, failed, min(failed.count, 10))
    }
}

final class WorkerClient {
    let http: RawHTTP
    let id: String
    private let token: String

    init(port: Int, id: String, token: String = GatewayProcess.workerToken) throws {
        http = try RawHTTP(port: port, timeoutSeconds: 60)
        self.id = id
        self.token = token
    }

    var headers: [(String, String)] { [("X-Worker-Token", token), ("X-Worker-ID", id)] }

    static let opsHeaders = [("X-Ops-Token", GatewayProcess.opsToken)]

    func send(
        _ method: String, _ target: String, body: String? = nil, more: [(String, String)] = []
    ) throws -> HTTPResponse {
        try http.exchange(method, target, headers: headers + more, body: body)
    }

    /// A request that must succeed.
    func call(_ method: String, _ target: String, body: String? = nil) throws -> [String: Any] {
        try Self.success(send(method, target, body: body))
    }

    static func success(_ response: HTTPResponse) throws -> [String: Any] {
        guard response.status == 200 else { throw TestFailure("\(response.status): \(response.bodyText)") }
        return try response.jsonObject()
    }

    // MARK: The calls

    func heartbeat(_ more: String = "") throws -> [String: Any] {
        try call("POST", "/internal/heartbeat", body: Sample.heartbeat(more))
    }

    func pull(_ query: String, kind: String = "parcel") throws -> [PulledTask] {
        let answer = try call("GET", "/internal/\(kind)/work?\(query)")
        return try #require(answer["tasks"] as? [[String: Any]]).map { try PulledTask($0) }
    }

    func submit(_ items: [String], kind: String = "parcel") throws -> ResultsAnswer {
        try ResultsAnswer(call("POST", "/internal/\(kind)/results", body: "[\(items.joined(separator: ","))]"))
    }

    func complete(_ task: String, attempt: Int? = nil, kind: String = "parcel") throws -> [String: Any] {
        try call(
            "POST", "/internal/\(kind)/tasks/\(task)/complete", body: attempt.map { "{\"attempt\":\($0)}" })
    }

    func fail(_ task: String, body: String? = nil) throws -> [String: Any] {
        try call("POST", "/internal/tasks/\(task)/fail", body: body)
    }

    func enqueue(_ tasks: [String], kind: String = "parcel") throws -> [String: Any] {
        try Self.success(
            http.exchange(
                "POST", "/internal/\(kind)/tasks", headers: Self.opsHeaders,
                body: "[\(tasks.joined(separator: ","))]"))
    }
}

/// Bodies as JSON text, so that a test can break them where it wants.
enum Sample {
    static func heartbeat(_ more: String = "") -> String {
        "{\"active_tasks\":2,\"completed_last_minute\":10,\"failed_last_minute\":0,\"platforms\":[\"beacon\"],"
            + "\"cpu_percent\":12.5,\"memory_percent\":40\(more)}"
    }

    /// A result; `members` replace, add or (nil) leave out.
    static func result(_ parcel: String, data: String = "{\"a\":1}", _ members: [String: String?] = [:]) -> String {
        object(
            [
                "task_id": "\"t-\(parcel)\"", "parcel_id": "\"\(parcel)\"", "platform": "\"beacon\"",
                "state": "\"CO\"", "county": "\"Larimer\"", "data": data, "parse_duration_ms": "12",
            ], members)
    }

    static func task(_ id: String, platform: String = "beacon", _ members: [String: String?] = [:]) -> String {
        object(
            ["task_id": "\"\(id)\"", "platform": "\"\(platform)\"", "target": "{\"parcel_id\":\"\(id)\"}"], members)
    }

    private static func object(_ base: [String: String], _ members: [String: String?]) -> String {
        var all = base
        for (name, value) in members { all[name] = value }
        return "{" + all.map { "\"\($0.key)\":\($0.value)" }.sorted().joined(separator: ",") + "}"
    }
}
