// The commands that simulate workers: work (as fast as they can) and fleet (on their own schedules).

import ArgumentParser
import Reactor

/// What both have in common.
struct WorkerOptions: ParsableArguments {
    @Option(help: "The ops token, with which tasks are queued as they are used. Also GATEWAY_BENCH_OPS_TOKEN.")
    var opsToken: String?

    @Flag(help: "Queue nothing: the tasks are there already.")
    var noEnqueue = false

    @Option(help: "End when so many tasks are finished. Default: when --duration is over.")
    var tasks: Int?

    @Option(help: "Tasks of a pull, 1 to 100.")
    var capacity = 1

    @Option(help: "Share of the tasks that fail, for good (0.1 or 10%).")
    var failShare = ShareOption(0)

    @Option(help: "Bytes of a result's data.")
    var payloadBytes = 3072

    @Option(help: "The platforms that are pulled; tasks are queued for the first.")
    var platforms = "bench"

    @Option(help: "Seconds that a pull may wait at the server, 0 to 30; a waiting pull takes up its connection.")
    var wait = 0

    @Option(help: "After a pull without a task. Default: as long as the answer says.")
    var emptyWait: TimeOption?

    @Option(help: "In the tasks' ids. Default: from the seed.")
    var runName: String?

    func validate() throws {
        guard 1...100 ~= capacity else { throw ValidationError("--capacity: 1 to 100, not \(capacity)") }
        guard 0...30 ~= wait else { throw ValidationError("--wait: 0 to 30, not \(wait)") }
        if let tasks, tasks < 1 { throw ValidationError("--tasks: 1 or more, not \(tasks)") }
        try checkPayload(payloadBytes)
        try checkRunName(runName)
        let isPlain = platforms.utf8.allSatisfy {
            ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || "-_.,".utf8.contains($0)
        }
        guard isPlain, !platforms.isEmpty, !platforms.hasPrefix(",") else {
            throw ValidationError("--platforms: names of [A-Za-z0-9._-], with commas between them")
        }
    }

    /// nil where nothing is to be queued.
    func token() throws -> String? {
        if noEnqueue { return nil }
        guard let token = opsToken ?? environmentVariable("GATEWAY_BENCH_OPS_TOKEN") else {
            throw ValidationError("--ops-token is needed to queue tasks (or --no-enqueue if they are there already)")
        }
        return token
    }
}

struct WorkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work", abstract: "Workers that pull, work and finish, one task after the other.")

    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var worker: WorkerOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Simulated workers. Default: one a connection.")
    var workers: Int?

    @Option(help: "How long a worker works on a task.")
    var process = TimeOption(seconds: 0)

    @Flag(help: "Finish tasks by a result instead of complete.")
    var submit = false

    func validate() throws {
        if let workers, workers < load.threads { throw ValidationError("--workers: at least one a thread") }
        if submit, gateway.kind == "party" { throw ValidationError("results are sent for parcels only") }
    }

    func run() throws {
        let rhythm = WorkerLife.Rhythm(
            heartbeat: nil, process: process.interval,
            emptyWait: worker.emptyWait?.interval ?? .milliseconds(20))
        try simulate(
            "work", gateway, worker, load, output, workers: workers ?? load.connections, rhythm: rhythm,
            submits: submit)
    }
}

struct FleetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "A whole fleet: each worker beats its heart, pulls and submits on a schedule of its own.")

    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var worker: WorkerOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Simulated workers.")
    var workers = 1000

    @Option(help: "Between a worker's heartbeats, give or take --jitter.")
    var heartbeat = TimeOption(seconds: 30)

    @Option(help: "How long a worker works on a task, give or take --jitter.")
    var process = TimeOption(seconds: 10)

    @Option(help: "Between a worker's last task and its next pull, give or take --jitter.")
    var rest = TimeOption(seconds: 1)

    @Option(help: "How far intervals vary: 0.2 is from 0.8 to 1.2 of each.")
    var jitter = ShareOption(0.2)

    func validate() throws {
        guard workers >= load.threads, workers <= 10_000_000 else {
            throw ValidationError("--workers: at least one a thread, at most 10000000; not \(workers)")
        }
        if gateway.kind == "party" { throw ValidationError("results are sent for parcels only") }
    }

    func run() throws {
        let rhythm = WorkerLife.Rhythm(
            heartbeat: heartbeat.interval == .zero ? nil : heartbeat.interval, process: process.interval,
            emptyWait: worker.emptyWait?.interval, rest: rest.interval, jitter: jitter.share)
        try simulate("fleet", gateway, worker, load, output, workers: workers, rhythm: rhythm, submits: true)
    }
}

private func simulate(
    _ name: String, _ gateway: GatewayOptions, _ worker: WorkerOptions, _ load: LoadOptions, _ output: OutputOptions,
    workers: Int, rhythm: WorkerLife.Rhythm, submits: Bool
) throws {
    let target = try gateway.target()
    let identity = try gateway.identity()
    let base = gateway.base
    let seed = load.seed ?? UInt64.random(in: 1...999_999_999)
    var settings = WorkerScenario.Settings(
        workers: workers, rhythm: rhythm, runName: worker.runName ?? defaultRunName(seed))
    settings.capacity = worker.capacity
    settings.failShare = worker.failShare.share
    settings.submitsResults = submits
    settings.payloadBytes = worker.payloadBytes
    settings.platforms = worker.platforms
    settings.waitSeconds = worker.wait
    settings.opsToken = try worker.token()
    let (shared, tasks) = (settings, worker.tasks)
    var loadSettings = load.settings(target, shape: nil, endsItself: tasks != nil)
    loadSettings.timeout.nanoseconds += Interval.seconds(Double(worker.wait)).nanoseconds
    // A bounded number of tasks shall not be used up before measuring begins.
    if tasks != nil { loadSettings.warmup = .zero }
    try Session(
        scenario: name, settings: loadSettings, threads: load.threads, output: output, seed: seed, untilP99: nil,
        hasOwnPlan: true,
        makeRun: {
            let supply = TaskSupply(tasksMax: tasks)
            return { share in
                WorkerScenario(
                    target: target, identity: identity, base: base, settings: shared, supply: supply, share: share,
                    seed: loopSeed(seed, share))
            }
        }
    ).run()
}
