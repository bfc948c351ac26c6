// Everything one reactor owns: server, clients, batches, handlers, metrics. Built on the reactor's thread, used there.

import Logging
import Reactor
import Synchronization

/// `@unchecked Sendable`: other threads call `drain` and `close`, which post to the reactor, and nothing else.
final class Shard: @unchecked Sendable {
    let reactor: Reactor
    let server: HTTPServer
    let redis: RedisClient
    /// The first serves everything but results too.
    let postgres: [PostgresClient]
    private let pipeline: RequestPipeline
    private let handlers: WorkHandlers
    private let live: LiveTables
    /// Whether Redis and PostgreSQL are: for other threads, as of the last change.
    let isConnected = Atomic(false)
    private let client: HTTPClient
    private let cache: AnswerCache
    private let callers: KnownCallers
    private let tracer: Tracer?
    /// One a kind on the process's first reactor, none on the others.
    private let reapers: [Reaper]
    private let censuses: [QueueCensus]
    private let proxyReapers: [ProxyReaper]

    init(reactor: Reactor, shared: SharedState, counter: ConnectionCounter) throws(RedisFailure) {
        self.reactor = reactor
        live = LiveTables(shared.live.tables)
        var shared = shared
        shared.live = live
        let configuration = shared.configuration
        let shard = shared.metrics.shards[reactor.index]
        let logger = Logger(label: "gateway")
        redis = try RedisClient(
            reactor: reactor, endpoint: configuration.redis,
            scripts: shared.scripts.all + shared.cacheScripts.all + shared.callerScripts.all)
        postgres = (0..<Self.postgresSessions(reactors: shared.metrics.reactorCount)).map { _ in
            PostgresClient(reactor: reactor, target: shared.postgres, statements: shared.statements)
        }
        client = HTTPClient(reactor: reactor, tls: shared.security.upstreams)
        tracer = Tracer(shared: shared, reactor: reactor, client: client, shard: shard)
        pipeline = RequestPipeline(shared: shared, shard: shard, tracer: tracer)
        server = HTTPServer(
            reactor: reactor, limits: HTTPLimits(configuration), counter: counter, handler: pipeline)
        for (tag, context) in shared.security.listeners.enumerated() {
            if let context { server.secure(tag: UInt32(tag), by: context) }
        }
        handlers = try WorkHandlers(
            shared: shared, reactor: reactor, server: server, redis: redis, postgres: postgres, shard: shard)
        let service = configuration.proxyServiceURL.map { [client] in TorProxyService(client: client, service: $0) }
        let pool = ProxyPool(redis: redis, shared: shared, source: service)
        handlers.proxies = ProxyHandlers(reactor: reactor, server: server, pool: pool)
        let ops = OpsHandlers(shared: shared, reactor: reactor, server: server, redis: redis, postgres: postgres[0])
        let queueOps = QueueOps(shared: shared, reactor: reactor, server: server, redis: redis)
        cache = try AnswerCache(
            reactor: reactor, redis: redis,
            store: CacheStore(
                redis: redis, scripts: shared.cacheScripts, bytesMax: configuration.cacheBytesMax,
                owner: "\(shared.processToken).\(reactor.index)"),
            endpoint: configuration.redis)
        callers = KnownCallers(
            shared: shared, reactor: reactor, client: client, redis: redis, postgres: postgres[0], shard: shard)
        let publicSurface = PublicSurface(
            shared: shared, reactor: reactor, server: server, gate: callers,
            upstream: Upstream(reactor: reactor, client: client, metrics: shared.metrics.upstreams, shard: shard),
            cache: cache, shard: shard)
        let overview = OpsOverview(
            shared: shared, reactor: reactor, server: server, redis: redis, postgres: postgres[0])
        pipeline.connect(handlers, ops, queueOps, overview, publicSurface)
        let kinds = reactor.index == 0 ? WorkKind.allCases : []
        reapers = kinds.map { [redis] in
            Reaper(kind: $0, shared: shared, reactor: reactor, redis: redis, token: shared.processToken)
        }
        censuses = kinds.map { [redis] in
            QueueCensus(kind: $0, shared: shared, reactor: reactor, redis: redis)
        }
        proxyReapers = kinds.map { [redis] in
            ProxyReaper(kind: $0, shared: shared, reactor: reactor, redis: redis)
        }
        reactor.stalled = { length in
            logger.warning(
                "a turn of the loop took too long",
                metadata: ["reactor": "\(reactor.index)", "milliseconds": "\(length.nanoseconds / 1_000_000)"])
        }
        watch(shared.metrics, shard, logger)
    }

    /// Keeps the gauges of connections and of the loop, and logs when a dependency comes or goes.
    private func watch(_ metrics: GatewayMetrics, _ shard: MetricsShard, _ logger: Logger) {
        var meter = BusyMeter()
        var overload = Overload()
        reactor.turned = { [unowned self] worked, waited in
            shard.observe(metrics.loop, worked.nanoseconds)
            if overload.observe(worked: worked, waited: waited, fill: fill, now: reactor.now + worked) {
                pipeline.overloadLevel = overload.level
                shard.set(metrics.overloadLevel, Int(overload.level))
                logger.warning(
                    "the level of overload has changed",
                    metadata: ["reactor": "\(reactor.index)", "level": "\(overload.level)"])
            }
            guard let share = meter.add(worked: worked, waited: waited) else { return }
            shard.set(metrics.busyRatio, Int(share * GatewayMetrics.busyScale))
        }
        let index = reactor.index
        redis.connectionChanged = { [unowned self, unowned redis] isConnected in
            shard.set(metrics.redisConnected, isConnected ? 1 : 0)
            noteConnections()
            if !isConnected { shard.add(metrics.redisReconnects, 1) }
            logger.notice(
                isConnected ? "connected to Redis" : "lost Redis",
                metadata: ["reactor": "\(index)", "reason": "\(redis.lastFailure.map { "\($0)" } ?? "")"])
        }
        for client in postgres {
            client.connectionChanged = { [unowned self, unowned client] isConnected in
                shard.set(metrics.postgresConnected, postgres.contains(where: \.isConnected) ? 1 : 0)
                noteConnections()
                if !isConnected { shard.add(metrics.postgresReconnects, 1) }
                logger.notice(
                    isConnected ? "connected to PostgreSQL" : "lost PostgreSQL",
                    metadata: ["reactor": "\(index)", "reason": "\(client.lastFailure.map { "\($0)" } ?? "")"])
            }
        }
    }

    /// How full the fullest queue is, 0 to 1.
    private var fill: Double {
        var fill = handlers.fill
        fill = max(fill, Double(redis.flightCount) / Double(redis.limits.flightsMax))
        for client in postgres { fill = max(fill, Double(client.flightCount) / Double(client.limits.flightsMax)) }
        return fill
    }

    private func noteConnections() {
        let all = redis.isConnected && postgres.allSatisfy { $0.isConnected }
        isConnected.store(all, ordering: .relaxed)
    }

    /// Sessions of the process at least: while one commits, the other is sent to.
    static let postgresSessionsMin = 2

    /// Sessions of each reactor.
    private static func postgresSessions(reactors: Int) -> Int {
        (postgresSessionsMin + reactors - 1) / reactors
    }

    /// Connects and prepares; `listen` begins to serve. Batches act at a turn's end first, then the clients that send them, then the answers.
    func start() {
        for participant in handlers.turnParticipants { reactor.join(participant) }
        reactor.join(redis)
        reactor.join(server)
        redis.start()
        for client in postgres { client.start() }
        cache.start()
        callers.start()
        tracer?.start()
        handlers.start()
        for reaper in reapers { reaper.start() }
        for census in censuses { census.start() }
        for reaper in proxyReapers { reaper.start() }
    }

    /// Takes a listening socket over; its connections are dealt out to `peers`, this one among them.
    func listen(_ socket: ListeningSocket, peers: [Shard], _ completion: @escaping @Sendable () -> Void) {
        reactor.spawn { [self] in
            let number = socket.descriptor
            let isServed =
                peers.count == 1
                ? server.listen(Descriptor(number), tag: socket.tag)
                : server.listen(Descriptor(number), tag: socket.tag, dealingTo: peers.map(\.server))
            precondition(isServed, "a new reactor has room for its listeners")
            completion()
        }
    }

    /// Accepts no more. `completion` comes on the reactor's thread when all that was accepted is here, or on its way to
    /// its reactor.
    func stopAccepting(_ completion: @escaping @Sendable () -> Void) {
        reactor.spawn { [self] in server.stopAccepting(completion) }
    }

    /// Goes by other tables from now on.
    func apply(_ tables: ReloadedTables) {
        reactor.spawn { [live] in live.replace(by: tables) }
    }

    /// Lets requests in flight finish. `completion` comes on the reactor's thread.
    /// - Parameter patience: see `HTTPServer.drain`.
    func drain(patience: Interval = .zero, _ completion: @escaping @Sendable () -> Void) {
        reactor.spawn { [self] in
            handlers.drain()
            let released = reapers.map { $0.drain() }
            server.drain(patience: patience) { [self] in
                reactor.spawn {
                    for release in released { await release.value }
                    await self.callers.drain()
                    await self.tracer?.drain()
                    completion()
                }
            }
        }
    }

    /// Closes what is still open.
    func close() {
        reactor.spawn { [self] in
            server.close()
            for census in censuses { census.close() }
            handlers.close()
            for reaper in proxyReapers { reaper.close() }
            callers.close()
            tracer?.close()
            client.close()
            cache.close()
            redis.close()
            for client in postgres { client.close() }
        }
    }
}

extension HTTPLimits {
    init(_ configuration: GatewayConfiguration) {
        self.init()
        bodyBytesMax = configuration.bodyBytesMax
        headerBytesMax = configuration.headerBytesMax
        headerCountMax = configuration.headerCountMax
        uriBytesMax = configuration.uriBytesMax
        headerTimeout = .milliseconds(Int64(configuration.headerTimeoutMs))
        bodyGrace = .milliseconds(Int64(configuration.bodyGraceMs))
        bodyRateBytesMin = configuration.bodyRateBytesMin
        idleTimeout = .milliseconds(Int64(configuration.idleTimeoutMs))
        pipelineMax = configuration.pipelineMax
        connectionsMax = configuration.connectionsMax
        connectionsPerAddressMax = configuration.connectionsPerAddressMax
    }
}
