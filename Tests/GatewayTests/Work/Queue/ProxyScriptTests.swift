// Allocation, rotation and bans of proxies, against a real Redis.

import Testing

@testable import Gateway

@Suite struct ProxyScriptTests {
    let queue: QueueHarness

    init() throws {
        queue = try QueueHarness()
        _ = try queue.run(.proxyPool, ["h:1", "h:2", "h:3"])
    }

    private func take(_ worker: String, _ platform: String = "a", from source: String = "pool") throws -> String {
        try queue.run(.proxyTake, [worker, platform, "3600000", "300000", source]).array[0].text
    }

    private func drop(_ worker: String, _ platform: String = "a", port: String = "", banMs: Int = 0) throws -> [String]
    {
        try queue.run(.proxyDrop, [worker, platform, port, "\(banMs)"]).array.map(\.text)
    }

    private func reap() throws -> [String] { try queue.run(.proxyReap, ["100", "300000"]).array.map(\.text) }

    @Test func `a proxy stays with its worker and platform`() throws {
        let first = try take("w1")
        #expect(try take("w1") == first)
        #expect(try take("w1", "b") != first)
        #expect(try take("w1") == first)
    }

    @Test func `the least used is handed out first, the longest unused among equals`() throws {
        let firsts = try ["w1", "w2", "w3"].map { try take($0) }
        #expect(Set(firsts).count == 3)
        _ = try drop("w2")
        #expect(try take("w4") == firsts[1])
        #expect(try take("w5") == firsts[0])
    }

    @Test func `a banned proxy is kept from its platform only, until the ban ends`() throws {
        let banned = try take("w1")
        #expect(try drop("w1", banMs: 3_600_000) == [banned, "\(queue.nowMs + 3_600_000)"])
        for worker in 1...9 { #expect(try take("x\(worker)") != banned) }
        _ = try queue.run(.proxyPool, [banned])
        #expect(try take("w1").isEmpty)
        #expect(try take("w1", "b") == banned)
        queue.advance(seconds: 3_600)
        #expect(try take("w1") == banned)
    }

    @Test func `a worker whose proxy another had banned gets another`() throws {
        _ = try queue.run(.proxyPool, ["h:1"])
        #expect(try take("w1") == "h:1")
        #expect(try take("w2") == "h:1")
        #expect(try drop("w2", port: "1", banMs: 60_000)[0] == "h:1")
        _ = try queue.run(.proxyPool, ["h:1", "h:2"])
        #expect(try take("w1") == "h:2")
    }

    @Test func `a port no proxy has is told so`() throws {
        #expect(try drop("w1", port: "99", banMs: 60_000) == ["", "0"])
    }

    @Test func `an allocation ends at its expiry and with its worker`() throws {
        try queue.heartbeat("w1", "w2")
        _ = try take("w1")
        _ = try take("w2")
        queue.advance(seconds: 200)
        try queue.heartbeat("w2")
        queue.advance(seconds: 100)
        #expect(try reap()[...3] == ["0", "1", "3", "1"])
        for _ in 1...33 {
            queue.advance(seconds: 99)
            try queue.heartbeat("w2")
            #expect(try reap()[1] == "0")
        }
        queue.advance(seconds: 99)
        #expect(try reap()[...3] == ["0", "1", "3", "0"])
    }

    @Test func `bans are counted by platform and forgotten when they end`() throws {
        _ = try drop("w1", "a", port: "1", banMs: 60_000)
        _ = try drop("w1", "a", port: "2", banMs: 120_000)
        _ = try drop("w1", "b", port: "1", banMs: 60_000)
        #expect(try reap()[4...] == ["b", "1", "a", "2"])
        queue.advance(seconds: 60)
        #expect(try reap()[4...] == ["a", "1"])
        queue.advance(seconds: 60)
        #expect(try reap()[4...] == [])
        #expect(try queue.redis("KEYS", "*ban*").array.isEmpty)
    }

    @Test func `a proxy from a service joins the pool unless it is banned`() throws {
        #expect(try take("w1", from: "kept").isEmpty)
        #expect(try take("w1", from: "s:9") == "s:9")
        #expect(try take("w1", from: "kept") == "s:9")
        _ = try drop("w1", banMs: 60_000)
        #expect(try take("w1", from: "s:9").isEmpty)
    }
}
