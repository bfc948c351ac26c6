// The options that commands share, and what is wrong with their combinations. Read once, on the main thread.
// Limits: `connectionsMax`, `pipelineMax`, `rateMax`, the processors for threads.

import ArgumentParser
import Reactor

/// Where a gateway is, and who asks.
struct GatewayOptions: ParsableArguments {
    @Option(help: "The gateway's worker surface.")
    var url = "http://127.0.0.1:8081"

    @Option(help: "The worker token (X-Worker-Token). Also GATEWAY_BENCH_TOKEN.")
    var token: String?

    @Option(help: "Begins the ids of the simulated workers; a number follows.")
    var workerPrefix = "bench-"

    @Option(help: "The kind of work: parcel or party.")
    var kind = "parcel"

    @OptionGroup var trust: TrustOptions

    func validate() throws {
        guard kind == "parcel" || kind == "party" else {
            throw ValidationError("--kind is parcel or party, not \(kind)")
        }
        guard !workerPrefix.isEmpty, workerPrefix.utf8.count <= 100,
            workerPrefix.utf8.allSatisfy({ "-._:".utf8.contains($0) || isAlphanumeric($0) })
        else { throw ValidationError("--worker-prefix: 1 to 100 characters of [A-Za-z0-9._:-]") }
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 }

    func identity() throws -> WorkerIdentity {
        let token = token ?? environmentVariable("GATEWAY_BENCH_TOKEN") ?? ""
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ValidationError("--token holds a character that no header may carry")
        }
        return WorkerIdentity(token: token, idPrefix: workerPrefix)
    }

    /// The path that endpoints begin with.
    var base: String { kind == "party" ? "/internal/party" : "/internal" }

    /// A target below the URL's path.
    func target(_ path: String = "") throws -> Target {
        let root = try trust.resolved(url)
        guard root.path == "/" else { throw ValidationError("--url names the gateway, without a path: \(url)") }
        return root
    }
}

/// How much, how fast, how long.
struct LoadOptions: ParsableArguments {
    static let connectionsMax = 200_000
    static let pipelineMax = 1000
    static let rateMax = 10_000_000.0

    @Option(name: .shortAndLong, help: "Connections, kept open.")
    var connections = 64

    @Option(name: .shortAndLong, help: "Threads, each with its share of the connections.")
    var threads = 1

    @Option(help: "Requests that a connection has out at once.")
    var pipeline = 1

    @Option(name: .shortAndLong, help: "How long to measure (500ms, 10s, 2m).")
    var duration: TimeOption?

    @Option(name: .shortAndLong, help: "Measure so many requests, and end.")
    var requests: Int?

    @Option(name: .shortAndLong, help: "How long to send before measuring.")
    var warmup = TimeOption(seconds: 1)

    @Option(help: "An answer that takes longer is an error, and its connection is opened anew.")
    var timeout = TimeOption(seconds: 10)

    @Option(help: "The same seed sends the same things. Default: a new one, which is printed.")
    var seed: UInt64?

    @Option(help: "Local addresses that connections take turns to come from (one address has some 28,000 ports).")
    var sources: String?

    static let durationDefault = TimeOption(seconds: 10)

    func validate() throws {
        guard 1...Self.connectionsMax ~= connections else {
            throw ValidationError("--connections: 1 to \(Self.connectionsMax), not \(connections)")
        }
        guard threads >= 1, threads <= connections, threads <= 1024 else {
            throw ValidationError("--threads: 1 to 1024, and no more than connections; not \(threads)")
        }
        guard 1...Self.pipelineMax ~= pipeline else {
            throw ValidationError("--pipeline: 1 to \(Self.pipelineMax), not \(pipeline)")
        }
        if let requests, requests < 1 { throw ValidationError("--requests: 1 or more, not \(requests)") }
        if let duration, duration.interval == .zero { throw ValidationError("--duration: more than nothing") }
        if timeout.interval == .zero { throw ValidationError("--timeout: more than nothing") }
        for source in sourceList where PeerAddress(source) == nil {
            throw ValidationError("--sources: \(source) is no numeric address")
        }
    }

    var sourceList: [String] { sources?.split(separator: ",").map(String.init) ?? [] }

    /// - Parameter endsItself: the scenario knows when it has finished.
    func settings(_ target: Target, shape: Schedule.Shape?, endsItself: Bool = false) -> LoadSettings {
        var settings = LoadSettings(target: target)
        settings.connections = connections
        settings.pipeline = pipeline
        settings.warmup = warmup.interval
        settings.requests = requests
        settings.duration = duration?.interval
        if duration == nil, requests == nil, !endsItself { settings.duration = Self.durationDefault.interval }
        settings.shape = shape
        settings.timeout = timeout.interval
        settings.sources = sourceList
        return settings
    }
}

/// The pace of an open loop; none of them is a closed loop.
struct PaceOptions: ParsableArguments {
    @Option(help: "Open loop: so many requests a second, whatever the server does.")
    var rate: Double?

    @Option(help: "Open loop: from one rate to another over the duration (FROM:TO).")
    var ramp: RampOption?

    @Option(help: "Find the knee: the highest rate whose p99 stays within this time. --rate says where to start.")
    var untilP99: TimeOption?

    func validate() throws {
        if let rate, !(rate > 0 && rate <= LoadOptions.rateMax) {
            throw ValidationError("--rate: above 0, up to \(Int(LoadOptions.rateMax)); not \(rate)")
        }
        if ramp != nil, rate != nil || untilP99 != nil {
            throw ValidationError("--ramp goes with neither --rate nor --until-p99")
        }
        if let untilP99, untilP99.interval == .zero { throw ValidationError("--until-p99: more than nothing") }
    }

    /// - Parameter duration: over which a ramp climbs.
    func shape(_ duration: Interval?) throws -> Schedule.Shape? {
        if let ramp {
            guard let duration else { throw ValidationError("--ramp needs --duration") }
            return .ramp(from: ramp.from, to: ramp.to, over: duration)
        }
        return rate.map { .constant(perSecond: $0) }
    }
}

/// Where the figures go.
struct OutputOptions: ParsableArguments {
    @Option(help: "Write the whole report as JSON, for compare.")
    var json: String?

    @Option(help: "Write a line for each second.")
    var csv: String?

    @Option(help: "Write a page with plots, in one file.")
    var html: String?

    @Option(help: "Watch the server's CPU and memory; several processes add up.")
    var serverPid: [Int32] = []

    @Option(help: "Exit with 1 if a larger share of the requests failed or was dropped.")
    var errorsMax = ShareOption(0.01)

    @Flag(help: "Print nothing but warnings and errors.")
    var quiet = false

    func validate() throws {
        for pid in serverPid where ProcessSample.read("\(pid)") == nil {
            throw ValidationError("--server-pid: there is no process \(pid)")
        }
        for path in [json, csv, html].compactMap({ $0 }) {
            let folder = path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
            do {
                try Folder.checkIsWritable(folder)
            } catch {
                throw ValidationError("\(path): \(error)")
            }
        }
    }
}
