// One event loop on one thread: waits for the kernel, tells owners, fires timers, runs tasks, lets batches depart.
// Everything reachable from a reactor belongs to its thread; other threads use `post` and nothing else.
// Limits: `jobs` one round a turn; a turn longer than `stallBudget` is reported.
//
//      ┌─► poll ─► now ─► events ─► timers ─► messages ─► jobs ─► turn ends ─┐
//      │          (owners are told)                     (batches depart,     │
//      └──────────────────────────────────────────────── streams flush) ◄────┘

import CReactor

/// What is told when one of its timers is due.
public protocol TimerOwner: AnyObject {
    func timerFired(tag: UInt64)
}

/// What acts once at the end of every turn: a batch that departs, connections that flush.
public protocol TurnParticipant: AnyObject {
    func turnEnded()
}

/// The loop of one core.
///
/// `@unchecked Sendable`: a reference may travel, but every member except `post`, `stop` and `executor` traps or is
/// documented to be for the reactor's own thread; `executor.isCurrent` tells.
public final class Reactor: @unchecked Sendable {
    /// Work of one turn beyond this is a stall: other connections waited that long.
    public static let stallBudget = Interval.milliseconds(50)

    public let index: Int
    public let poller: any Poller
    public let executor: ReactorExecutor
    public let buffers = BufferPool()
    /// For jitter and choices; never for secrets.
    public var random = RandomBits()
    // Unchecked: a request reads these two a dozen times, nothing else runs while they are set, and each check costs some
    // hundred instructions.
    /// Monotonic time at the start of this turn.
    @exclusivity(unchecked)
    public private(set) var now: Instant
    /// Microseconds since the Unix epoch at the start of this turn.
    @exclusivity(unchecked)
    public private(set) var wallMicroseconds: Int64
    /// Called after a turn that took longer than `stallBudget`, with its length.
    public var stalled: ((Interval) -> Void)?
    /// Called after each turn with the time spent working and waiting: for metrics.
    public var turned: ((_ worked: Interval, _ waited: Interval) -> Void)?

    /// The wait that follows ends at this time at the latest, to the microsecond; then the turn ends as ever, and its
    /// participants are told. For what cannot live with the timers' millisecond. nil: no such time.
    public var wakeUpAt: Instant?

    /// Lent to the TLS connection that is told of bytes, for what its records carry.
    var plaintext = ByteBuffer()

    private let mailbox: Mailbox
    private var mailboxWatch: MailboxWatch?
    private var timers: TimerWheel<(owner: any TimerOwner, tag: UInt64)>
    private var participants: [any TurnParticipant] = []
    private var stopping = false
    private var isEndingTurn = false
    private var turnsAgain = false

    /// Creates a reactor to be run by the calling thread or another.
    /// - Parameters:
    ///   - descriptorsMax: descriptors that it can watch at once.
    ///   - kind: one that the kernel does not refuse.
    public init(index: Int, descriptorsMax: Int, kind: PollerKind = .epoll) throws(SystemError) {
        self.index = index
        poller = try kind.makePoller(descriptorsMax: descriptorsMax)
        mailbox = Mailbox()
        executor = ReactorExecutor(mailbox: mailbox)
        now = .read()
        wallMicroseconds = cr_wall_us()
        timers = TimerWheel(now: now)
        let watch = MailboxWatch(reactor: self)
        mailboxWatch = watch
        let id = poller.addWatch(mailbox.eventDescriptor, interest: .readable, owner: watch, tag: 0)
        precondition(id != nil, "a reactor needs room for its mailbox")
    }

    // MARK: For the reactor's thread

    /// Tells `owner` at the first turn at or after `deadline`.
    public func schedule(at deadline: Instant, _ owner: any TimerOwner, tag: UInt64) -> TimerID {
        timers.schedule(at: deadline, (owner, tag))
    }

    public func cancel(_ timer: TimerID) { timers.cancel(timer) }

    /// Calls `participant.turnEnded()` after every turn from now on, in the order of joining.
    public func join(_ participant: any TurnParticipant) { participants.append(participant) }

    /// Has the next turn begin without waiting, if this one's participants are being told of its end: for one that is
    /// given work by those after it. Does nothing at other times, when all of them are still to come.
    public func turnAgain() {
        if isEndingTurn { turnsAgain = true }
    }

    /// Runs `body` as a task on this reactor's thread.
    @discardableResult
    public func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: executor, operation: body)
    }

    /// Suspends the calling task of this reactor for `interval`.
    public func sleep(_ interval: Interval) async {
        let sleeper = Sleeper()
        await withUnsafeContinuation { continuation in
            sleeper.continuation = continuation
            _ = schedule(at: now + interval, sleeper, tag: 0)
        }
    }

    /// Runs the loop on the calling thread until `stop`.
    public func run() {
        executor.adopt()
        var turnStart = Instant.read()
        while !stopping {
            let waitStart = turnStart
            _ = poller.wait(timeout: timeUntilWork(waitStart))
            now = .read()
            wallMicroseconds = cr_wall_us()
            turn()
            let end = Instant.read()
            let worked = end - now
            turned?(worked, now - waitStart)
            if worked > Self.stallBudget { stalled?(worked) }
            turnStart = end
        }
        end()
    }

    /// Lets go of all who were told things: they hold this reactor, and would keep it for ever.
    private func end() {
        participants.removeAll()
        timers = TimerWheel(now: now)
        poller.close()
        mailboxWatch = nil
        stalled = nil
        turned = nil
    }

    private func turn() {
        poller.deliver()
        while let due = timers.popDue(now: now) { due.owner.timerFired(tag: due.tag) }
        executor.runJobs()
        isEndingTurn = true
        turnsAgain = false
        for participant in participants { participant.turnEnded() }
        isEndingTurn = false
    }

    private func timeUntilWork(_ start: Instant) -> Interval? {
        if executor.hasJobs || turnsAgain { return .zero }
        let timer = timers.nextWakeUp()
        guard let next = wakeUpAt.map({ min($0, timer ?? $0) }) ?? timer else { return nil }
        return max(.zero, next - start)
    }

    fileprivate func drainMailbox() {
        let (messages, jobs) = mailbox.drain()
        executor.accept(jobs)
        for message in messages { message() }
    }

    /// Has the loop's waits end when they are due. Called once, on the reactor's thread; by default the kernel may add
    /// 50 µs to each, so that it wakes less.
    public func waitExactly() { cr_thread_wait_exactly() }

    // MARK: For any thread

    /// Has `message` called on the reactor's thread. False when its mailbox is full: the sender decides.
    @discardableResult
    public func post(_ message: @escaping @Sendable () -> Void) -> Bool { mailbox.post(message) }

    /// Ends `run` after the turn in which this arrives.
    public func stop() {
        // A job is never refused, unlike a message: stopping must not depend on a full mailbox.
        _ = spawn { [self] in stopping = true }
    }
}

/// Tells the reactor that others have sent something. Owned by the reactor, which outlives it.
private final class MailboxWatch: WatchOwner {
    private unowned let reactor: Reactor
    init(reactor: Reactor) { self.reactor = reactor }
    func ready(_ readiness: Readiness, tag: UInt32) { reactor.drainMailbox() }
}

/// One suspended `sleep`. `@unchecked Sendable`: made and fired on one reactor's thread.
private final class Sleeper: TimerOwner, @unchecked Sendable {
    var continuation: UnsafeContinuation<Void, Never>?
    func timerFired(tag: UInt64) { continuation?.resume() }
}

/// A thread that runs one reactor.
public final class ReactorThread: @unchecked Sendable {
    // Safe: `thread` is written before `start` returns and read only by `join`.
    private var thread = pthread_t()
    public let reactor: Reactor

    /// Starts a thread that first calls `setUp` with the reactor (its listeners and clients are born there) and then
    /// runs it until `stop`.
    public init(_ reactor: Reactor, cpu: Int32 = -1, setUp: @escaping @Sendable (Reactor) -> Void) {
        self.reactor = reactor
        let context = Unmanaged.passRetained(Start(reactor: reactor, setUp: setUp))
        let status = cr_thread_start(
            &thread, "reactor-\(reactor.index)", cpu,
            { context in
                let start = Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
                start.reactor.executor.adopt()
                start.setUp(start.reactor)
                start.reactor.run()
                return nil
            }, context.toOpaque())
        precondition(status == 0, "no thread for a reactor: error \(-status)")
    }

    /// Waits for the loop to end.
    public func join() { pthread_join(thread, nil) }

    private final class Start {
        let reactor: Reactor
        let setUp: @Sendable (Reactor) -> Void
        init(reactor: Reactor, setUp: @escaping @Sendable (Reactor) -> Void) {
            self.reactor = reactor
            self.setUp = setUp
        }
    }
}
