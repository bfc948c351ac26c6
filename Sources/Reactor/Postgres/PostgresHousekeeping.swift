// What a client does for itself: looks for late flights, asks an idle session for a sign of life.
// Owned by its client. Limit: one sign of life waits at a time.

/// The client's timers and its own flight.
final class PostgresHousekeeping: PostgresFlightOwner, TimerOwner {
    static let flightTimer: UInt64 = 0
    private static let pingTimer: UInt64 = 1

    private unowned let client: PostgresClient
    private let reactor: Reactor
    private var timer = TimerID.none
    private var asked = Instant(nanoseconds: 0)
    private var isAsking = false

    init(client: PostgresClient) {
        self.client = client
        reactor = client.reactor
    }

    /// The session is ready.
    func begin() {
        isAsking = false
        schedule()
    }

    /// The session is gone, or the client itself.
    func end() {
        reactor.cancel(timer)
        timer = .none
    }

    private func schedule() {
        timer = reactor.schedule(at: reactor.now + client.limits.pingInterval, self, tag: Self.pingTimer)
    }

    func timerFired(tag: UInt64) {
        guard tag == Self.pingTimer else { return client.checkDeadline() }
        timer = .none
        schedule()
        guard !isAsking else { return }
        asked = .read()
        isAsking = client.submitPing()
    }

    func completed(_ rows: PostgresRows, tag: UInt64) {
        isAsking = false
        client.lastRoundTrip = .read() - asked
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) { isAsking = false }
}
