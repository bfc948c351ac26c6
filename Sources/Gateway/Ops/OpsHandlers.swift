// Health, readiness and metrics of one reactor's listeners. Owned by its reactor.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class OpsHandlers: @unchecked Sendable {
    private let shared: SharedState
    private let reactor: Reactor
    let server: HTTPServer
    private let redis: RedisClient
    private let postgres: PostgresClient

    init(shared: SharedState, reactor: Reactor, server: HTTPServer, redis: RedisClient, postgres: PostgresClient) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.redis = redis
        self.postgres = postgres
    }

    /// Liveness: the loop turns. No dependency is asked.
    func health(_ request: borrowing Request) {
        server.respond(request.exchange, status: 200) { $0.append("{\"status\":\"ok\",\"service\":\"gateway\"}") }
    }

    /// Readiness: every dependency answers now, all reactors are connected to it, and the process is not about to stop.
    func ready(_ request: borrowing Request) {
        let exchange = request.exchange
        reactor.spawn { [self] in
            var found = await Dependencies.look(redis, postgres, shared.rawFiles)
            // The next request may come to any of them.
            if !isEverywhere(shared.metrics.redisConnected) { found.redis.latency = nil }
            if !isEverywhere(shared.metrics.postgresConnected) { found.postgres.latency = nil }
            answerReady(
                exchange, [("redis", found.redis), ("postgres", found.postgres), ("raw_storage", found.storage)])
        }
    }

    private func isEverywhere(_ connected: MetricID) -> Bool {
        shared.metrics.shards.allSatisfy { $0.value(of: connected) != 0 }
    }

    private func answerReady(_ exchange: SlotID, _ dependencies: [(name: StaticString, state: Dependencies.State)]) {
        let isReady = !shared.life.isDraining && dependencies.allSatisfy { $0.state.latency != nil }
        server.respond(
            exchange, status: isReady ? 200 : 503,
            headers: { if !isReady { $0.append("Retry-After: 1\r\n") } },
            body: { out in
                var json = JSONWriter()
                json.openObject(&out)
                json.key("status", &out)
                json.string(isReady ? "ok" : "unavailable", &out)
                json.key("dependencies", &out)
                json.openObject(&out)
                for (name, state) in dependencies {
                    json.key(name, &out)
                    Self.write(state, &json, &out)
                }
                json.closeObject(&out)
                json.closeObject(&out)
            })
    }

    private static func write(_ state: Dependencies.State, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.openObject(&out)
        json.key("status", &out)
        json.string(state.latency == nil ? "unavailable" : "ok", &out)
        state.writeLatency(&json, &out)
        json.closeObject(&out)
    }

    /// All reactors' numbers, added up here and now.
    func metrics(_ request: borrowing Request) {
        server.respond(request.exchange, status: 200, type: .metrics) { shared.metrics.registry.write(to: &$0) }
    }
}
