// The other commands of the binary: migrate, check-config, token, and how serve refuses to start. Source: operations.md
// section 1.

import TestSupport
import Testing

@Suite struct CommandLineTests {
    private static let redis = "redis://127.0.0.1:6379/0"

    @Test func `four migrations at once on an empty database all succeed, and one more changes nothing`() throws {
        let url = try Services.shared.createDatabase()
        let outputs = try concurrently(4) { _ in try GatewayProcess.run(["migrate"], postgresURL: url) }
        for output in outputs { #expect(output.isSuccess, "\(output.output)\(output.errors)") }
        // Each migration was applied by one of them.
        #expect(outputs.filter { $0.output.contains("0001_results") }.count == 1)
        let database = PostgresQuery(url: url)
        func schema() throws -> [[String?]] {
            try database.run(
                """
                SELECT table_name, column_name, data_type FROM information_schema.columns
                WHERE table_schema = 'public' ORDER BY 1, 2
                """)
        }
        let before = try schema()
        #expect(Set(before.compactMap { $0[0] }).isSuperset(of: ["parcel_results", "party_results"]))
        try database.run(
            """
            INSERT INTO parcel_results (parcel_id, platform, state, county, scraped_at, parse_duration_ms,
                batch_ordinal, task_id, worker_id, data) VALUES ('p', 'b', 'CO', 'L', now(), 1, 1, 't', 'w', '{}')
            """)
        let again = try GatewayProcess.run(["migrate"], postgresURL: url)
        #expect(again.isSuccess)
        #expect(again.output.contains("up to date"))
        #expect(try schema() == before)
        #expect(try database.count("SELECT count(*) FROM parcel_results") == 1)
    }

    @Test func `migrate without a database fails and says why`() throws {
        let port = try FreePort.next()
        let output = try GatewayProcess.run(["migrate"], postgresURL: "postgres://127.0.0.1:\(port)/none")
        #expect(output.status != .exited(0))
        #expect((output.output + output.errors).contains("\(port)"), "\(output.output)\(output.errors)")
    }

    @Test func `check-config shows every setting and no secret`() throws {
        let output = try GatewayProcess.run(
            ["check-config"], redisURL: "redis://user:hunter2@127.0.0.1:6379/3",
            postgresURL: "postgres://taxlien:hunter3@127.0.0.1/taxlien", environment: ["GATEWAY_PORT": "9999"])
        #expect(output.isSuccess, "\(output.errors)")
        for text in ["GATEWAY_PORT", "9999", "GATEWAY_REDIS_URL", "127.0.0.1:6379/3", "GATEWAY_LEASE_SECONDS"] {
            #expect(output.output.contains(text), "\(text)")
        }
        let all = output.output + output.errors
        for secret in ["hunter2", "hunter3", GatewayProcess.workerToken, GatewayProcess.opsToken] {
            #expect(!all.contains(secret))
        }
    }

    @Test(arguments: [
        ("GATEWAY_PORT", "http"), ("GATEWAY_PORT", "65536"), ("GATEWAY_REDIS_URL", "http://x"),
        ("GATEWAY_LEASE_SECONDS", "-1"), ("GATEWAY_LOG_LEVEL", "loud"), ("GATEWAY_LISTENERS", "nowhere=1"),
        ("GATEWAY_INTERNAL_IP_ALLOWLIST", "300.0.0.0/8"),
    ])
    func `a wrong value stops serve and check-config with a line that names it`(name: String, value: String) throws {
        for command in ["check-config", "serve", "migrate"] {
            let output = try GatewayProcess.run(
                [command], redisURL: Self.redis, postgresURL: "postgres://127.0.0.1/none",
                environment: [name: value])
            #expect(output.status == .exited(78), "\(command): \(output.status)")
            let line = output.errors.split(separator: "\n").first { $0.contains(name) }
            #expect(line?.contains(value) == true, "\(output.errors)")
        }
    }

    @Test func `an unknown name is a warning with the nearest known one`() throws {
        let output = try GatewayProcess.run(["check-config"], environment: ["GATEWAY_PROT": "1"])
        #expect(output.isSuccess)
        #expect(output.errors.contains("GATEWAY_PROT") && output.errors.contains("GATEWAY_PORT"), "\(output.errors)")
    }

    @Test func `a made token is good for serving`() throws {
        let output = try GatewayProcess.run(["token"])
        #expect(output.isSuccess)
        let token = String(output.output.prefix { $0 != "\n" })
        #expect(token.count == 43)
        #expect(try GatewayProcess.run(["token"]).output != output.output)
        let live = try Live(["GATEWAY_WORKER_TOKENS": token])
        #expect(try live.worker(token: token).heartbeat()["acknowledged"] as? Bool == true)
        #expect(!live.gateway.log.contains(token))
    }

    @Test func `serve on a port that is taken ends and names it`() throws {
        let taken = try Live.shared
        // A listener of another user cannot share the port; one without SO_REUSEPORT neither.
        let listener = try PlainListener()
        let gateway = try GatewayProcess(
            redisURL: taken.redisURL, postgresURL: taken.postgresURL, port: listener.port, isReadyAwaited: false)
        #expect(try gateway.waitForExit() != .exited(0))
        #expect(gateway.log.contains("\(listener.port)"), "\(gateway.log)")
    }

    @Test func `the version and the commands are told`() throws {
        #expect(try GatewayProcess.run(["--version"]).output.contains("."))
        let help = try GatewayProcess.run(["--help"])
        for command in ["serve", "migrate", "check-config", "token"] { #expect(help.output.contains(command)) }
        #expect(try !GatewayProcess.run(["dance"]).isSuccess)
    }
}
