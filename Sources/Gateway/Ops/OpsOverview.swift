// What the operators' page asks for once a second: the process's own numbers, the queues' figures and whether the
// dependencies answer, as one JSON object. Owned by its reactor. Numbers of the process are read out of the metrics, at no
// cost to those who count; Redis is asked for figures at most once a `figuresInterval` and reactor, however many pages are
// open, and dependencies once a `checkInterval`, in the background.
// Limits: `waitingMax` requests wait for one look; `platformsMax` platforms of a kind are listed, those with most work.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class OpsOverview: @unchecked Sendable {
    static let figuresInterval = Interval.milliseconds(900)
    static let checkInterval = Interval.seconds(5)
    static let waitingMax = 256
    static let platformsMax = 200

    let shared: SharedState
    let reactor: Reactor
    private let server: HTTPServer
    private let redis: RedisClient
    private let postgres: PostgresClient
    var platforms: LabelCache
    /// By kind; nil where Redis did not tell.
    private(set) var figures: [QueueFigures?] = []
    private var figuresRead: Instant?
    private var waiting: [SlotID] = []
    private(set) var checks: Dependencies?
    private var checksBegun: Instant?
    private var isChecking = false

    init(shared: SharedState, reactor: Reactor, server: HTTPServer, redis: RedisClient, postgres: PostgresClient) {
        self.shared = shared
        self.reactor = reactor
        self.server = server
        self.redis = redis
        self.postgres = postgres
        platforms = LabelCache(shared.metrics.platforms)
    }

    func answer(_ request: borrowing Request) {
        checkDependencies()
        if let figuresRead, reactor.now - figuresRead < Self.figuresInterval { return respond(request.exchange) }
        guard waiting.count < Self.waitingMax else { return server.respond(request.exchange, .overloaded) }
        waiting.append(request.exchange)
        if waiting.count == 1 { reactor.spawn { [self] in await readFigures() } }
    }

    private func respond(_ exchange: SlotID) {
        server.respond(exchange, status: 200) { write(to: &$0) }
    }

    /// One look for all who wait.
    private func readFigures() async {
        var read: [QueueFigures?] = []
        for kind in WorkKind.allCases {
            do throws(RedisFailure) {
                read.append(
                    try await QueueFigures.read(
                        kind, redis, shared.scripts, aliveMs: shared.configuration.leaseMs))
            } catch {
                // Redis is away: the page says so, and shows the process's own numbers.
                read.append(nil)
            }
        }
        figures = read
        figuresRead = reactor.now
        let exchanges = exchange(&waiting, for: [])
        for exchange in exchanges { respond(exchange) }
    }

    // MARK: Dependencies

    private func checkDependencies() {
        if isChecking { return }
        if let checksBegun, reactor.now - checksBegun < Self.checkInterval { return }
        (isChecking, checksBegun) = (true, reactor.now)
        reactor.spawn { [self] in
            checks = await Dependencies.look(redis, postgres, shared.rawFiles)
            isChecking = false
        }
    }
}
