// The built gateway as a process: started on a free port with a configuration of its own, its logs in a file.
// Any thread may use it. It ends with `terminate()`, `kill9()`, its last owner, or the test process.

import Foundation
import Reactor

public final class GatewayProcess: Sendable {
    /// Tokens of every gateway that the tests start, unless the environment says otherwise.
    public static let workerToken = "worker-token-of-the-tests"
    public static let opsToken = "ops-token-of-the-tests"
    private static let readySecondsMax = 30.0

    public let port: Int
    private let child: ChildProcess
    private let logs: TemporaryFolder

    /// Starts the gateway and returns when `/health` answers.
    /// - Parameters:
    ///   - redisURL, postgresURL: nil takes a fresh database of the shared services; a fresh PostgreSQL one is migrated.
    ///   - environment: added to, and stronger than, what is set here. `GATEWAY_LISTENERS` may replace the port only if
    ///     `/health` is still on `port`.
    ///   - wrapper: a program that becomes what its last arguments say, and arguments of its own before those.
    ///   - isReadyAwaited: false returns at once.
    public init(
        redisURL: String? = nil, postgresURL: String? = nil, environment: [String: String] = [:],
        arguments: [String] = ["serve"], wrapper: [String] = [], port: Int? = nil, isReadyAwaited: Bool = true
    ) throws {
        self.port = try port ?? FreePort.next()
        var variables = try Self.environment(
            redisURL: redisURL ?? Services.shared.takeRedisDatabase(),
            postgresURL: postgresURL ?? Self.migratedDatabase())
        variables["GATEWAY_HOST"] = "127.0.0.1"
        variables["GATEWAY_PORT"] = "\(self.port)"
        logs = try TemporaryFolder()
        variables["GATEWAY_RAW_STORAGE_URL"] = "file://\(logs.path("raw"))"
        variables.merge(environment) { _, given in given }
        let command = wrapper + [try Checkout.gatewayBinary] + arguments
        child = try ChildProcess(
            command[0], Array(command.dropFirst()), environment: variables, outputPath: logs.path("gateway.log"),
            errorPath: logs.path("gateway.log"))
        TestRun.record(child: child.pid)
        if isReadyAwaited { try waitUntilReady() }
    }

    deinit {
        // One that is killed leaves no word of the lines it ran.
        if ProcessInfo.processInfo.environment["LLVM_PROFILE_FILE"] != nil {
            child.signal(SIGTERM)
            _ = try? child.waitForExit(deadlineSeconds: 3)  // Else it is killed.
        }
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }

    public var pid: pid_t { child.pid }
    public var isRunning: Bool { child.isRunning }

    /// All that it has written to stdout and stderr.
    public var log: String { (try? logs.read("gateway.log")) ?? "" }  // No file yet: nothing was written.

    public func signal(_ number: Int32) { child.signal(number) }

    /// SIGTERM, and waits for the drain to end.
    @discardableResult
    public func terminate(deadlineSeconds: Double = 40) throws -> ExitStatus {
        signal(SIGTERM)
        return try waitForExit(deadlineSeconds: deadlineSeconds)
    }

    /// SIGKILL: a crash at whatever instruction it is.
    public func kill9() throws {
        signal(SIGKILL)
        try waitForExit(deadlineSeconds: 10)
    }

    @discardableResult
    public func waitForExit(deadlineSeconds: Double = 40) throws -> ExitStatus {
        let status = try child.waitForExit(deadlineSeconds: deadlineSeconds)
        TestRun.forget(child: child.pid)
        return status
    }

    /// One request over a connection of its own.
    public func exchange(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil
    ) throws -> HTTPResponse {
        try RawHTTP.exchange(port: port, method, target, headers: headers, body: body)
    }

    public func waitUntilReady() throws {
        do {
            try eventually("the gateway answers /health", deadlineSeconds: Self.readySecondsMax) {
                guard child.isRunning else { throw TestFailure("the gateway ended: \(child.exitStatus as Any)") }
                // Refused: not listening yet.
                let response = try? RawHTTP.exchange(port: port, "GET", "/health", timeoutSeconds: 1)
                return response?.status == 200
            }
        } catch {
            throw TestFailure("\(error)\nits log ends: \(log.suffix(2000))")
        }
    }

    /// Runs another of its commands to the end: `migrate`, `check-config`, `token`.
    public static func run(
        _ arguments: [String], redisURL: String? = nil, postgresURL: String? = nil, environment: [String: String] = [:],
        deadlineSeconds: Double = 60
    ) throws -> CommandOutput {
        var variables = try Self.environment(redisURL: redisURL, postgresURL: postgresURL)
        variables.merge(environment) { _, given in given }
        return try ChildProcess.run(
            Checkout.gatewayBinary, arguments, environment: variables, deadlineSeconds: deadlineSeconds)
    }

    /// A new database of the shared PostgreSQL with the gateway's tables.
    public static func migratedDatabase() throws -> String {
        let url = try Services.shared.createDatabase()
        let result = try run(["migrate"], postgresURL: url)
        guard result.isSuccess else { throw TestFailure("gateway migrate failed:\n\(result.output)\n\(result.errors)") }
        return url
    }

    /// Ours without other `GATEWAY_` variables: a test must not depend on who runs it.
    private static func environment(redisURL: String?, postgresURL: String?) throws -> [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GATEWAY_") }
        variables["GATEWAY_REDIS_URL"] = redisURL
        variables["GATEWAY_POSTGRES_URL"] = postgresURL
        variables["GATEWAY_WORKER_TOKENS"] = workerToken
        variables["GATEWAY_OPS_TOKENS"] = opsToken
        variables["GATEWAY_IO_BACKEND"] = PollerKind.underTest.rawValue
        // With coverage on every process needs a profile of its own, or the last one to end would overwrite the rest.
        if let profile = variables["LLVM_PROFILE_FILE"] {
            let folder = URL(fileURLWithPath: profile).deletingLastPathComponent().path
            variables["LLVM_PROFILE_FILE"] = "\(folder)/gateway-%p.profraw"
        }
        return variables
    }
}
