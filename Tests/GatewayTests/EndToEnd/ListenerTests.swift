// Listeners: which surface each serves, Unix sockets, and sockets that a service manager passes. Source: api.md section 1.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct ListenerTests {
    @Test func `a listener serves its surface, health is on each, and all else is a 404`() throws {
        let folder = try TemporaryFolder()
        let names = ["public", "parcel", "party", "worker", "ops", "all"]
        let sockets = names.map { "\($0)=\(folder.path($0))" }
        let port = try FreePort.next()
        let live = try Live.withListeners(port: port, (sockets + ["public=127.0.0.1:\(port)"]).joined(separator: ","))
        let paths: [(method: String, path: String, on: Set<String>)] = [
            ("GET", "/health", Set(names)), ("GET", "/health/ready", Set(names)), ("GET", "/metrics", ["ops", "all"]),
            ("GET", "/versions", ["public", "all"]), ("GET", "/v1/usage", ["public", "all"]),
            ("POST", "/internal/heartbeat", ["parcel", "party", "worker", "all"]),
            ("POST", "/internal/parcel/heartbeat", ["parcel", "worker", "all"]),
            ("POST", "/internal/party/heartbeat", ["party", "worker", "all"]),
            ("GET", "/internal/queue", ["parcel", "party", "worker", "ops", "all"]),
            ("GET", "/internal/party/queue", ["party", "worker", "ops", "all"]),
            ("DELETE", "/internal/cache", ["parcel", "party", "worker", "ops", "all"]),
        ]
        for name in names {
            let client = try RawHTTP(unixPath: folder.path(name), timeoutSeconds: 30)
            let headers = [
                ("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "on-\(name)"),
                ("X-Ops-Token", GatewayProcess.opsToken),
            ]
            for (method, path, surfaces) in paths {
                let body = method == "POST" ? Sample.heartbeat() : nil
                let answer = try client.exchange(method, path, headers: headers, body: body)
                if surfaces.contains(name) {
                    #expect(answer.status == 200, "\(method) \(path) on \(name): \(answer.bodyText)")
                } else {
                    try expectProblem(answer, 404, "NOT_FOUND")
                }
            }
            try client.expectKept()
        }
        // Paths without a kind are the listener's.
        let party = try QueueView(live, kind: "party")
        #expect(try party.hasSeen("on-party"))
        #expect(try !QueueView(live).hasSeen("on-party"))
        #expect(try QueueView(live).hasSeen("on-parcel"))
    }

    private func start(unix path: String, _ environment: [String: String] = [:], port: Int? = nil) throws
        -> GatewayProcess
    {
        let port = try port ?? FreePort.next()
        let listeners = "all=127.0.0.1:\(port),all=\(path)"
        return try GatewayProcess(
            postgresURL: Services.shared.postgresURL,
            environment: ["GATEWAY_LISTENERS": listeners, "GATEWAY_REACTORS": "2"].merging(environment) { $1 },
            port: port)
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test(arguments: PollerKind.usable)
    func `the connections of a Unix socket go to all reactors in turn`(_ kind: PollerKind) throws {
        let folder = try TemporaryFolder()
        let gateway = try start(unix: folder.path("s"), ["GATEWAY_IO_BACKEND": kind.rawValue])
        func turns(_ reactor: String) throws -> Double {
            try MetricsPage(gateway).value("gateway_reactor_loop_seconds_count", ["reactor": reactor])
        }
        let before = try (turns("0"), turns("1"))
        let clients = try (0..<8).map { _ in try RawHTTP(unixPath: folder.path("s"), timeoutSeconds: 30) }
        for _ in 0..<100 { for client in clients { #expect(try client.exchange("GET", "/health").status == 200) } }
        // Each waits for its answer, so that each request is a turn of its own.
        #expect(try turns("0") - before.0 >= 400)
        #expect(try turns("1") - before.1 >= 400)
    }

    @Test func `a Unix socket has the mode that is set, and its file goes with the process`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("s")
        let usual = try start(unix: path)
        #expect(try mode(path) == 0o660)
        try usual.terminate()
        #expect(!FileManager.default.fileExists(atPath: path))
        let open = try start(unix: path, ["GATEWAY_UNIX_SOCKET_MODE": "606"])
        #expect(try mode(path) == 0o606)
        try open.terminate()
    }

    @Test func `a socket file that nobody listens on is replaced, one that somebody does is left alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("s")
        let killed = try start(unix: path)
        try killed.kill9()
        #expect(FileManager.default.fileExists(atPath: path))
        let next = try start(unix: path)
        #expect(try RawHTTP(unixPath: path).exchange("GET", "/health").status == 200)
        let refused = try GatewayProcess(
            postgresURL: Services.shared.postgresURL, environment: ["GATEWAY_LISTENERS": "all=\(path)"],
            isReadyAwaited: false)
        #expect(try refused.waitForExit() != .exited(0))
        #expect(refused.log.contains("Address already in use"))
        #expect(try RawHTTP(unixPath: path).exchange("GET", "/health").status == 200)
        try next.terminate()
    }

    // MARK: Sockets of a service manager

    /// Opens the sockets of its first argument, `name=host:port` or `name=/path`, and becomes the program of the others as
    /// systemd would have it.
    private static let manager = """
        import os, socket, sys
        names, held = [], []
        for entry in sys.argv[1].split(","):
            name, target = entry.split("=", 1)
            if target.startswith("/"):
                held.append(socket.socket(socket.AF_UNIX))
                held[-1].bind(target)
            else:
                host, port = target.rsplit(":", 1)
                held.append(socket.socket())
                held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held[-1].bind((host, int(port)))
            held[-1].listen(64)
            names.append(name)
        copies = [os.dup2(one.fileno(), 100 + index) for index, one in enumerate(held)]
        for index, copy in enumerate(copies):
            os.dup2(copy, 3 + index, inheritable=True)
        os.closerange(100, 100 + len(copies))
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
        os.execvp(sys.argv[2], sys.argv[2:])
        """

    private func managed(_ sockets: String, port: Int, _ environment: [String: String] = [:]) throws
        -> GatewayProcess
    {
        try GatewayProcess(
            postgresURL: Services.shared.postgresURL,
            environment: ["GATEWAY_REACTORS": "2"].merging(environment) { $1 },
            wrapper: ["/usr/bin/env", "python3", "-c", Self.manager, sockets], port: port)
    }

    @Test(arguments: PollerKind.usable)
    func `a socket that a service manager passes takes the place of the port, and all reactors have it`(
        _ kind: PollerKind
    ) throws {
        let (port, unused) = (try FreePort.next(), try FreePort.next())
        let gateway = try managed(
            "gateway.socket=127.0.0.1:\(port)", port: port,
            ["GATEWAY_PORT": "\(unused)", "GATEWAY_IO_BACKEND": kind.rawValue])
        #expect(throws: TestFailure.self) { try RawHTTP(port: unused) }
        let clients = try (0..<4).map { _ in try RawHTTP(port: port, timeoutSeconds: 30) }
        for _ in 0..<50 { for client in clients { #expect(try client.exchange("GET", "/health").status == 200) } }
        let page = try MetricsPage(gateway)
        for reactor in ["0", "1"] {
            #expect(page.value("gateway_reactor_loop_seconds_count", ["reactor": reactor]) >= 100)
        }
        try gateway.terminate()
    }

    @Test func `passed sockets are listeners by address or by their name, and their files are not ours to remove`()
        throws
    {
        let folder = try TemporaryFolder()
        let port = try FreePort.next()
        let gateway = try managed(
            "gateway.socket=127.0.0.1:\(port),ops=\(folder.path("ops")),stray=\(folder.path("stray"))", port: port,
            ["GATEWAY_LISTENERS": "public=127.0.0.1:\(port)"])
        #expect(try gateway.exchange("GET", "/versions").status == 200)
        #expect(try gateway.exchange("GET", "/metrics").status == 404)
        let ops = try RawHTTP(unixPath: folder.path("ops"), timeoutSeconds: 30)
        #expect(try ops.exchange("GET", "/metrics").status == 200)
        #expect(try ops.exchange("GET", "/versions").status == 404)
        #expect(gateway.log.contains("a socket that came with the process has no listener"))
        try gateway.terminate()
        #expect(FileManager.default.fileExists(atPath: folder.path("ops")))
    }
}
