// A running gateway with the two databases behind it, as the end-to-end tests see it: over HTTP, SQL and RESP.
// `Live.shared` serves all tests that leave it as it is and keep to ids and platforms of their own; any thread.

import Foundation
import Reactor
import Synchronization
import TestSupport

final class Live: Sendable {
    let gateway: GatewayProcess
    let redisURL: String
    let postgresURL: String

    /// - Parameters:
    ///   - environment: `GATEWAY_` variables beside those of every test's gateway.
    ///   - services: nil takes fresh databases of the services that all tests share.
    ///   - sql: run on the migrated database before the gateway starts.
    ///   - port: nil takes a free one.
    init(
        _ environment: [String: String] = [:], services: PrivateServices? = nil, sql: String? = nil, port: Int? = nil
    ) throws {
        redisURL = try services?.redisURL ?? Services.shared.takeRedisDatabase()
        if let services {
            postgresURL = services.postgresURL
            let result = try GatewayProcess.run(["migrate"], postgresURL: postgresURL)
            guard result.isSuccess else { throw TestFailure("gateway migrate failed:\n\(result.errors)") }
        } else {
            postgresURL = try GatewayProcess.migratedDatabase()
        }
        if let sql { try PostgresQuery(url: postgresURL).run(sql) }
        gateway = try GatewayProcess(
            redisURL: redisURL, postgresURL: postgresURL, environment: environment, port: port)
        try waitUntilReady()
    }

    private static let sharedResult = Result {
        try Live(
            ["GATEWAY_WORKER_RATE_PER_MINUTE": "0"],
            // A rule that only PostgreSQL knows.
            sql: "ALTER TABLE parcel_results ADD CONSTRAINT not_refused CHECK (NOT data ? 'refused')")
    }

    static var shared: Live { get throws { try sharedResult.get() } }

    var port: Int { gateway.port }
    var database: PostgresQuery { PostgresQuery(url: postgresURL) }

    func worker(_ id: String = Fresh.name("w"), token: String = GatewayProcess.workerToken) throws -> WorkerClient {
        try WorkerClient(port: port, id: id, token: token)
    }

    /// Every reactor has a Redis and a PostgreSQL connection of its own; connections are spread over the reactors by
    /// the kernel, so many in a row must find all well.
    func waitUntilReady(deadlineSeconds: Double = 30) throws {
        try eventually("all reactors are ready", deadlineSeconds: deadlineSeconds) {
            try (0..<16).allSatisfy { _ in try gateway.exchange("GET", "/health/ready").status == 200 }
        }
    }

    func flushQueue() throws { try Services.shared.flushRedis(redisURL) }
}

/// Names that no other test of this process uses.
enum Fresh {
    private static let next = Atomic(0)

    static func name(_ prefix: String) -> String { "\(prefix)-\(next.add(1, ordering: .relaxed).newValue)" }
}

/// Runs `body` on threads of their own, all at once, and returns what they made, in order.
func concurrently<Value: Sendable>(
    _ count: Int, deadlineSeconds: Double = 120, _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
    let results = SharedResults<Value>(count: count)
    for index in 0..<count {
        Thread.detachNewThread { results.set(index, Result { try body(index) }) }
    }
    try eventually("all \(count) threads end", deadlineSeconds: deadlineSeconds) { results.isComplete }
    return try results.values()
}

private final class SharedResults<Value: Sendable>: Sendable {
    private let results: Locked<[Result<Value, any Error>?]>

    init(count: Int) { results = Locked(Array(repeating: nil, count: count)) }

    func set(_ index: Int, _ result: Result<Value, any Error>) { results.withLock { $0[index] = result } }

    var isComplete: Bool { results.withLock { $0.allSatisfy { $0 != nil } } }

    func values() throws -> [Value] { try results.withLock { try $0.compactMap { try $0?.get() } } }
}
