// When API keys were last used, written to PostgreSQL in batches: a use costs one dictionary entry. Owned by its reactor.
// Limits: `keysMax` keys a batch, more are not noted until it is written; one batch every `interval`. A batch that fails
// is tried again with what came meanwhile. Source: the HTTP contract, section 3, `last_used_at`.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class APIKeyUses: TimerOwner, @unchecked Sendable {
    static let keysMax = 4096
    static let interval = Interval.seconds(5)

    private let reactor: Reactor
    private let postgres: PostgresClient
    /// Microseconds since the Unix epoch, by hash.
    private var uses: [SHA256Digest: Int64] = [:]
    /// Ends the interval in which uses gather.
    private var timer = TimerID.none
    private var isClosed = false

    init(reactor: Reactor, postgres: PostgresClient) {
        self.reactor = reactor
        self.postgres = postgres
    }

    func note(_ digest: SHA256Digest) {
        guard uses[digest] != nil || uses.count < Self.keysMax else { return }
        uses[digest] = reactor.wallMicroseconds
        schedule()
    }

    private func schedule() {
        if timer != .none || isClosed { return }
        timer = reactor.schedule(at: reactor.now + Self.interval, self, tag: 0)
    }

    func timerFired(tag: UInt64) {
        timer = .none
        reactor.spawn { [self] in await write() }
    }

    /// Writes what is noted. What cannot be written is noted again.
    func write() async {
        let batch = uses
        uses = [:]
        if batch.isEmpty { return }
        // Digests and numbers: nothing in them means anything to an array's text.
        let hashes = batch.keys.map(\.hex).joined(separator: ",")
        let times = batch.values.map { String($0) }.joined(separator: ",")
        do throws(PostgresFailure) {
            try await postgres.query(
                """
                UPDATE api_keys SET last_used_at = greatest(last_used_at, used.at)
                FROM (SELECT hash, to_timestamp(us / 1e6) AS at FROM unnest($1::text[], $2::bigint[]) AS u (hash, us)) used
                WHERE key_hash = used.hash
                """, [.text("{\(hashes)}"), .text("{\(times)}")])
        } catch {
            // The newer time of a key stands.
            uses.merge(batch) { newer, _ in newer }
            schedule()
        }
    }

    func close() {
        isClosed = true
        reactor.cancel(timer)
    }
}
