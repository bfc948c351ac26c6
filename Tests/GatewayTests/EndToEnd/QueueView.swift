// The queue of one kind as it lies in Redis, read with the gateway's own key names but not with its client.

import TestSupport

@testable import Gateway

struct QueueView {
    private let redis: TestSupport.RedisClient
    let keys: QueueKeys

    init(_ live: Live, kind: String = "parcel") throws { try self.init(redisURL: live.redisURL, kind: kind) }

    init(redisURL: String, kind: String = "parcel") throws {
        redis = try TestSupport.RedisClient(url: redisURL)
        keys = QueueKeys(kind: kind, partition: 0)
    }

    private func count(_ command: String, _ key: String) throws -> Int {
        let reply = try redis.command(command, key)
        guard let count = reply.integer else { throw TestFailure("\(command) \(key): \(reply)") }
        return count
    }

    var tasks: Int { get throws { try count("HLEN", keys.tasks) } }
    var leased: Int { get throws { try count("HLEN", keys.leases) } }
    var delayed: Int { get throws { try count("ZCARD", keys.delayed) } }
    var dead: Int { get throws { try count("ZCARD", keys.dead) } }

    func isKnown(_ task: String) throws -> Bool { try redis.command("HEXISTS", keys.tasks, task) == .integer(1) }
    func isLeased(_ task: String) throws -> Bool { try redis.command("HEXISTS", keys.leases, task) == .integer(1) }
    func hasSeen(_ worker: String) throws -> Bool { try redis.command("ZSCORE", keys.seen, worker) != .null }
    func status(of worker: String) throws -> String? { try redis.command("HGET", keys.status, worker).string }

    func leave(_ command: String, for worker: String) throws {
        _ = try redis.command("RPUSH", keys.commands(to: worker), command)
        _ = try redis.command("SADD", keys.commanded, worker)
    }

    /// Keys of the queue that hold tasks in any state; none when all is done. `check` is the reaper's list of workers that
    /// it must look at, not of tasks.
    func leftovers() throws -> [String] {
        let all = try redis.command("KEYS", keys.prefix + "*").array?.compactMap(\.string) ?? []
        let rest = all.map { String($0.dropFirst(keys.prefix.count)) }
        return rest.filter { name in
            ["tasks", "leases", "delayed", "dead", "errors", "history"].contains(name)
                || ["ready:", "turn:", "held:"].contains { name.hasPrefix($0) }
        }.sorted()
    }
}
