// The private services: isolation, restart with the same data and port, a crash, and an end that leaves nothing.

import Foundation
import TestSupport
import Testing

@Suite struct ServicesTests {
    @Test func `two tests do not see each other's data`() throws {
        let first = try RedisClient(url: Services.shared.takeRedisDatabase())
        let second = try RedisClient(url: Services.shared.takeRedisDatabase())
        #expect(try first.command("SET", "key", "1") == .simple("OK"))
        #expect(try second.command("GET", "key") == .null)

        let database = PostgresQuery(url: try Services.shared.createDatabase())
        try database.run("CREATE TABLE t (a text, b int); INSERT INTO t VALUES ('one\ntwo', 1), (NULL, 2)")
        #expect(try database.run("SELECT a, b FROM t ORDER BY b") == [["one\ntwo", "1"], [nil, "2"]])
        let other = PostgresQuery(url: try Services.shared.createDatabase())
        #expect(throws: TestFailure.self) { try other.run("SELECT * FROM t") }
    }

    @Test func `a service that was stopped or killed comes back with its data and port`() throws {
        let services = try PrivateServices()
        let redisURL = services.redisURL
        let postgresURL = services.postgresURL
        #expect(try RedisClient(url: redisURL).command("SET", "key", "kept") == .simple("OK"))
        try PostgresQuery(url: postgresURL).run("CREATE TABLE t AS SELECT 'kept' AS a")

        try services.stop(.redis)
        #expect(throws: TestFailure.self) { try RedisClient(url: redisURL) }
        try services.start(.redis)
        #expect(services.redisURL == redisURL)
        #expect(try RedisClient(url: redisURL).command("GET", "key") == .bulk("kept"))

        let oldPid = services.postgresPid
        try services.kill(.postgres)
        #expect(throws: TestFailure.self) { try PostgresQuery(url: postgresURL).run("SELECT 1") }
        try services.start(.postgres)
        #expect(services.postgresURL == postgresURL)
        #expect(services.postgresPid != oldPid)
        #expect(try PostgresQuery(url: postgresURL).value("SELECT a FROM t") == "kept")
    }

    @Test func `closing leaves no process and no folder`() throws {
        let services = try PrivateServices([.redis])
        let pid = services.redisPid
        services.close()
        try eventually("the process is gone") { isGone(pid) }
        #expect(!FileManager.default.fileExists(atPath: services.folder))
    }

    @Test func `the guard ends what a killed process left`() throws {
        let folder = try TemporaryFolder()
        let watched = try ChildProcess("sleep", ["1000"])
        let services = folder.path("services")
        let started = try ChildProcess.run(Checkout.script("services"), ["start", services, "--redis"])
        let line = try #require(started.output.split(separator: "\n").first { $0.hasPrefix("REDIS_PID=") })
        let pid = try #require(pid_t(line.dropFirst("REDIS_PID=".count)))
        let watcher = try ChildProcess(Checkout.script("services"), ["guard", "\(watched.pid)", services, "--purge"])
        #expect(!isGone(pid))
        watched.signal(SIGKILL)
        #expect(try watched.waitForExit() == .signalled(SIGKILL))
        #expect(try watcher.waitForExit() == .exited(0))
        #expect(isGone(pid))
        #expect(!FileManager.default.fileExists(atPath: services))
    }

    /// A zombie is gone: only that nobody has asked for its status keeps it in the table.
    private func isGone(_ pid: pid_t) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""  // No file: gone.
        return stat.isEmpty || stat.contains(") Z ")
    }
}
