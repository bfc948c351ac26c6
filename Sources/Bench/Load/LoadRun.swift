// One run: a load loop on a thread each, started together, watched by the main thread, and added up at the end.
// The main thread blocks here. Limits: LoadSettings; `readyTimeout` for the connections to be tried.

import Reactor
import Synchronization

/// Tells a run to end early; any thread.
final class Interruption: Sendable {
    private let flag = Atomic(false)
    var isAsked: Bool { flag.load(ordering: .relaxed) }
    func ask() { flag.store(true, ordering: .relaxed) }
}

/// What a run left.
struct RunOutcome: Sendable {
    var kinds: [String]
    var totals: RunTotals
    /// Of the measured period.
    var seconds: Double
    /// Share of the measured time in which the loops worked.
    var busyShare: Double
    var wasInterrupted: Bool
}

/// No load could be made at all.
struct RunFailure: Error, CustomStringConvertible {
    let description: String
}

struct LoadRun {
    typealias MakeScenario = @Sendable (LoopShare) -> any Scenario

    static let lookEvery = Interval.milliseconds(100)
    /// From the start order to the first send: long enough for the order to reach all threads.
    static let startDelay = Interval.milliseconds(5)

    let settings: LoadSettings
    let threads: Int
    let pids: [String]
    let interruption: Interruption
    let makeScenario: MakeScenario

    /// Runs to the end.
    /// - Parameter look: called about ten times a second.
    func run(_ look: (Tally, SeriesRow?) -> Void) throws -> RunOutcome {
        let loopCount = min(threads, settings.connections)
        let kinds = makeScenario(LoopShare(index: 0, count: loopCount)).kinds
        let recorder = Recorder(kindCount: kinds.count, loopCount: loopCount, pids: ["self"] + pids)
        let ready = Latch(loopCount)
        let done = Latch(loopCount)
        let open = Locked((count: 0, error: SystemError?.none))
        var members: [Member] = []
        for index in 0..<loopCount {
            let member = try Member(index: index, connections: settings.connections)
            let share = LoopShare(index: index, count: loopCount)
            member.start { [settings, makeScenario] reactor in
                LoadLoop(
                    reactor: reactor, settings: settings, share: share, scenario: makeScenario(share),
                    recorder: recorder,
                    ready: { loop in
                        let (count, error) = (loop.openCount, loop.connectError)
                        open.withLock { $0 = ($0.count + count, error ?? $0.error) }
                        ready.countDown()
                    },
                    done: { _ in done.countDown() })
            }
            members.append(member)
        }
        defer { for member in members { member.stop() } }
        while !ready.wait(Self.lookEvery), !interruption.isAsked {}
        let (openCount, error) = open.withLock { $0 }
        guard openCount > 0 else {
            let reason = error.map { ": \($0)" } ?? ""
            throw RunFailure(
                description: "no connection to \(settings.target.root) (\(settings.target.address)) could be made"
                    + reason)
        }
        let start = Instant.read() + Self.startDelay
        for member in members { member.onLoop { $0.begin(at: start) } }
        var isInterrupted = false
        while !done.wait(Self.lookEvery) {
            let progress = recorder.progress()
            look(progress.tally, progress.last)
            if interruption.isAsked, !isInterrupted {
                isInterrupted = true
                for member in members { member.onLoop { $0.interrupt() } }
            }
        }
        return outcome(kinds, recorder.finish(), isInterrupted)
    }

    private func outcome(_ kinds: [String], _ totals: RunTotals, _ isInterrupted: Bool) -> RunOutcome {
        var seconds = 0.0
        if let start = totals.start, let end = totals.end { seconds = max((end - start).seconds, 1e-9) }
        let all = totals.worked.nanoseconds + totals.waited.nanoseconds
        return RunOutcome(
            kinds: kinds, totals: totals, seconds: seconds,
            busyShare: all > 0 ? Double(totals.worked.nanoseconds) / Double(all) : 0, wasInterrupted: isInterrupted)
    }
}

/// A loop and its thread, as the main thread sees them.
///
/// `@unchecked Sendable`: `loop` is written and read on the reactor's thread only; `thread` on the main thread only.
private final class Member: @unchecked Sendable {
    private let reactor: Reactor
    private var thread: ReactorThread?
    private var loop: LoadLoop?

    init(index: Int, connections: Int) throws {
        // The mailbox takes one descriptor.
        reactor = try Reactor(index: index, descriptorsMax: connections + 8)
    }

    func start(_ makeLoop: @escaping @Sendable (Reactor) -> LoadLoop) {
        thread = ReactorThread(reactor) { [self] reactor in
            loop = makeLoop(reactor)
            loop?.start()
        }
    }

    func onLoop(_ body: @escaping @Sendable (LoadLoop) -> Void) {
        let isPosted = reactor.post { [self] in
            if let loop { body(loop) }
        }
        precondition(isPosted, "a load loop's mailbox is full")
    }

    /// Ends the thread.
    func stop() {
        onLoop { $0.interrupt() }
        reactor.stop()
        thread?.join()
        loop = nil
    }
}
