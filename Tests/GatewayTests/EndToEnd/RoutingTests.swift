// Paths, methods, kinds and listeners: 404, 405 with Allow, HEAD, and which listener serves what. Source: api.md section 1.

import TestSupport
import Testing

@Suite struct RoutingTests {
    private static let paths: [(path: String, allow: String)] = [
        ("/health", "GET, HEAD"), ("/health/ready", "GET, HEAD"), ("/metrics", "GET, HEAD"),
        ("/internal/work", "GET"), ("/internal/party/work", "GET"),
        ("/internal/heartbeat", "POST"), ("/internal/party/heartbeat", "POST"), ("/internal/parcel/results", "POST"),
        ("/internal/tasks/t/complete", "POST"), ("/internal/party/tasks/t/fail", "POST"),
    ]

    @Test(arguments: paths)
    func `a known path with another method is a 405 that lists those it has`(path: String, allow: String) throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]
        where !allow.contains(method) {
            let response = try http.exchange(method, path)
            try expectProblem(response, 405, "METHOD_NOT_ALLOWED")
            #expect(response.header("Allow") == allow)
        }
        try http.expectKept()
    }

    @Test(arguments: [
        "/", "/nowhere", "/internal", "/internal/", "/internal/work/", "//internal/work", "/internal//work",
        "/Internal/work", "/internal/work/1", "/internal/tasks//complete",
        "/internal/tasks/t/complete/x", "/internal/other/work", "/internal/wor%6b", "/health/", "/metrics/x",
    ])
    func `any other path is a 404, whoever asks`(path: String) throws {
        let worker = try Live.shared.worker()
        for method in ["GET", "POST", "DELETE"] { try expectProblem(worker.send(method, path), 404, "NOT_FOUND") }
        try worker.http.expectKept()
    }

    @Test func `HEAD is answered like GET, without the body`() throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        let whole = try http.exchange("GET", "/health")
        let head = try http.exchange("HEAD", "/health")
        #expect(head.status == 200)
        #expect(head.body.isEmpty)
        #expect(head.header("Content-Length") == "\(whole.body.count)")
        let missing = try http.exchange("HEAD", "/nowhere")
        #expect(missing.status == 404)
        #expect(missing.header("X-Request-ID") != nil)
        try http.expectKept()
    }

    @Test func `HEAD takes no tasks, for nobody would read them`() throws {
        let live = try Live.shared
        let worker = try live.worker()
        let (task, platform) = (Fresh.name("task"), Fresh.name("platform"))
        _ = try worker.enqueue([Sample.task(task, platform: platform)])
        let refused = try worker.send("HEAD", "/internal/work?platforms=\(platform)")
        #expect(refused.status == 405)
        #expect(refused.header("Allow") == "GET")
        #expect(try !QueueView(live).isLeased(task))
        #expect(try worker.pull("platforms=\(platform)").map(\.id) == [task])
    }

    @Test func `an HTTP/1.0 client is answered and its connection closed`() throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        try http.send("GET /health HTTP/1.0\r\n\r\n")
        #expect(try http.readResponse().bodyText == "{\"status\":\"ok\",\"service\":\"gateway\"}")
        try http.expectClosed()
    }

    @Test func `a listener serves its surfaces, health is on each, and a party listener's short paths are the party's`()
        throws
    {
        let folder = try TemporaryFolder()
        let (party, ops) = (try FreePort.next(), try FreePort.next())
        let port = try FreePort.next()
        let live = try Live.withListeners(
            port: port,
            "parcel=127.0.0.1:\(port),party=127.0.0.1:\(party),ops=127.0.0.1:\(ops),worker=\(folder.path("s"))")
        func status(_ port: Int, _ method: String, _ path: String) throws -> Int {
            let worker = try WorkerClient(port: port, id: "w")
            return try worker.send(method, path, body: method == "POST" ? Sample.heartbeat() : nil).status
        }
        for port in [port, party, ops] { #expect(try status(port, "GET", "/health") == 200) }
        #expect(try status(port, "GET", "/metrics") == 404)
        #expect(try status(party, "GET", "/metrics") == 404)
        #expect(try status(ops, "GET", "/metrics") == 200)
        #expect(try status(ops, "POST", "/internal/heartbeat") == 404)
        #expect(try status(port, "POST", "/internal/party/heartbeat") == 404)
        #expect(try status(party, "POST", "/internal/parcel/heartbeat") == 404)
        #expect(try status(port, "POST", "/internal/heartbeat") == 200)
        #expect(try QueueView(live).hasSeen("w"))
        #expect(try !QueueView(live, kind: "party").hasSeen("w"))
        #expect(try status(party, "POST", "/internal/heartbeat") == 200)
        #expect(try QueueView(live, kind: "party").hasSeen("w"))

        let local = try RawHTTP(unixPath: folder.path("s"), timeoutSeconds: 30)
        let headers = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "over-a-unix-socket")]
        let answer = try local.exchange(
            "POST", "/internal/heartbeat", headers: headers, body: Sample.heartbeat())
        #expect(answer.status == 200)
        #expect(try QueueView(live).hasSeen("over-a-unix-socket"))
    }
}

extension Live {
    /// A gateway whose `/health` is on `port`, one of the listeners.
    static func withListeners(port: Int, _ listeners: String) throws -> Live {
        try Live(["GATEWAY_LISTENERS": listeners], port: port)
    }
}
