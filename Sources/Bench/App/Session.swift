// One command's run from its options to its report: says what it does, runs, shows progress, writes what was asked for,
// and decides the exit code. On the main thread.
//
//     0 fine · 1 too many errors, or no load could be made · 2 wrong options

import ArgumentParser
import FoundationEssentials
import Reactor

enum BenchExit {
    static let failed = ExitCode(1)
    static let usage = ExitCode(2)
}

struct Session {
    /// A step of the knee search: long enough for a p99.
    static let stepDuration = Interval.seconds(5)
    /// Where the search starts when nothing is said.
    static let firstRate = 1000.0

    let scenario: String
    let settings: LoadSettings
    let threads: Int
    let output: OutputOptions
    let seed: UInt64
    let untilP99: Interval?
    /// The scenario decides when it sends.
    var hasOwnPlan = false
    /// Makes the scenarios of one run's loops: what they share is theirs alone.
    let makeRun: () -> LoadRun.MakeScenario

    /// Runs to the end and reports; ends the process' command with its exit code.
    func run() throws {
        let interruption = Self.watchSignals()
        ProcessUsage.raiseDescriptorLimit(to: settings.connections + 256)
        announce()
        do {
            let report = try untilP99.map { try search($0, interruption) } ?? single(interruption)
            try Self.finish(report, output)
        } catch let failure as RunFailure {
            writeLine("gateway-bench: \(failure.description)", to: 2)
            throw BenchExit.failed
        }
    }

    /// Ends a run with the first signal, and the process with the second.
    static func watchSignals() -> Interruption {
        let interruption = Interruption()
        // Before any other thread is there: they all leave signals to the one that waits for them.
        Signals.block()
        Signals.watch { _ in
            if interruption.isAsked { exitNow(130) }
            interruption.ask()
        }
        return interruption
    }

    private func announce() {
        guard !output.quiet else { return }
        var pace = settings.shape == nil ? "closed loop" : "open loop"
        if hasOwnPlan { pace = "workers' own plan" }
        if case .constant(let rate) = settings.shape { pace += " at \(rateText(rate))/s" }
        if case .ramp(let from, let to, _) = settings.shape { pace += " from \(rateText(from)) to \(rateText(to))/s" }
        if let untilP99 { pace = "open loop, looking for the knee at p99 ≤ \(microsText(untilP99.seconds * 1e6))" }
        let target = settings.target
        let place = target.isLoopback ? "" : " (\(target.address), another machine)"
        writeLine(
            "\(scenario) to \(target.root)\(place): \(countText(settings.connections)) connections, "
                + "\(threads) thread\(threads == 1 ? "" : "s"), \(pace), seed \(seed)", to: 1)
    }

    // MARK: Running

    private func single(_ interruption: Interruption) throws -> Report {
        try report(of: settings, interruption, expected: settings.duration)
    }

    private func report(
        of settings: LoadSettings, _ interruption: Interruption, expected: Interval?
    ) throws -> Report {
        let run = LoadRun(
            settings: settings, threads: threads, pids: output.serverPid.map { "\($0)" }, interruption: interruption,
            makeScenario: makeRun())
        var progress = ProgressLine(isShown: !output.quiet)
        defer { progress.end() }
        var report = emptyReport(settings)
        let total = expected.map { Interval(nanoseconds: settings.warmup.nanoseconds + $0.nanoseconds) }
        let outcome = try run.run { tally, last in
            progress.draw(tally: tally, last: last, total: total, now: .read())
        }
        report.add(outcome, hasPlan: report.mode != "closed")
        return report
    }

    private func emptyReport(_ settings: LoadSettings) -> Report {
        var report = Report(scenario: scenario, url: settings.target.text, mode: "closed")
        report.startedAt = Self.timeText()
        if settings.shape != nil { report.mode = "open" } else if hasOwnPlan { report.mode = "own plan" }
        report.options = Self.shownArguments(CommandLine.arguments)
        report.connections = settings.connections
        report.threads = min(threads, settings.connections)
        report.pipeline = settings.pipeline
        return report
    }

    /// The arguments without what is secret.
    static func shownArguments(_ arguments: [String]) -> [String] {
        var shown: [String] = []
        var hidesNext = false
        for argument in arguments.dropFirst() {
            if hidesNext {
                shown.append("***")
                hidesNext = false
            } else if let name = ["--token", "--ops-token", "--header", "-H"].first(where: { argument.hasPrefix($0) }) {
                hidesNext = argument == name
                shown.append(hidesNext ? name : "\(name)=***")
            } else {
                shown.append(argument)
            }
        }
        return shown
    }

    static func timeText() -> String {
        var text = ByteBuffer()
        WallTime.now().append(rfc3339: &text)
        return text.bytes.string
    }

    /// Steps of a fixed length at rates that the search chooses; the report is that of the knee.
    private func search(_ p99: Interval, _ interruption: Interruption) throws -> Report {
        var first = Self.firstRate
        if case .constant(let rate) = settings.shape { first = rate }
        var search = KneeSearch(
            firstRate: first, p99MicrosMax: p99.seconds * 1e6, failedShareMax: output.errorsMax.share)
        var best: Report?
        var last: Report?
        while let rate = search.next, !interruption.isAsked {
            var plan = settings
            plan.shape = .constant(perSecond: rate)
            plan.requests = nil
            let report = try report(of: plan, interruption, expected: plan.duration)
            if interruption.isAsked { break }
            search.record(
                KneeSearch.Step(
                    rate: rate, achievedRate: report.achievedRate, p99Micros: report.latency.p99,
                    failedShare: report.failedShare))
            guard let step = search.steps.last else { break }
            if step.isGood { best = report }
            last = report
            if !output.quiet { writeLine(Report.stepText(step), to: 1) }
        }
        guard var report = best ?? last else {
            throw RunFailure(description: "interrupted before the first step's end")
        }
        report.knee = KneeReport(p99MicrosMax: search.p99MicrosMax, steps: search.steps, found: search.knee)
        return report
    }

    // MARK: Ending

    /// Prints and writes the report.
    static func finish(_ report: Report, _ output: OutputOptions) throws {
        if output.quiet {
            for warning in report.warnings { writeLine("warning: \(warning)", to: 2) }
        } else {
            writeText("\n" + report.text(), to: 1)
        }
        if let path = output.json { try write(report.json(), to: path) }
        if let path = output.csv { try write(report.csv(), to: path) }
        if let path = output.html { try write(report.html(), to: path) }
        if report.failedShare > output.errorsMax.share || (report.answered == 0 && report.idle == nil) {
            writeLine(
                "gateway-bench: \(percentText(report.failedShare)) of the requests failed or were dropped "
                    + "(--errors-max \(percentText(output.errorsMax.share)))", to: 2)
            throw BenchExit.failed
        }
        if let knee = report.knee, knee.found == nil { throw BenchExit.failed }
    }

    private static func write(_ text: String, to path: String) throws {
        do {
            // Into the file that is there: an atomic replacement would take the place of a device or a pipe.
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: [])
        } catch {
            throw RunFailure(description: "\(path) cannot be written: \(error)")
        }
    }
}
