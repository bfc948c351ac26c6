// Builds the process out of its configuration and runs it until it is told to stop. Called on the main thread while no
// other thread of ours exists but the log's. Life: configure → listen → reactors start → signal → drain → close.

import Logging
import Reactor
import Synchronization

/// The process cannot start: told on the log, exit code 1.
struct StartFailure: Error, CustomStringConvertible {
    var description: String
}

/// - Parameter logLinesDropped: for the metrics; asked on any thread.
func serve(
    _ configuration: GatewayConfiguration, logLinesDropped: @escaping @Sendable () -> Int = { 0 }
) throws {
    Signals.block()
    let process = try GatewayProcess(configuration, logLinesDropped: logLinesDropped)
    try process.start()
    process.runUntilStopped()
}

/// All reactors of the process and what they share.
final class GatewayProcess: Sendable {
    /// Descriptors besides connections: Redis, PostgreSQL, listeners, files, logs.
    static let descriptorsSpare = 512

    private let shared: SharedState
    private let logger = Logger(label: "gateway")
    private let counter: ConnectionCounter
    private let shards = Locked<[Shard]>([])
    private let threads = Locked<[ReactorThread]>([])
    private let stopping = Latch(1)

    init(_ configuration: GatewayConfiguration, logLinesDropped: @escaping @Sendable () -> Int) throws {
        shared = try SharedState(configuration, reactors: configuration.reactorCount ?? ProcessUsage.processorCount)
        shared.metrics.describeLog(linesDropped: logLinesDropped)
        counter = ConnectionCounter(
            totalMax: configuration.connectionsMax, perAddressMax: configuration.connectionsPerAddressMax)
        let wanted = configuration.connectionsMax + Self.descriptorsSpare
        let limit = ProcessUsage.raiseDescriptorLimit(to: wanted)
        if limit < wanted {
            logger.warning(
                "the limit of open files is below GATEWAY_CONNECTIONS_MAX",
                metadata: ["limit": "\(limit)", "wanted": "\(wanted)"])
        }
    }

    // MARK: Start

    func start() throws {
        let count = shared.metrics.reactorCount
        shared.poller.report(to: logger)
        do throws(RawFileFailure) {
            try shared.rawFiles.start()
        } catch {
            // The rest of the surface does not depend on it: uploads are 503, and readiness says so.
            logger.error("raw files cannot be stored", metadata: ["reason": "\(error)"])
        }
        let sockets = try openListeners(reactors: count)
        let ready = Latch(count)
        let failure = Locked<String?>(nil)
        for index in 0..<count {
            let reactor = try Reactor(
                index: index, descriptorsMax: shared.configuration.connectionsMax + Self.descriptorsSpare,
                kind: shared.poller.kind)
            let mine = sockets[index]
            let thread = ReactorThread(reactor) { [self] reactor in
                do throws(RedisFailure) {
                    let shard = try Shard(reactor: reactor, shared: shared, counter: counter)
                    shard.start(listeners: mine)
                    shards.withLock { $0.append(shard) }
                } catch {
                    failure.withLock { $0 = "\(error)" }
                }
                ready.countDown()
            }
            threads.withLock { $0.append(thread) }
        }
        ready.wait()
        if let reason = failure.withLock({ $0 }) { throw StartFailure(description: reason) }
        Signals.watch { [self] in received($0) }
        logger.info(
            "serving",
            metadata: [
                "reactors": "\(count)", "backend": "\(shared.poller.kind.rawValue)", "version": "\(BuildInfo.version)",
            ])
    }

    /// One socket a listener for each reactor, all on the listener's port; the kernel spreads connections over them.
    private func openListeners(reactors: Int) throws -> [[ListeningSocket]] {
        var sockets = Array(repeating: [ListeningSocket](), count: reactors)
        for (tag, listener) in shared.listeners.enumerated() {
            switch listener.address {
            case .tcp(let host, var port):
                let numeric = try attempt("GATEWAY_HOST \(host)") { () throws(SystemError) in
                    try PeerAddress.resolve(host)
                }
                for index in 0..<reactors {
                    let descriptor = try attempt("cannot listen on \(host):\(port)") { () throws(SystemError) in
                        try Descriptor.listen(host: numeric, port: UInt16(port), sharedPort: true)
                    }
                    port = Int(descriptor.boundPort)
                    sockets[index].append(ListeningSocket(descriptor: descriptor.release(), tag: UInt32(tag)))
                }
                logger.info("listening", metadata: ["address": "\(host):\(port)", "port": "\(port)"])
            case .unix(let path):
                let descriptor = try attempt("cannot listen on \(path)") { () throws(SystemError) in
                    try Descriptor.listen(path: path)
                }
                sockets[0].append(ListeningSocket(descriptor: descriptor.release(), tag: UInt32(tag)))
                logger.info("listening", metadata: ["address": "\(path)"])
            }
        }
        return sockets
    }

    private func attempt<Value: ~Copyable>(
        _ what: String, _ body: () throws(SystemError) -> Value
    ) throws(StartFailure) -> Value {
        do {
            return try body()
        } catch {
            throw StartFailure(description: "\(what): \(error)")
        }
    }

    // MARK: Stop

    private func received(_ signal: Signal) {
        switch signal {
        case .reload:
            logger.notice("SIGHUP: nothing to read again yet")
        case .terminate where shared.life.beginDrain():
            logger.notice("draining", metadata: ["limit_seconds": "\(Double(shared.configuration.drainMs) / 1000)"])
            stopping.countDown()
        case .terminate:
            exitNow(1)
        }
    }

    /// Waits for the first SIGTERM, drains, and ends the reactors.
    func runUntilStopped() {
        stopping.wait()
        // Readiness says 503 from here on; load balancers have this long to notice.
        let delay = Interval.milliseconds(Int64(shared.configuration.drainDelayMs))
        if delay > .zero { Latch(1).wait(delay) }
        let shards = shards.withLock { $0 }
        let drained = Latch(shards.count)
        for shard in shards { shard.drain { drained.countDown() } }
        if !drained.wait(.milliseconds(Int64(shared.configuration.drainMs))) {
            logger.warning("requests were still in flight at the end of the drain time")
        }
        let threads = threads.withLock { $0 }
        for shard in shards { shard.close() }
        for thread in threads { thread.reactor.stop() }
        for thread in threads { thread.join() }
        shared.rawFiles.close()
        logger.notice("stopped")
    }
}

/// A listening socket on its way to its reactor, which takes it over.
struct ListeningSocket: Sendable {
    var descriptor: Int32
    /// Index of its `ListenerSetting`.
    var tag: UInt32
}

/// Whether the process serves or drains. One word, read by every reactor.
final class LifeState: Sendable {
    private let draining = Atomic(false)

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// True for the caller that begins it.
    func beginDrain() -> Bool { !draining.exchange(true, ordering: .relaxed) }
}
