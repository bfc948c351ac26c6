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

    /// Readiness: every dependency answers now, and the process is not about to stop.
    func ready(_ request: borrowing Request) {
        let exchange = request.exchange
        reactor.spawn { [self] in
            let redis = await redisState()
            let postgres = await postgresState()
            let storage = await storageState()
            answerReady(exchange, [("redis", redis), ("postgres", postgres), ("raw_storage", storage)])
        }
    }

    private struct Dependency {
        /// nil: it does not answer.
        var latency: Interval?
    }

    private func redisState() async -> Dependency {
        do {
            return Dependency(latency: try await redis.ping())
        } catch {
            return Dependency()
        }
    }

    private func postgresState() async -> Dependency {
        do {
            return Dependency(latency: try await postgres.ping())
        } catch {
            return Dependency()
        }
    }

    private func storageState() async -> Dependency {
        let start = Instant.read()
        return await shared.rawFiles.check() == nil ? Dependency(latency: Instant.read() - start) : Dependency()
    }

    private func answerReady(_ exchange: SlotID, _ dependencies: [(name: StaticString, state: Dependency)]) {
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

    private static func write(_ state: Dependency, _ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.openObject(&out)
        json.key("status", &out)
        json.string(state.latency == nil ? "unavailable" : "ok", &out)
        json.key("latency_ms", &out)
        if let latency = state.latency {
            json.number((Double(latency.nanoseconds) / 1e4).rounded() / 100, &out)
        } else {
            json.null(&out)
        }
        json.closeObject(&out)
    }

    /// All reactors' numbers, added up here and now.
    func metrics(_ request: borrowing Request) {
        server.respond(request.exchange, status: 200, type: .metrics) { shared.metrics.registry.write(to: &$0) }
    }
}
