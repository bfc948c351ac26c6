// Pulls that wait, against built gateways: woken by any gateway, fair, quiet, and gone when their client is.

import Foundation
import TestSupport
import Testing

@Suite struct LongPollTests {
    @Test func `a pull that waits is woken by an enqueue on another gateway`() throws {
        let fleet = try FleetFixture(2)
        let waiting = try WaitingPull(fleet[0], "w1")
        try fleet.waits("w1")
        let start = monotonicSeconds()
        try fleet[1].enqueue("t")
        #expect(try waiting.tasks() == ["t"])
        #expect(monotonicSeconds() - start < 2)
    }

    @Test func `a pull that waits is woken by a retry that is due`() throws {
        let fleet = try FleetFixture(2, environment: ["GATEWAY_RETRY_BASE_SECONDS": "0.3"])
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        let waiting = try WaitingPull(fleet[1], "w2")
        try fleet.waits("w2")
        #expect(try fleet[0].fail("w1", "t")["should_retry"] as? Bool == true)
        let start = monotonicSeconds()
        #expect(try waiting.tasks() == ["t"])
        #expect(monotonicSeconds() - start < 3)
    }

    @Test func `a pull that waits is woken by a requeued dead letter`() throws {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("t")
        #expect(try fleet[0].pull("w1").count == 1)
        #expect(try fleet[0].fail("w1", "t", #"{"retry_suggested":false}"#)["moved_to_dlq"] as? Bool == true)
        let waiting = try WaitingPull(fleet[1], "w2")
        try fleet.waits("w2")
        let start = monotonicSeconds()
        #expect(try fleet[0].ops("POST", "/internal/dlq/requeue", #"{"all":true}"#).status == 200)
        #expect(try waiting.tasks() == ["t"])
        #expect(monotonicSeconds() - start < 2)
    }

    @Test func `those who wait are served in the order of their coming`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_REACTORS": "1"])
        var queue: [WaitingPull] = []
        for worker in 1...5 {
            queue.append(try WaitingPull(fleet[0], "w\(worker)"))
            try fleet.waits("w\(worker)")
        }
        for number in 0..<5 {
            try fleet[0].enqueue("t\(number)")
            #expect(try queue[number].tasks() == ["t\(number)"])
            #expect(queue[(number + 1)...].allSatisfy { !$0.hasAnswer })
        }
    }

    @Test func `one who cannot take a task leaves it to one who can`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_REACTORS": "1"])
        let qpublic = try WaitingPull(fleet[0], "w1", "wait=20&platforms=qpublic")
        try fleet.waits("w1")
        let cheap = try WaitingPull(fleet[0], "w2", "wait=20&max_tier=1")
        try fleet.waits("w2")
        let beacon = try WaitingPull(fleet[0], "w3", "wait=20&platforms=beacon,other")
        try fleet.waits("w3")
        try fleet[0].enqueue("t", platform: "beacon", tier: 3)
        #expect(try beacon.tasks() == ["t"])
        #expect(!qpublic.hasAnswer && !cheap.hasAnswer)
    }

    @Test func `a pull that waits is answered empty when its time is up`() throws {
        let fleet = try FleetFixture(1)
        let start = monotonicSeconds()
        let answer = try WaitingPull(fleet[0], "w1", "wait=0.5").answer()
        let seconds = monotonicSeconds() - start
        #expect(try FleetTask.list(answer).isEmpty)
        #expect((answer["retry_after"] as? Int ?? 0) >= 1)
        #expect(seconds >= 0.5 && seconds < 5)
    }

    @Test func `a client that has gone claims nothing`() throws {
        let fleet = try FleetFixture(1, environment: ["GATEWAY_REACTORS": "1"])
        for (number, end) in (["close", "reset", "half-close"]).enumerated() {
            let waiting = try WaitingPull(fleet[0], "gone-\(number)")
            try fleet.waits("gone-\(number)")
            switch end {
            case "close": waiting.client.close()
            case "reset": waiting.client.socket.reset()
            default: waiting.client.socket.finishSending()
            }
            try fleet[0].enqueue("t\(number)")
            #expect(try fleet[0].pullEventually("w") == [FleetTask(id: "t\(number)", attempt: 1)], "\(end)")
            #expect(try fleet.redis.command("ZCARD", "{parcel:0}:held:gone-\(number)").integer == 0, "\(end)")
        }
    }

    @Test func `all who wait are answered empty when the gateway drains`() throws {
        let fleet = try FleetFixture(1)
        let waiting = try (0..<20).map { try WaitingPull(fleet[0], "w\($0)", "wait=30") }
        for worker in 0..<20 { try fleet.waits("w\(worker)") }
        let start = monotonicSeconds()
        fleet[0].signal(SIGTERM)
        for one in waiting { #expect(try one.tasks().isEmpty) }
        #expect(try fleet[0].waitForExit() == .exited(0))
        #expect(monotonicSeconds() - start < 10)
    }

    @Test func `those who wait are told when Redis is away, and served again when it is back`() throws {
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(1, redisURL: services.redisURL, environment: ["GATEWAY_REACTORS": "1"])
        let waiting = try WaitingPull(fleet[0], "w1", "wait=30")
        try fleet.waits("w1")
        try services.kill(.redis)
        let response = try waiting.client.readResponse()
        #expect(response.status == 503)
        #expect(response.header("Retry-After") != nil)
        try services.start(.redis)
        try eventually("the gateway has Redis again") { try fleet[0].isConnected }
        let again = try WaitingPull(fleet[0], "w2")
        try eventually("w2 waits") {
            try TestSupport.RedisClient(url: services.redisURL).command("ZSCORE", "{parcel:0}:seen", "w2") != .null
        }
        try fleet[0].enqueue("t")
        #expect(try again.tasks() == ["t"])
    }

    @Test func `a repeated poll_id gets the delivery that was lost, not the queue's next`() throws {
        let fleet = try FleetFixture(2)
        try fleet[0].enqueue("t1", "t2")
        #expect(try fleet[0].pull("w1", "capacity=1&wait=5&poll_id=p") == [FleetTask(id: "t1", attempt: 1)])
        #expect(try fleet[1].pull("w1", "capacity=1&wait=5&poll_id=p") == [FleetTask(id: "t1", attempt: 1)])
    }

    @Test func `a burst of pulls larger than Redis' bound waits its turn and is not refused`() throws {
        let (connections, each) = (10, 600)
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(
            1, redisURL: services.redisURL,
            environment: ["GATEWAY_REACTORS": "1", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        // For as long Redis takes commands and answers none.
        _ = try fleet.redis.command("CLIENT", "PAUSE", "2000", "ALL")
        let clients = try (0..<connections).map { _ in
            try RawHTTP(port: fleet[0].port, timeoutSeconds: 60)
        }
        for (number, client) in clients.enumerated() {
            let waits = number % 2 == 0 ? "?wait=0.1" : ""
            try client.send(
                (0..<each).flatMap { index in
                    RawHTTP.request(
                        "GET", "/internal/work\(waits)",
                        headers: TestSupport.GatewayProcess.headers(worker: "w\(number)-\(index)"))
                })
        }
        var statuses: [Int: Int] = [:]
        for client in clients {
            for _ in 0..<each { statuses[try client.readResponse().status, default: 0] += 1 }
        }
        #expect(statuses == [200: connections * each])
    }

    @Test func `5,000 who wait cost next to nothing, and a wake does not stir them all`() throws {
        let count = 5000
        let services = try PrivateServices([.redis])
        let fleet = try FleetFixture(
            1, redisURL: services.redisURL,
            environment: [
                "GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": "6000", "GATEWAY_REAPER_INTERVAL_SECONDS": "1",
                "GATEWAY_REACTORS": "1",
            ])
        let waiting = try (0..<count).map { try WaitingPull(fleet[0], "w\($0)", "wait=30") }
        try eventually("all wait", deadlineSeconds: 20) {
            try fleet.redis.command("ZCARD", "{parcel:0}:seen").integer == count
        }
        func claims() throws -> Int { try scriptCalls(fleet.redis) }
        let (cpuBefore, claimsBefore) = (try cpuSeconds(fleet[0].pid), try claims())
        try throughout(seconds: 4, "nobody is answered") { !waiting[0].hasAnswer }
        let (cpu, asked) = (try cpuSeconds(fleet[0].pid) - cpuBefore, try claims() - claimsBefore)
        // Of 4 s: a debug build with its reaper and gauges.
        #expect(cpu < 0.8, "\(cpu) s of CPU")
        #expect(asked < 200, "\(asked) script calls")
        let before = try claims()
        try fleet[0].enqueue("t")
        #expect(try waiting[0].tasks() == ["t"])
        #expect(try claims() - before < 100)
    }

    /// User and system time of a process.
    private func cpuSeconds(_ pid: pid_t) throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        return (Double(fields[12]) ?? 0) / 100 + (Double(fields[13]) ?? 0) / 100
    }

    /// EVALSHA calls of this Redis so far, whoever made them.
    private func scriptCalls(_ redis: TestSupport.RedisClient) throws -> Int {
        let info = try redis.command("INFO", "commandstats").string ?? ""
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_evalsha:") } ?? ""
        return Int(line.dropFirst("cmdstat_evalsha:calls=".count).prefix { $0.isNumber }) ?? 0
    }
}
