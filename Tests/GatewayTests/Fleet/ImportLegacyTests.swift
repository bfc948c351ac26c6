// `gateway import-legacy`: everything that old gateways left arrives, in order, once, however often it is interrupted.

import Foundation
import TestSupport
import Testing

@testable import Gateway

@Suite struct ImportLegacyTests {
    private let redisURL: String
    private let redis: TestSupport.RedisClient

    init() throws {
        redisURL = try Services.shared.takeRedisDatabase()
        redis = try TestSupport.RedisClient(url: redisURL)
    }

    private func entry(_ id: String, platform: String = "beacon", priority: Int = 3) -> String {
        #"{"task_id":"\#(id)","type":"scrape","platform":"\#(platform)","target":{"parcel_id":"\#(id)"},"priority":\#(priority),"created_at":"2026-02-04T10:00:00.5"}"#
    }

    private func push(_ key: String, _ entries: [String]) throws {
        for start in stride(from: 0, to: entries.count, by: 1000) {
            _ = try redis.command(["LPUSH", key] + entries[start..<min(start + 1000, entries.count)])
        }
    }

    private func importAll(_ arguments: String...) throws -> CommandOutput {
        try TestSupport.GatewayProcess.run(["import-legacy"] + arguments, redisURL: redisURL)
    }

    @Test func `tasks come over in the order in which they would have been taken, held ones first`() throws {
        try push("queue:beacon:p3", ["t1", "t2", "t3"].map { entry($0) })
        try push("queue:beacon:p1", [entry("urgent", priority: 1)])
        try push("processing:worker-7", [entry("held")])
        let result = try importAll()
        #expect(
            result.output == "3 lists: 5 tasks queued, 0 known already, 0 to the dead letters\n", "\(result.errors)")
        #expect(try redis.command("KEYS", "queue:*").array == [] && redis.command("KEYS", "processing:*").array == [])
        let fleet = try FleetFixture(1, redisURL: redisURL)
        #expect(try fleet[0].pull("w").map(\.id) == ["urgent", "held", "t1", "t2", "t3"])
        let body = try redis.command("HGET", "{parcel:0}:tasks", "t1").string ?? ""
        #expect(body.contains(#""created_at":"2026-02-04T10:00:00.500000Z""#))
        #expect(body.contains(#""target":{"parcel_id":"t1"}"#))
    }

    @Test func `what is no task goes to the dead letters with the reason and the entry as it was`() throws {
        try push(
            "queue:qpublic:p2",
            ["not json \u{1}\"x\"", #"{"type":"scrape"}"#, "[1]", entry("good", platform: "qpublic")])
        let result = try importAll()
        #expect(
            result.output == "1 lists: 1 tasks queued, 0 known already, 3 to the dead letters\n", "\(result.errors)")
        let fleet = try FleetFixture(1, redisURL: redisURL)
        let letters = try fleet[0].ops("GET", "/internal/dlq").jsonObject()["tasks"] as? [[String: Any]] ?? []
        let messages = letters.compactMap { ($0["error"] as? [String: Any])?["message"] as? String }
        #expect(messages.count == 3)
        #expect(messages[0].contains("imported from queue:qpublic:p2: not JSON"))
        #expect(messages[1].contains("task_id"))
        #expect((letters[0]["target"] as? [String: Any])?["entry"] as? String == "not json \u{1}\"x\"")
        #expect(letters[0]["platform"] as? String == "qpublic")
        #expect(letters[0]["priority"] as? Int == 2)
    }

    @Test func `an entry that does not say its platform or priority has those of its list`() throws {
        try push(
            "queue:beacon:p2", [#"{"task_id":"t","target":{}}"#, #" { "task_id":"u","platform":"own","target":{}}"#])
        #expect(try importAll().status == .exited(0))
        let body = try redis.command("HGET", "{parcel:0}:tasks", "t").string ?? ""
        #expect(body.hasPrefix(#"{"priority":2,"tier":1,"platform":"beacon","#))
        #expect(try redis.command("HGET", "{parcel:0}:tasks", "u").string?.contains(#""platform":"own""#) == true)
    }

    @Test func `a repeated import finds nothing to do, and known tasks are not queued twice`() throws {
        try push("queue:beacon:p3", [entry("t1"), entry("t1"), entry("t2")])
        #expect(try importAll().output.contains("2 tasks queued, 1 known already"))
        #expect(try importAll().output == "0 lists: 0 tasks queued, 0 known already, 0 to the dead letters\n")
        try push("queue:beacon:p3", [entry("t1")])
        #expect(try importAll("--kind", "parcel").output.contains("0 tasks queued, 1 known already"))
    }

    @Test func `lists of other names, and of workers that still run, are left alone`() throws {
        try push("queue:beacon:p5", [entry("a")])
        try push("queue:p1", [entry("b")])
        try push("processing:w", [entry("c")])
        #expect(try importAll("--queues-only").output.hasPrefix("0 lists"))
        #expect(try redis.command("LLEN", "processing:w").integer == 1)
        #expect(try redis.command("LLEN", "queue:beacon:p5").integer == 1)
    }

    @Test func `killed at any instant it loses nothing, and the next run brings the rest`() throws {
        let count = 20_000
        let ids = (0..<count).map { "t\($0)" }
        try push("queue:beacon:p3", ids.map { entry($0) })
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GATEWAY_") }
        variables["GATEWAY_REDIS_URL"] = redisURL
        var kills = 0
        for wanted in stride(from: 1000, to: count, by: 3000) {
            let child = try ChildProcess(Checkout.gatewayBinary, ["import-legacy"], environment: variables)
            try eventually("\(wanted) are over") {
                try !child.isRunning || redis.command("HLEN", "{parcel:0}:tasks").integer ?? 0 >= wanted
            }
            if child.isRunning { kills += 1 }
            child.signal(SIGKILL)
            try child.waitForExit()
            let over = try redis.command("HLEN", "{parcel:0}:tasks").integer ?? 0
            let left = try redis.command("LLEN", "queue:beacon:p3").integer ?? 0
            #expect(over + left >= count)
        }
        #expect(kills > 0)
        #expect(try importAll().status == .exited(0))
        #expect(try redis.command("LLEN", "queue:beacon:p3").integer == 0)
        #expect(try redis.command("HLEN", "{parcel:0}:tasks").integer == count)
        let ready = try redis.command("ZRANGE", "{parcel:0}:ready:6:1:beacon", "0", "-1").array ?? []
        #expect(ready.compactMap(\.string) == ids)
    }

    @Test func `the keys of the old lists are told from others`() {
        #expect(LegacyList(key: "queue:beacon:p1")?.priority == 1)
        #expect(LegacyList(key: "queue:a:b:p4")?.platform == "a:b")
        #expect(LegacyList(key: "processing:w:1")?.platform == nil)
        for key in [
            "queue:beacon:p0", "queue:beacon:p5", "queue:beacon:p01", "queue::p1", "queue:p1", "processing:", "x",
        ] {
            #expect(LegacyList(key: key) == nil, "\(key)")
        }
    }
}
