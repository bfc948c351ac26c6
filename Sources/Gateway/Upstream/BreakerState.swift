// A circuit breaker's rules as a value: closed, open after failures in a row, half-open with one probe.
// Pure; time is passed in. One 64-bit word holds it all, so that reactors can share it without a lock.
//
//     closed ─ failuresMax in a row ─► open ─ after openMs ─► half-open (one probe) ─ success ─► closed
//                                        ▲──────────────────────── failure ──┘
//
// Source: M. Nygard, "Release It!", the stability pattern of that name; the HTTP contract, section 3.

struct BreakerRule: Equatable, Sendable {
    /// At most `BreakerState.failuresMax`.
    var failures: Int
    var openMs: Int
}

struct BreakerState: Equatable, Sendable {
    enum Phase: UInt64, Sendable { case closed, halfOpen, open }
    enum Outcome: Sendable {
        case success, failure
        /// Nothing was learned: the request was withdrawn.
        case neutral
    }
    enum Decision: Equatable, Sendable {
        case pass(Permit)
        case refuse(retryAfterMs: Int)
    }
    /// Leave to send one request; its outcome counts only while the phase that gave it lasts.
    struct Permit: Equatable, Sendable {
        var epoch: UInt64
        var isProbe: Bool
    }

    static let failuresMax = 1 << 14 - 1
    private static let epochMask: UInt64 = 0xFF
    private static let timeMask: UInt64 = 1 << 40 - 1

    private(set) var phase = Phase.closed
    private var failures: UInt64 = 0
    /// Grows with each change of phase and each probe.
    private var epoch: UInt64 = 0
    /// When the circuit opened, or the probe went out: monotonic milliseconds, 34 years of them.
    private var sinceMs: UInt64 = 0

    init() {}

    /// 40 bits of time, 8 of epoch, 14 of failures, 2 of phase.
    init(word: UInt64) {
        phase = Phase(rawValue: word & 3) ?? .closed
        failures = word >> 2 & UInt64(Self.failuresMax)
        epoch = word >> 16 & Self.epochMask
        sinceMs = word >> 24
    }

    var word: UInt64 { sinceMs << 24 | epoch << 16 | failures << 2 | phase.rawValue }

    /// Asks for leave to send one request.
    mutating func admit(nowMs: Int, _ rule: BreakerRule) -> Decision {
        if phase == .closed { return .pass(Permit(epoch: epoch, isProbe: false)) }
        let elapsedMs = Int((UInt64(nowMs) &- sinceMs) & Self.timeMask)
        // In half-open that is a probe that never reported: another may go.
        guard elapsedMs >= rule.openMs else { return .refuse(retryAfterMs: rule.openMs - elapsedMs) }
        move(to: .halfOpen, nowMs)
        return .pass(Permit(epoch: epoch, isProbe: true))
    }

    /// Takes in what became of a request.
    mutating func settle(_ permit: Permit, _ outcome: Outcome, nowMs: Int, _ rule: BreakerRule) {
        guard permit.epoch == epoch else { return }
        switch (phase, outcome) {
        case (.open, _), (.closed, .neutral): break
        case (.closed, .success): failures = 0
        case (.closed, .failure):
            failures += 1
            if failures >= UInt64(rule.failures) { move(to: .open, nowMs) }
        case (.halfOpen, .success):
            failures = 0
            move(to: .closed, nowMs)
        case (.halfOpen, .failure): move(to: .open, nowMs)
        case (.halfOpen, .neutral): move(to: .open, nowMs - rule.openMs)  // The next request is the probe.
        }
    }

    private mutating func move(to phase: Phase, _ nowMs: Int) {
        self.phase = phase
        epoch = (epoch + 1) & Self.epochMask
        sinceMs = UInt64(truncatingIfNeeded: nowMs) & Self.timeMask
    }
}
