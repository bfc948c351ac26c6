// The commands whose requests do not depend on answers: heartbeat, results, get.

import ArgumentParser
import Reactor

struct HeartbeatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heartbeat", abstract: "Heartbeats of many workers.")

    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var pace: PaceOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Worker ids that take turns.")
    var workers = 10_000

    func validate() throws {
        guard workers >= 1 else { throw ValidationError("--workers: 1 or more, not \(workers)") }
    }

    func run() throws {
        let target = try gateway.target()
        let identity = try gateway.identity()
        let path = gateway.base + "/heartbeat"
        let count = workers
        try Session(load, pace, output, name: "heartbeat", target: target) { _ in
            { share in
                HeartbeatScenario(target: target, identity: identity, path: path, workers: count, share: share)
            }
        }.run()
    }
}

struct ResultsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "results", abstract: "Posts of parcel results.")

    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var pace: PaceOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Results of a post.")
    var items = 1

    @Option(help: "Bytes of each result's data.")
    var payloadBytes = 3072

    @Option(help: "Share of results for parcels that were sent before (0.1 or 10%).")
    var repeatShare = ShareOption(0)

    @Option(help: "In the parcels' ids: the same name updates the same parcels. Default: from the seed.")
    var runName: String?

    func validate() throws {
        guard 1...ResultsScenario.itemsMax ~= items else {
            throw ValidationError("--items: 1 to \(ResultsScenario.itemsMax), not \(items)")
        }
        try checkPayload(payloadBytes)
        try checkRunName(runName)
        if gateway.kind == "party" { throw ValidationError("results are sent for parcels only") }
    }

    func run() throws {
        let target = try gateway.target()
        let identity = try gateway.identity()
        let path = gateway.base + "/results"
        let (items, payloadBytes, repeatShare, runName) = (items, payloadBytes, repeatShare.share, runName)
        try Session(load, pace, output, name: "results", target: target) { seed in
            let settings = ResultsScenario.Settings(
                items: items, payloadBytes: payloadBytes, repeatShare: repeatShare,
                runName: runName ?? defaultRunName(seed))
            return { share in
                ResultsScenario(
                    target: target, identity: identity, path: path, settings: settings, share: share,
                    seed: loopSeed(seed, share))
            }
        }.run()
    }
}

struct GetCommand: ParsableCommand {
    static let bodyBytesMax = 16 * 1024 * 1024

    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "One request again and again, to any HTTP/1.1 server.")

    @Argument(help: "http://HOST[:PORT]/PATH, or https://")
    var url: String

    @Option(name: .customShort("X"), help: "The method.")
    var method = "GET"

    @Option(
        name: [.customShort("H"), .long], help: "A header line, such as 'Accept: text/html'. Several are possible.")
    var header: [HeaderOption] = []

    @Option(help: "The body; @FILE reads it from a file.")
    var body: String?

    @Option(
        help:
            "Puts a number below this, in four hexadecimal digits, where {} stands in header lines: another one each time."
    )
    var distinct = 0

    @Option(help: "The status that is good; without it all below 400 are.")
    var expect: Int?

    @OptionGroup var trust: TrustOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var pace: PaceOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !method.isEmpty, method.utf8.allSatisfy({ $0 &- 0x41 < 26 }) else {
            throw ValidationError("-X: a method in capitals, not \(method)")
        }
        guard 0...GetScenario.distinctMax ~= distinct else {
            throw ValidationError("--distinct: 0 to \(GetScenario.distinctMax), not \(distinct)")
        }
        if distinct > 0, !header.contains(where: { $0.value.contains(GetScenario.placeholder) }) {
            throw ValidationError("--distinct: no header line has \(GetScenario.placeholder)")
        }
    }

    func run() throws {
        let target = try trust.resolved(url)
        let (method, bytes) = (method, try bodyBytes())
        let headers = header.map { ($0.name, $0.value) }
        let (distinct, expect) = (distinct, expect)
        try Session(load, pace, output, name: "\(method) \(target.path)", target: target) { _ in
            { share in
                GetScenario(
                    target: target, method: method, headers: headers, body: bytes, distinct: distinct, good: expect,
                    share: share)
            }
        }.run()
    }

    private func bodyBytes() throws -> [UInt8] {
        guard let body else { return [] }
        guard body.hasPrefix("@") else { return Array(body.utf8) }
        let path = String(body.dropFirst())
        do {
            return try readFile(at: path, bytesMax: Self.bodyBytesMax)
        } catch {
            throw ValidationError("--body: \(path): \(error.description)")
        }
    }
}

extension Session {
    /// A session from the options of a command.
    /// - Parameter makeRun: called for each run with the seed.
    init(
        _ load: LoadOptions, _ pace: PaceOptions, _ output: OutputOptions, name: String, target: Target,
        makeRun: @escaping (UInt64) -> LoadRun.MakeScenario
    ) throws {
        let seed = load.seed ?? UInt64.random(in: 1...999_999_999)
        let duration = load.duration ?? (load.requests == nil ? LoadOptions.durationDefault : nil)
        var settings = load.settings(target, shape: try pace.shape(duration?.interval))
        if pace.untilP99 != nil { settings.duration = load.duration?.interval ?? Self.stepDuration }
        self.init(
            scenario: name, settings: settings, threads: load.threads, output: output,
            seed: seed, untilP99: pace.untilP99?.interval, makeRun: { makeRun(seed) })
    }
}

/// Each loop has numbers of its own, which the seed repeats.
func loopSeed(_ seed: UInt64, _ share: LoopShare) -> UInt64 {
    var random = RandomBits(seed: seed &+ UInt64(share.index))
    return random.next()
}

func defaultRunName(_ seed: UInt64) -> String { "b\(seed)" }

func checkPayload(_ bytes: Int) throws {
    guard ParcelPayloads.bytesMin...1_000_000 ~= bytes else {
        throw ValidationError("--payload-bytes: \(ParcelPayloads.bytesMin) to 1000000, not \(bytes)")
    }
}

func checkRunName(_ name: String?) throws {
    guard let name else { return }
    let isPlain = name.utf8.allSatisfy { ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == UInt8(ascii: "-") }
    guard isPlain, 1...64 ~= name.utf8.count else {
        throw ValidationError("--run-name: 1 to 64 characters of [A-Za-z0-9-]")
    }
}
