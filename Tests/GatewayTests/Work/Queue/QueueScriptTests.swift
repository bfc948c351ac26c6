// The catalogue: what it says of the scripts is true of them, and so are their limits.

import Testing

@testable import Gateway

@Suite struct QueueScriptTests {
    @Test func `the limits written in the scripts are those of QueueLimits`() {
        let constants: [(QueueScript, String, Int)] = [
            (.claim, "PROMOTE_MAX", QueueLimits.promotedPerPullMax),
            (.reconcile, "GIVE_BACK_MAX", QueueLimits.givenBackPerHeartbeatMax),
            (.reap, "FREE_RETURNS", QueueLimits.freeReturnsMax),
            (.fail, "DELAY_MAX_MS", QueueLimits.retryDelayMaxMs),
            (.command, "COMMANDS_MAX", QueueLimits.commandsPerWorkerMax),
            (.commandAll, "COMMANDS_MAX", QueueLimits.commandsPerWorkerMax),
            (.proxyTake, "PROXIES_MAX", QueueLimits.proxiesMax),
        ]
        for (script, name, value) in constants {
            #expect(script.source.contains("\nlocal \(name) = \(value)\n"), "\(script) \(name)")
        }
    }

    @Test func `every script says which parts it is made of, and is`() {
        for script in QueueScript.allCases {
            let line = script.source.split(separator: "\n").last { $0.hasPrefix("-- Parts") }
            let named = line?.split(separator: " ").dropFirst(2).map(String.init)
            #expect(named == script.parts.map { $0 == .giveBack ? "return" : "\($0)" }, "\(script)")
        }
    }

    @Test func `every script takes the largest batch it promises`() throws {
        let queue = try QueueHarness()
        let ids = (1...1_000).map { "t\($0)" }
        try queue.enqueue(ids.map { ($0, QueueHarness.body($0)) })
        let beats = ids.map { (worker: "w\($0)", status: "{}") }
        let reply = try queue.run(.heartbeats, beats.flatMap { [$0.worker, $0.status] })
        #expect(reply.text.utf8.count == 1_000)
        var claimed: [String] = []
        for poll in 1...10 {
            let reply = try queue.run(.claim, ["w", "100", "4", "\(poll)", "90000", "3600000", "10000"]).array
            claimed += stride(from: 3, to: reply.count, by: 2).map { reply[$0].text }
        }
        #expect(claimed.count == 1_000)
        #expect(try queue.run(.reconcile, ["w", "90000", "3"] + ids).array[0].array.isEmpty)
        let half = ids.prefix(500).flatMap { ["w", $0, "1"] } + ids.prefix(500).flatMap { ["x\($0)", $0, ""] }
        let completed = try queue.run(.complete, half).array
        #expect(completed[0].text == String(repeating: "1", count: 500) + String(repeating: "0", count: 500))
        let finished = try queue.run(.finish, ids.flatMap { ["w", $0, ""] })
        #expect(finished.text == String(repeating: "0", count: 500) + String(repeating: "1", count: 500))
        #expect(try queue.redis("EXISTS", queue.keys.tasks, queue.keys.leases, queue.keys.held(by: "w")).integer == 0)
    }
}
