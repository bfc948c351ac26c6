// The Redis and PostgreSQL of the tests, run by scripts/services in private folders.
// `Services.shared` is one pair for the whole test process, started at first use; a test isolates itself by a database of its own
// in each. `PrivateServices` are for tests that stop, kill or pause theirs. Any thread may use both.

import Foundation
import Reactor
import Synchronization

public enum Service: String, CaseIterable, Sendable {
    case redis
    case postgres
}

/// A Redis and a PostgreSQL of one's own. They end with `close()`, with the last owner, or with the test process.
public final class PrivateServices: Sendable {
    public let folder: String
    private let facts: Locked<[String: String]>

    /// Starts `services` and returns when they answer.
    public init(_ services: [Service] = Service.allCases) throws {
        folder = TestRun.newPath("services")
        facts = Locked([:])
        for service in services { try start(service) }
    }

    deinit { close() }

    /// `redis://127.0.0.1:PORT/0`. Asking for a service that was never started is a bug of the test and traps.
    public var redisURL: String { fact("REDIS_URL") }
    public var redisSocketPath: String { fact("REDIS_SOCKET") }
    public var redisPort: Int { port(redisURL) }
    public var redisPid: pid_t { pid_t(fact("REDIS_PID")) ?? 0 }
    /// `postgres://taxlien@127.0.0.1:PORT/taxlien`
    public var postgresURL: String { fact("POSTGRES_URL") }
    public var postgresPort: Int { port(postgresURL) }
    public var postgresPid: pid_t { pid_t(fact("POSTGRES_PID")) ?? 0 }

    /// Starts a service, or starts it again with the data and the port it had.
    public func start(_ service: Service) throws {
        let output = try command("start", service)
        let lines = output.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: "=", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
        facts.withLock { $0.merge(lines) { _, new in new } }
    }

    /// Ends a service in good order.
    public func stop(_ service: Service) throws { _ = try command("stop", service) }
    /// SIGKILL: a crash.
    public func kill(_ service: Service) throws { _ = try command("kill", service) }

    /// Stops a service's process from running, its connections stay open: a hang. Its children go on (PostgreSQL's
    /// sessions): to hang those too, pause the sessions' own pids.
    public func pause(_ service: Service) { Glibc.kill(pid(of: service), SIGSTOP) }
    public func resume(_ service: Service) { Glibc.kill(pid(of: service), SIGCONT) }

    /// Ends both and removes their data.
    public func close() {
        // A failure leaves the folder to the sweep at exit.
        _ = try? ChildProcess.run(Checkout.script("services"), ["stop", folder, "--purge"])
    }

    private func pid(of service: Service) -> pid_t { service == .redis ? redisPid : postgresPid }

    private func command(_ command: String, _ service: Service) throws -> String {
        let result = try ChildProcess.run(
            Checkout.script("services"), [command, folder, "--\(service.rawValue)"], deadlineSeconds: 120)
        guard result.isSuccess else {
            throw TestFailure("scripts/services \(command) \(service.rawValue) failed:\n\(result.errors)")
        }
        return result.output
    }

    private func fact(_ name: String) -> String {
        guard let value = facts.withLock({ $0[name] }) else { preconditionFailure("\(name): service not started") }
        return value
    }

    private func port(_ url: String) -> Int { URLComponents(string: url)?.port ?? 0 }
}

/// The services that all tests of the process share.
public final class Services: Sendable {
    public static let shared = Services()

    private let services: PrivateServices
    private let nextRedisDatabase = Atomic<Int>(1)
    private let nextPostgresDatabase = Atomic<Int>(1)
    /// As many as scripts/services configures; 0 is nobody's.
    private static let redisDatabaseCount = 1024

    private init() {
        do {
            services = try PrivateServices()
        } catch {
            fatalError("the tests need Redis and PostgreSQL: \(error)")
        }
    }

    public var redisURL: String { services.redisURL }
    public var redisSocketPath: String { services.redisSocketPath }
    public var redisPort: Int { services.redisPort }
    public var postgresURL: String { services.postgresURL }
    public var postgresPort: Int { services.postgresPort }

    /// The URL of an empty Redis database that no other test of this process has.
    public func takeRedisDatabase() throws -> String {
        let number = nextRedisDatabase.add(1, ordering: .relaxed).oldValue
        guard number < Self.redisDatabaseCount else { throw TestFailure("all \(number) Redis databases are taken") }
        let url = "redis://127.0.0.1:\(redisPort)/\(number)"
        try flushRedis(url)
        return url
    }

    /// Empties the database of `url`.
    public func flushRedis(_ url: String) throws {
        let redis = try RedisClient(url: url)
        guard try redis.command("FLUSHDB") == .simple("OK") else { throw TestFailure("FLUSHDB failed") }
    }

    /// The URL of a new, empty PostgreSQL database.
    public func createDatabase() throws -> String {
        let name = "test_\(nextPostgresDatabase.add(1, ordering: .relaxed).oldValue)"
        try PostgresQuery(url: postgresURL).run("CREATE DATABASE \(name)")
        return "postgres://taxlien@127.0.0.1:\(postgresPort)/\(name)"
    }
}
