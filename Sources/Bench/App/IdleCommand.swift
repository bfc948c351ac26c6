// Holds connections that say nothing, and tells how many the server kept and what they cost it.

import ArgumentParser
import Reactor

struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Connections that are held and say nothing.")

    @Option(help: "What each connection asks at its beginning and at its end.")
    var url = "http://127.0.0.1:8081/health"

    @Option(name: .shortAndLong, help: "Connections.")
    var connections = 1000

    @Option(name: .shortAndLong, help: "How long they say nothing.")
    var duration = TimeOption(seconds: 10)

    @Option(help: "An answer, or an opening, that takes longer has failed.")
    var timeout = TimeOption(seconds: 10)

    @Option(help: "Local addresses that connections take turns to come from (one address has some 28,000 ports).")
    var sources: String?

    @Option(name: [.customShort("H"), .long], help: "A header line. Several are possible.")
    var header: [HeaderOption] = []

    @OptionGroup var trust: TrustOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard 1...LoadOptions.connectionsMax ~= connections else {
            throw ValidationError("--connections: 1 to \(LoadOptions.connectionsMax), not \(connections)")
        }
    }

    func run() throws {
        var settings = IdleHold.Settings(
            target: try trust.resolved(url), connections: connections, hold: duration.interval,
            timeout: timeout.interval)
        settings.sources = sources?.split(separator: ",").map(String.init) ?? []
        for source in settings.sources where PeerAddress(source) == nil {
            throw ValidationError("--sources: \(source) is no numeric address")
        }
        settings.headers = header.map { ($0.name, $0.value) }
        let interruption = Session.watchSignals()
        ProcessUsage.raiseDescriptorLimit(to: connections + 256)
        if !output.quiet {
            writeLine(
                "idle to \(url): \(countText(connections)) connections, \(fixedText(duration.interval.seconds, 1)) s",
                to: 1)
        }
        let outcome = try IdleRun(settings: settings, pids: output.serverPid).run(interruption, isQuiet: output.quiet)
        try Session.finish(report(outcome), output)
    }

    private func report(_ outcome: IdleRun.Outcome) -> Report {
        var report = Report(scenario: "idle", url: url, mode: "closed")
        report.startedAt = Session.timeText()
        report.options = Session.shownArguments(CommandLine.arguments)
        report.connections = connections
        report.threads = 1
        report.sent = connections
        report.answered = outcome.counts.survived
        let lost = connections - outcome.counts.survived
        report.errors = [
            ErrorClass.connect.name: outcome.counts.failed, ErrorClass.reset.name: lost - outcome.counts.failed,
        ]
        var each: Double?
        if let before = outcome.before, let held = outcome.held {
            let growth = held.residentBytes - before.residentBytes
            each = outcome.counts.opened > 0 ? Double(growth) / Double(outcome.counts.opened) : nil
            report.server = UsageReport(
                cpuSeconds: held.cpuSeconds - before.cpuSeconds, cpuMicrosPerRequest: 0,
                residentBytes: held.residentBytes, residentGrowthBytes: growth)
        }
        report.idle = IdleReport(
            wanted: connections, opened: outcome.counts.opened, closed: outcome.counts.closed,
            survived: outcome.counts.survived, heldSeconds: outcome.heldSeconds, serverBytesEach: each)
        if outcome.isInterrupted { report.warnings.append("interrupted: held for a shorter time") }
        return report
    }
}

/// The hold on a thread of its own, watched by the main thread.
struct IdleRun {
    struct Outcome: Sendable {
        var counts = IdleHold.Counts()
        /// The server before the first connection, and when all had been silent.
        var before: ProcessSample?
        var held: ProcessSample?
        var heldSeconds = 0.0
        var isInterrupted = false
    }

    let settings: IdleHold.Settings
    let pids: [Int32]

    func run(_ interruption: Interruption, isQuiet: Bool) throws -> Outcome {
        var outcome = Outcome()
        outcome.before = sample()
        let done = Latch(1)
        let seen = Locked((phase: IdleHold.Phase.opening, counts: IdleHold.Counts()))
        let reactor = try Reactor(index: 0, descriptorsMax: settings.connections + 8)
        let holder = Holder()
        let thread = ReactorThread(reactor) { [settings] reactor in
            let hold = IdleHold(reactor: reactor, settings: settings) { hold in
                let now = (hold.phase, hold.counts)
                seen.withLock { $0 = now }
                if hold.phase == .done { done.countDown() }
            }
            holder.hold = hold
            hold.start()
        }
        var heldFrom: Instant?
        while !done.wait(LoadRun.lookEvery) {
            let (phase, counts) = seen.withLock { $0 }
            if phase == .holding {
                heldFrom = heldFrom ?? .read()
                outcome.held = sample()
                outcome.heldSeconds = heldFrom.map { (Instant.read() - $0).seconds } ?? 0
            }
            if !isQuiet, isTerminal(2) {
                writeText("\r\u{1B}[K  \(countText(counts.opened)) opened, \(countText(counts.closed)) closed", to: 2)
            }
            if interruption.isAsked, !outcome.isInterrupted {
                outcome.isInterrupted = true
                reactor.post { holder.hold?.endHold() }
            }
        }
        if !isQuiet, isTerminal(2) { writeText("\r\u{1B}[K", to: 2) }
        reactor.stop()
        thread.join()
        holder.hold = nil
        outcome.counts = seen.withLock { $0.counts }
        return outcome
    }

    private func sample() -> ProcessSample? {
        guard !pids.isEmpty else { return nil }
        return pids.reduce(ProcessSample(cpuSeconds: 0, residentBytes: 0)) { sum, pid in
            guard let one = ProcessSample.read("\(pid)") else { return sum }
            return ProcessSample(
                cpuSeconds: sum.cpuSeconds + one.cpuSeconds, residentBytes: sum.residentBytes + one.residentBytes)
        }
    }
}

/// `@unchecked Sendable`: `hold` is touched on the reactor's thread, and by the main thread once that has ended.
private final class Holder: @unchecked Sendable {
    var hold: IdleHold?
}
