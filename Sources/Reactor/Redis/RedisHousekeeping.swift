// What a client sends for itself: sets the clock, loads scripts that Redis has forgotten; and its timers.
// Owned by its client. Limits: one clock question and one loading of scripts wait at a time.

/// The client's own flights.
final class RedisHousekeeping: RedisFlightOwner, TimerOwner {
    static let flightTimer: UInt64 = 0
    private static let clockTimer: UInt64 = 1
    private static let clockFlight: UInt64 = 0
    private static let scriptFlight: UInt64 = 1

    private unowned let client: RedisClient
    private let reactor: Reactor
    private var timer = TimerID.none
    private var clockAsked = Instant(nanoseconds: 0)
    private var isAskingClock = false
    private var isLoading = false

    init(client: RedisClient) {
        self.client = client
        reactor = client.reactor
    }

    /// The connection is ready; it has set the clock itself.
    func begin() { scheduleClock() }

    /// The connection is gone, or the client itself.
    func end() {
        reactor.cancel(timer)
        timer = .none
    }

    private func scheduleClock() {
        timer = reactor.schedule(at: reactor.now + client.limits.clockInterval, self, tag: Self.clockTimer)
    }

    func timerFired(tag: UInt64) {
        guard tag == Self.clockTimer else { return client.checkDeadline() }
        timer = .none
        scheduleClock()
        guard client.isConnected, !isAskingClock else { return }
        isAskingClock = true
        clockAsked = .read()
        client.append(self, Self.clockFlight, 1, isKept: false, deliverFrom: 0) { RedisConnection.appendTime(to: &$0) }
    }

    /// Has Redis load every script, ahead of what is sent from now on.
    func loadScripts() {
        guard !isLoading, !client.scripts.isEmpty else { return }
        isLoading = true
        client.append(self, Self.scriptFlight, client.scripts.count, isKept: false, deliverFrom: 0) { buffer in
            for script in client.scripts { script.appendLoad(to: &buffer) }
        }
    }

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        if tag == Self.clockFlight {
            isAskingClock = false
            client.setClock(reply, sent: clockAsked)
        } else if index == client.scripts.count - 1 {
            isLoading = false
        }
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) {
        if tag == Self.clockFlight { isAskingClock = false } else { isLoading = false }
    }
}
