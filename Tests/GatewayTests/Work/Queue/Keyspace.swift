// What Redis must hold for a state of the model, key by key, and what it does hold: compared whole.

@testable import Gateway

/// Key → its content, one line a member, in the order Redis gives.
typealias Keyspace = [String: [String]]

func keyspace(of redis: PrivateRedis, keys: QueueKeys) throws -> Keyspace {
    var found: Keyspace = [:]
    for key in try redis("KEYS", "*").array.map(\.text) {
        switch try redis("TYPE", key).text {
        case "string": found[key] = [try redis("GET", key).text]
        case "list": found[key] = try redis("LRANGE", key, "0", "-1").array.map(\.text)
        case "set": found[key] = try redis("SMEMBERS", key).array.map(\.text).sorted()
        case "hash":
            // The values of `polls` are MessagePack: seen through the answers to repeated pulls.
            let command = key == keys.polls ? "HKEYS" : "HGETALL"
            let items = try redis(command, key).array.map(\.text)
            found[key] = key == keys.polls ? items.sorted() : pairs(items).sorted()
        default: found[key] = pairs(try redis("ZRANGE", key, "0", "-1", "WITHSCORES").array.map(\.text))
        }
    }
    return found
}

private func pairs(_ items: [String]) -> [String] {
    stride(from: 0, to: items.count, by: 2).map { "\(items[$0])=\(items[$0 + 1])" }
}

extension QueueModel {
    func keyspace(keys: QueueKeys) -> Keyspace {
        var space: Keyspace = [:]
        func add(_ key: String, _ line: String) { space[key, default: []].append(line) }
        if lastSequence > 0 { add(keys.sequence, "\(lastSequence)") }
        if lastTurn > 0 { add(keys.turns, "\(lastTurn)") }
        for (id, item) in items.sorted(by: { byScore($0.value.sequence, $0.key, before: $1.value.sequence, $1.key) }) {
            add(keys.tasks, "\(id)=\(item.body)")
            let counters =
                "\(item.failures) \(item.losses) \(item.returns) \(item.sequence) \(item.priority)\(item.tier) \(item.platform)"
            switch item.place {
            case .ready(let level):
                add(keys.ready(level: level, tier: item.tier, platform: item.platform), "\(id)=\(item.sequence)")
            case .leased(let lease):
                add(keys.leases, "\(id)=\(item.attempt) \(lease.worker) \(lease.firstMs) \(counters)")
            case .dead(_, let error): add(keys.errors, "\(id)=\(error)")
            case .delayed: break
            }
            if item.hasHistory, item.lease == nil { add(keys.history, "\(id)=\(item.attempt) \(counters)") }
        }
        for key in [keys.tasks, keys.leases, keys.errors, keys.history] { space[key]?.sort() }
        let delayed = items.compactMap { id, item in item.dueMs.map { (id, $0) } }
        for (id, dueMs) in delayed.sorted(by: { byScore($0.1, $0.0, before: $1.1, $1.0) }) {
            add(keys.delayed, "\(id)=\(dueMs)")
        }
        for letter in dead { add(keys.dead, "\(letter.id)=\(letter.sequence)") }
        addTurns(to: &space, keys: keys)
        addFleet(to: &space, keys: keys)
        return space
    }

    private func addTurns(to space: inout Keyspace, keys: QueueKeys) {
        let scored = turns.map {
            (member: "\($0.key.level):\($0.key.platform)", entry: $0.key, score: $0.key.level << 44 + $0.value)
        }
        for (member, entry, score) in scored.sorted(by: { $0.score < $1.score }) {
            let tiers = items.values.filter { $0.entry == entry }.map(\.tier)
            for most in 1...4 where tiers.contains(where: { $0 <= most }) {
                space[keys.turn(tierMax: most), default: []].append("\(member)=\(score)")
            }
        }
    }

    private func addFleet(to space: inout Keyspace, keys: QueueKeys) {
        func add(_ key: String, _ line: String) { space[key, default: []].append(line) }
        let checks = workers.compactMap { id, worker in worker.checkMs.map { (id, $0) } }
        for (id, checkMs) in checks.sorted(by: { byScore($0.1, $0.0, before: $1.1, $1.0) }) {
            add(keys.check, "\(id)=\(checkMs)")
        }
        for (id, worker) in workers.sorted(by: { byScore($0.value.seenMs, $0.key, before: $1.value.seenMs, $1.key) }) {
            add(keys.seen, "\(id)=\(worker.seenMs)")
        }
        for (id, worker) in workers.sorted(by: { $0.key < $1.key }) {
            add(keys.fleet, "\(id)=0")
            if let status = worker.status { add(keys.status, "\(id)=\(status)") }
            if worker.poll != nil { add(keys.polls, id) }
            if !worker.commands.isEmpty {
                add(keys.commanded, id)
                space[keys.commands(to: id)] = worker.commands
            }
            for (task, lease) in held(by: id) {
                add(
                    keys.held(by: id),
                    lease.isListed ? "\(task)=\(lease.deliveredMs).5" : "\(task)=\(lease.deliveredMs)")
            }
        }
    }
}
