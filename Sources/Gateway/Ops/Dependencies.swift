// Whether what the gateway stands on answers now: Redis, PostgreSQL, the store of raw files. Asked for readiness and for
// the operators' page. On a reactor's thread.

import Reactor

/// What came of one look.
struct Dependencies {
    struct State {
        /// nil: it does not answer.
        var latency: Interval?
    }

    var redis: State
    var postgres: State
    var storage: State

    /// Asks them one after the other.
    static func look(_ redis: RedisClient, _ postgres: PostgresClient, _ rawFiles: RawFiles) async -> Dependencies {
        // `try?`: why one does not answer is in the log of its connection.
        let redisLatency = try? await redis.ping()
        // `try?`: likewise.
        let postgresLatency = try? await postgres.ping()
        let begun = Instant.read()
        let isStored = await rawFiles.check() == nil
        return Dependencies(
            redis: State(latency: redisLatency), postgres: State(latency: postgresLatency),
            storage: State(latency: isStored ? Instant.read() - begun : nil))
    }
}

extension Dependencies.State {
    /// Writes the member `latency_ms`: a number, or null.
    func writeLatency(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.key("latency_ms", &out)
        if let latency {
            json.number((Double(latency.nanoseconds) / 1e4).rounded() / 100, &out)
        } else {
            json.null(&out)
        }
    }
}
