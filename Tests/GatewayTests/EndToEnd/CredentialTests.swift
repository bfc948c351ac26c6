// Who may call what: tokens, bound tokens, the address allow-list, ops endpoints. Source: api.md sections 1 and 2.

import TestSupport
import Testing

@Suite struct CredentialTests {
    private static let workerCalls: [(String, String)] = [
        ("GET", "/internal/work"), ("POST", "/internal/heartbeat"), ("POST", "/internal/results"),
        ("POST", "/internal/tasks/t/complete"), ("POST", "/internal/tasks/t/fail"), ("GET", "/internal/party/work"),
        ("POST", "/internal/parcel/heartbeat"), ("POST", "/internal/party/results"),
    ]

    private static let badTokens: [[(String, String)]] = [
        [], [("X-Worker-Token", "")], [("X-Worker-Token", "wrong")],
        [("X-Worker-Token", GatewayProcess.workerToken + "x")],
        [("X-Worker-Token", String(GatewayProcess.workerToken.dropLast()))],
        [("X-Worker-Token", GatewayProcess.opsToken)], [("X-Ops-Token", GatewayProcess.opsToken)],
        [("Authorization", "Bearer \(GatewayProcess.workerToken)")],
        [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-Token", GatewayProcess.workerToken)],
    ]

    @Test(arguments: 0..<badTokens.count)
    func `without its token every worker call is a 401 before its body is looked at`(which: Int) throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        for (method, target) in Self.workerCalls {
            let response = try http.exchange(
                method, target, headers: Self.badTokens[which] + [("X-Worker-ID", "w")],
                body: method == "POST" ? "not JSON" : nil)
            try expectProblem(response, 401, "UNAUTHORIZED", ProblemDetails(says: "X-Worker-Token"))
        }
        try http.expectKept()
    }

    private static let opsCalls: [(String, String)] = [
        ("POST", "/internal/tasks"), ("POST", "/internal/parcel/tasks"),
        ("POST", "/internal/party/tasks?worker_id=%zz"),
        ("GET", "/internal/queue"), ("GET", "/internal/dlq?limit=x"), ("POST", "/internal/dlq/requeue"),
        ("DELETE", "/internal/dlq"), ("GET", "/internal/party/workers"), ("POST", "/internal/workers/w/commands"),
        ("DELETE", "/internal/tasks/unknown"),
    ]

    private static let opsAttempts: [(headers: [(String, String)], body: String)] = [
        ([], "[]"), ([("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "w")], "[]"),
        ([("X-Ops-Token", "wrong")], "[]"), ([("X-Ops-Token", GatewayProcess.workerToken)], "[]"),
        ([("X-Ops-Token", "")], "not JSON"), ([("Content-Type", "multipart/form-data")], "x"),
        ([("Content-Encoding", "gzip")], "x"), ([("X-Worker-ID", "a b")], "[]"),
        ([("X-Ops-Token", GatewayProcess.opsToken), ("X-Ops-Token", GatewayProcess.opsToken)], "[]"),
    ]

    @Test(arguments: 0..<opsAttempts.count)
    func `without a valid ops token an ops endpoint is a 401 whatever else is sent`(which: Int) throws {
        let (headers, body) = Self.opsAttempts[which]
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        for (method, target) in Self.opsCalls {
            let response = try http.exchange(method, target, headers: headers, body: body)
            try expectProblem(response, 401, "UNAUTHORIZED", ProblemDetails(says: "X-Ops-Token"))
        }
        try http.expectKept()
    }

    @Test func `a large body with a bad token is refused before it is sent`() throws {
        let http = try RawHTTP(port: Live.shared.port, timeoutSeconds: 30)
        let headers = [("X-Worker-ID", "w"), ("Content-Length", "9000000"), ("Expect", "100-continue")]
        try http.send(RawHTTP.request("POST", "/internal/results", headers: headers))
        let response = try http.readResponse()
        try expectProblem(response, 401, "UNAUTHORIZED")
        #expect(response.header("Connection") == "close")
        try http.expectClosed()
    }

    private static let bound = "token-that-is-bound-to-scrapers"
    private static let boundOps = "ops-token-bound-to-operators"

    @Test func `a bound token is for its worker ids only`() throws {
        let live = try Live([
            "GATEWAY_WORKER_TOKENS": "\(GatewayProcess.workerToken),\(Self.bound)@scraper-*",
            "GATEWAY_OPS_TOKENS": "\(GatewayProcess.opsToken),\(Self.boundOps)@operator-*",
        ])
        let http = try RawHTTP(port: live.port, timeoutSeconds: 30)
        func heartbeat(_ token: String, _ id: String) throws -> HTTPResponse {
            try http.exchange(
                "POST", "/internal/heartbeat", headers: [("X-Worker-Token", token), ("X-Worker-ID", id)],
                body: Sample.heartbeat())
        }
        #expect(try heartbeat(Self.bound, "scraper-1").status == 200)
        #expect(try heartbeat(Self.bound, "scraper-").status == 200)
        #expect(try heartbeat(GatewayProcess.workerToken, "anything").status == 200)
        for id in ["scraper", "scrape", "other-scraper-1", "Scraper-1"] {
            try expectProblem(heartbeat(Self.bound, id), 403, "FORBIDDEN")
        }
        try expectProblem(heartbeat(Self.bound, "a b"), 400, "INVALID_REQUEST")
        func enqueue(_ id: String) throws -> HTTPResponse {
            let headers = [("X-Ops-Token", Self.boundOps), ("X-Worker-ID", id)]
            return try http.exchange("POST", "/internal/tasks", headers: headers, body: "[]")
        }
        #expect(try enqueue("operator-1").status == 200)
        try expectProblem(enqueue("scraper-1"), 403, "FORBIDDEN")
        #expect(try !QueueView(live).hasSeen("other-scraper-1"))
    }

    @Test func `an address outside the allow-list may not use the worker surface`() throws {
        let live = try Live(["GATEWAY_INTERNAL_IP_ALLOWLIST": "10.0.0.0/8,fd00::/8"])
        let http = try RawHTTP(port: live.port, timeoutSeconds: 30)
        let headers = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "w")]
        for (method, target) in Self.workerCalls {
            let body = method == "POST" ? "[]" : nil
            try expectProblem(http.exchange(method, target, headers: headers, body: body), 403, "FORBIDDEN")
        }
        #expect(try http.exchange("GET", "/health").status == 200)
        #expect(try http.exchange("GET", "/metrics").status == 200)
    }

    @Test func `an address inside the allow-list may`() throws {
        let live = try Live(["GATEWAY_INTERNAL_IP_ALLOWLIST": "192.168.0.0/16, 127.0.0.0/8"])
        #expect(try live.worker().heartbeat()["acknowledged"] as? Bool == true)
    }

    @Test func `without configured tokens the worker and ops surfaces refuse all`() throws {
        let live = try Live(["GATEWAY_WORKER_TOKENS": "", "GATEWAY_OPS_TOKENS": ""])
        for token in ["", GatewayProcess.workerToken] {
            let headers = [("X-Worker-Token", token), ("X-Worker-ID", "w"), ("X-Ops-Token", token)]
            for (method, target) in Self.workerCalls + [("POST", "/internal/tasks")] {
                try expectProblem(live.gateway.exchange(method, target, headers: headers), 401, "UNAUTHORIZED")
            }
        }
    }

    @Test func `tokens may come from files`() throws {
        let folder = try TemporaryFolder()
        try folder.write("token-out-of-a-file\n", to: "worker")
        let live = try Live([
            "GATEWAY_WORKER_TOKENS": "", "GATEWAY_WORKER_TOKENS_FILE": folder.path("worker"),
        ])
        #expect(try live.worker(token: "token-out-of-a-file").heartbeat()["acknowledged"] as? Bool == true)
        try expectProblem(live.worker().send("GET", "/internal/work"), 401, "UNAUTHORIZED")
    }
}
