// Work that comes round: one round at a time, the next an interval after the one before has ended. For what looks after
// things in the background, off the hot path. Owned by its reactor's thread. Limits: one timer, one task.
//
//      start ─► wait ─► round ─► wait ─► round … ─► end

/// `@unchecked Sendable`: only tasks of its reactor hold it; every member is for the reactor's thread.
public final class Rounds: TimerOwner, @unchecked Sendable {
    private let reactor: Reactor
    private let interval: Interval
    private var timer = TimerID.none
    private var round: (@Sendable () async -> Void)?

    public init(every interval: Interval, on reactor: Reactor) {
        self.interval = interval
        self.reactor = reactor
    }

    /// - Parameter round: kept, with what it holds, until `end`.
    public func start(_ round: @escaping @Sendable () async -> Void) {
        precondition(self.round == nil, "started twice")
        self.round = round
        wait()
    }

    /// No round begins any more; one that is at work may go on.
    public func end() {
        round = nil
        reactor.cancel(timer)
        timer = .none
    }

    private func wait() {
        guard round != nil else { return }
        timer = reactor.schedule(at: reactor.now + interval, self, tag: 0)
    }

    public func timerFired(tag: UInt64) {
        timer = .none
        guard let round else { return }
        reactor.spawn { [self] in
            await round()
            wait()
        }
    }
}
