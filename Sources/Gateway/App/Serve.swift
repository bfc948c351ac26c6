// Builds the process out of its configuration and runs it until it is told to stop. Called on the main thread while no
// other thread of ours exists but the log's. Life: configure → listen → reactors start → signal → drain → close.

import Logging
import Reactor
import Synchronization

/// The process cannot start: told on the log, exit code 1.
struct StartFailure: Error, CustomStringConvertible {
    var description: String
}

/// - Parameters:
///   - logLinesDropped: for the metrics; asked on any thread.
///   - settings: reads the settings again, on SIGHUP.
func serve(
    _ configuration: GatewayConfiguration, logLinesDropped: @escaping @Sendable () -> Int,
    settings: @escaping Reload.Settings
) throws {
    Signals.block()
    let inherited = InheritedSocket.take()
    let process = try GatewayProcess(
        configuration, inherited: inherited, logLinesDropped: logLinesDropped, settings: settings)
    try process.start()
    process.runUntilStopped()
}

/// All reactors of the process and what they share.
final class GatewayProcess: Sendable {
    /// Descriptors besides connections: Redis, PostgreSQL, listeners, files, logs.
    static let descriptorsSpare = 512
    /// For the kernel's last words about connections that it accepted.
    static let lastWordsMax = Interval.seconds(5)

    private let shared: SharedState
    private let logger = Logger(label: "gateway")
    private let counter: ConnectionCounter
    private let reload: Reload
    private let handOver: HandOver
    private let listening: Listening
    private let inheritsOurs: Bool
    /// Where a predecessor waits to hear that this process serves.
    private let predecessor: Locked<Int32?>
    private let shards = Locked<[Shard]>([])
    private let threads = Locked<[ReactorThread]>([])
    private let stopping = Latch(1)

    init(
        _ settled: GatewayConfiguration, inherited: [InheritedSocket],
        logLinesDropped: @escaping @Sendable () -> Int, settings: @escaping Reload.Settings
    ) throws {
        let configuration = settled.listening(on: inherited)
        shared = try SharedState(configuration, reactors: configuration.reactorCount ?? ProcessUsage.processorCount)
        shared.metrics.describeLog(linesDropped: logLinesDropped)
        counter = ConnectionCounter(
            totalMax: configuration.connectionsMax, perAddressMax: configuration.connectionsPerAddressMax)
        reload = Reload(settled, shared.live.tables, shared.security, settings: settings)
        handOver = try HandOver()
        inheritsOurs = inherited.contains { $0.isOurs }
        predecessor = Locked(inherited.first { $0.isReadyPipe }?.descriptor)
        listening = try Listening(
            shared.listeners, reactors: shared.metrics.reactorCount, unixMode: configuration.unixSocketMode,
            inherited: inherited.filter { !$0.isReadyPipe })
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
        shared.security.warnOfExpiry()
        do throws(RawFileFailure) {
            try shared.rawFiles.start()
        } catch {
            // The rest of the surface does not depend on it: uploads are 503, and readiness says so.
            logger.error("raw files cannot be stored", metadata: ["reason": "\(error)"])
        }
        let ready = Latch(count)
        let failure = Locked<String?>(nil)
        for index in 0..<count {
            let reactor = try Reactor(
                index: index, descriptorsMax: shared.configuration.connectionsMax + Self.descriptorsSpare,
                kind: shared.poller.kind)
            let thread = ReactorThread(reactor) { [self] reactor in
                do throws(RedisFailure) {
                    let shard = try Shard(reactor: reactor, shared: shared, counter: counter)
                    shard.start()
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
        shards.withLock { $0.sort { $0.reactor.index < $1.reactor.index } }
        listen()
        Signals.watch { [self] in received($0) }
        logger.info(
            "serving",
            metadata: [
                "reactors": "\(count)", "backend": "\(shared.poller.kind.rawValue)", "version": "\(BuildInfo.version)",
            ])
        ServiceManager.tell("READY=1")
        if let descriptor = predecessor.withLock({ $0.take() }) { Successor.tellPredecessor(Descriptor(descriptor)) }
    }

    /// Has the shards serve their sockets, those of a successor when it can do as well as its predecessor does.
    private func listen() {
        let shards = shards.withLock { $0 }
        if inheritsOurs {
            let isReady = { shards.allSatisfy { $0.isConnected.load(ordering: .relaxed) } }
            for _ in 0..<Self.connectingLooksMax where !isReady() { Latch(1).wait(Self.connectingLook) }
        }
        let served = Latch(listening.sockets.count)
        for socket in listening.sockets {
            shards[socket.reactor].listen(socket, peers: socket.dealtTo.map { shards[$0] }) { served.countDown() }
        }
        served.wait()
    }

    // A successor waits for Redis and PostgreSQL as long as this before it serves without.
    private static let connectingLook = Interval.milliseconds(10)
    private static let connectingLooksMax = 1_000

    // MARK: Stop

    private func received(_ signal: Signal) {
        switch signal {
        case .reload:
            reload.run { [self] tables in
                for shard in shards.withLock({ $0 }) { shard.apply(tables) }
            }
        case .handOver where shared.life.isServing:
            handOver.begin(listening.passedOn) { [self] in
                shared.life.beginRetreat()
                stopping.countDown()
            }
        case .handOver: break
        case .terminate where shared.life.beginDrain():
            handOver.cancel()
            if !shared.life.hasSuccessor { ServiceManager.tell("STOPPING=1") }
            logger.notice("draining", metadata: ["limit_seconds": "\(Double(shared.configuration.drainMs) / 1000)"])
            stopping.countDown()
        case .terminate:
            exitNow(1)
        }
    }

    /// Waits for the first SIGTERM, or for a successor that serves; drains, and ends the reactors.
    func runUntilStopped() {
        stopping.wait()
        let isRetreat = shared.life.hasSuccessor
        // Readiness says 503 from here on; load balancers have this long to notice.
        let delay = Interval.milliseconds(Int64(shared.configuration.drainDelayMs))
        if delay > .zero, !isRetreat { Latch(1).wait(delay) }
        let shards = shards.withLock { $0 }
        // All reactors first: one may still deal connections out to another.
        let stopped = Latch(shards.count)
        for shard in shards { shard.stopAccepting { stopped.countDown() } }
        stopped.wait(Self.lastWordsMax)
        if !isRetreat { for file in listening.files { file.remove() } }
        let drained = Latch(shards.count)
        for shard in shards { shard.drain(patience: isRetreat ? HandOver.patience : .zero) { drained.countDown() } }
        if !drained.wait(.milliseconds(Int64(shared.configuration.drainMs))) {
            logger.warning("requests were still in flight at the end of the drain time")
        }
        let threads = threads.withLock { $0 }
        for shard in shards { shard.close() }
        for thread in threads { thread.reactor.stop() }
        for thread in threads { thread.join() }
        handOver.close()
        shared.rawFiles.close()
        logger.notice("stopped")
    }
}

/// Whether the process serves, drains, or leaves to a successor. Read by every reactor.
final class LifeState: Sendable {
    private let draining = Atomic(false)
    private let succeeded = Atomic(false)

    /// Whether nothing more is to be sent here. A process with a successor is as good as the successor.
    var isDraining: Bool { draining.load(ordering: .relaxed) }
    var hasSuccessor: Bool { succeeded.load(ordering: .relaxed) }
    var isServing: Bool { !isDraining && !hasSuccessor }

    /// True for the caller that begins it.
    func beginDrain() -> Bool { !draining.exchange(true, ordering: .relaxed) }

    /// The sockets are a successor's too from here on.
    func beginRetreat() { succeeded.store(true, ordering: .relaxed) }
}
