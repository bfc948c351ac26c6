// The scripts of rates and quotas on a real Redis, called as a gateway calls them. Source: api.md section 3.

import TestSupport
import Testing

@testable import Gateway

@Suite struct CallerScriptTests {
    private let redis: TestSupport.RedisClient
    private let keys = ["{a}:rate", "{a}:used", "{a}:mark:1"]

    init() throws { redis = try TestSupport.RedisClient(url: Services.shared.takeRedisDatabase()) }

    /// One call of `caller_admit`: [allowed, full in µs, retry in µs, charged, used].
    private func admit(
        intervalUs: Int = 60_000_000, burst: Int = 3, limit: Int = -2, mark: String = "1"
    ) throws -> [Int] {
        let arguments = [intervalUs, intervalUs * burst, limit, 4_000_000_000, 10_000].map { "\($0)" }
        let script = String(decoding: PackageResources.caller_admit_lua, as: UTF8.self)
        let reply = try redis.command(
            ["EVAL", script, "3", keys[0], keys[1], "{a}:mark:\(mark)"] + arguments)
        guard case .array(let parts) = reply else { throw TestFailure("\(reply)") }
        return parts.map { if case .integer(let number) = $0 { number } else { -99 } }
    }

    private func giveBack(mark: String) throws -> TestSupport.RedisValue {
        let script = String(decoding: PackageResources.caller_return_lua, as: UTF8.self)
        return try redis.command("EVAL", script, "2", keys[1], "{a}:mark:\(mark)", "10000")
    }

    @Test func `a bucket gives its burst, then says when the next token comes`() throws {
        for left in [2, 1, 0] {
            let reply = try admit()
            #expect(reply[0] == 1 && reply[3] == -1)
            #expect((180_000_000 - reply[1]) / 60_000_000 == left)
        }
        let refused = try admit()
        #expect(refused[0] == 0)
        #expect((59_000_000...60_000_000).contains(refused[2]))
    }

    @Test func `a quota is taken up to its limit, never beyond`() throws {
        for number in 1...4 {
            let reply = try admit(intervalUs: 0, limit: 3, mark: "\(number)")
            #expect(reply[3] == (number <= 3 ? 1 : 0))
            #expect(reply[4] == min(number, 3))
        }
        #expect(try admit(intervalUs: 0, limit: 0, mark: "5")[3] == 0)
        #expect(try admit(intervalUs: 0, limit: -1, mark: "6")[4] == 4, "what has no limit is counted")
    }

    @Test func `a refusal of the bucket takes nothing of the quota, one of the quota costs its token`() throws {
        #expect(try admit(burst: 1, limit: 5, mark: "1")[4] == 1)
        #expect(try admit(burst: 1, limit: 5, mark: "2")[0] == 0)
        #expect(try redis.command("GET", keys[1]) == .bulk("1"))
        try #expect(redis.command("FLUSHDB") == .simple("OK"))
        #expect(try admit(burst: 2, limit: 0, mark: "3") == [1, 60_000_000, 0, 0, 0])
        #expect(try admit(burst: 2, limit: 0, mark: "4")[0] == 1)
        #expect(try admit(burst: 2, limit: 0, mark: "5")[0] == 0)
    }

    @Test func `a call that runs twice counts once`() throws {
        #expect(try admit(limit: 5, mark: "1")[3...] == [1, 1])
        let again = try admit(limit: 5, mark: "1")
        #expect(again[0] == 1)
        #expect(again[3...] == [1, 1])
        #expect((50_000_000...60_000_000).contains(again[1]), "one token was taken")
        #expect(try admit(limit: 5, mark: "2")[4] == 2)
        for _ in 0..<3 { #expect(try giveBack(mark: "back") == .integer(1)) }
        #expect(try redis.command("GET", keys[1]) == .bulk("1"))
        #expect(try giveBack(mark: "other") == .integer(1))
        #expect(try giveBack(mark: "third") == .integer(0), "nothing is left to give")
        #expect(try redis.command("GET", keys[1]) == .bulk("0"))
    }

    @Test func `a clock that was set back locks nobody out for longer than the bucket takes to fill`() throws {
        // Full in a year, says what a faster clock left.
        #expect(try redis.command("SET", keys[0], "4000000000000000") == .simple("OK"))
        let reply = try admit(intervalUs: 1000, burst: 2)
        #expect(reply[0] == 0 && reply[1] == 2000 && reply[2] == 1000)
    }

    @Test func `nothing stays in Redis for longer than it says something`() throws {
        _ = try admit(intervalUs: 1_000_000, limit: 5)
        guard case .integer(let bucketMs) = try redis.command("PTTL", keys[0]),
            case .integer(let counterMs) = try redis.command("PTTL", keys[1]),
            case .integer(let markMs) = try redis.command("PTTL", keys[2])
        else { throw TestFailure("no times") }
        #expect((1...1000).contains(bucketMs))
        #expect(counterMs > 10_000)
        #expect((1...10_000).contains(markMs))
    }
}
