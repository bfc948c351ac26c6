// What all reactors read: made once at start, immutable, or made for many threads; what SIGHUP replaces lies in `live`.
// One file says what is shared.

import FoundationEssentials
import Reactor

struct SharedState: Sendable {
    let configuration: GatewayConfiguration
    let security: TransportSecurity
    /// A reactor's own, where it has one.
    var live: LiveTables
    let origins: Origins
    /// By `ServiceName`.
    private let services: [UpstreamService]
    let cacheScripts: CacheScripts
    let documents: Documents
    /// By a connection's listener.
    let listeners: [ListenerSetting]
    /// nil: Bearer tokens are not known here.
    let publishedKeys: PublishedKeys?
    let trustedProxies: TrustedProxies
    let callerScripts: CallerScripts
    /// Of callers of the public surface, by account; lock-free, like the workers'.
    let callerBuckets: TokenBucketTable
    let workerRate: BucketRate
    /// Lock-free; the one thing on the hot path that reactors change together.
    let workerBuckets: TokenBucketTable
    let hash: KeyedHash
    /// Of every reactor.
    let poller: PollerChoice
    let metrics: GatewayMetrics
    let life: LifeState
    let scripts: QueueScripts
    let rawFiles: RawFiles
    /// Names this process among the gateways of one Redis.
    let processToken: String
    let postgres: PostgresTarget
    /// Prepared by every connection.
    let statements: PostgresStatements
    /// By kind.
    let resultStatements: [ResultStatements]

    /// Accounts that are active at once and have a bucket of their own: seven a group.
    static let callerBucketGroups = 32_768

    /// - Throws: where a certificate, the route or the tiers file is none, the PostgreSQL URL is none, or the AWS variables are not what `s3://` needs.
    init(_ configuration: GatewayConfiguration, reactors: Int) throws {
        security = try TransportSecurity(configuration)
        var configuration = configuration
        configuration.redis.tls = security.upstreams
        self.configuration = configuration
        let publicRoutes = try PublicRoutes.load(configuration.routesFile)
        origins = Origins(configuration.corsOrigins)
        let breaker = BreakerRule(failures: configuration.breakerFailures, openMs: configuration.breakerOpenMs)
        services = [
            UpstreamService(.parser, configuration.parserServiceURLs, rule: breaker),
            UpstreamService(.ml, configuration.mlServiceURLs, rule: breaker),
        ]
        cacheScripts = CacheScripts()
        documents = Documents()
        let routes = RouteTable(publicRoutes, hasPreflights: !origins.isEmpty)
        listeners = configuration.effectiveListeners
        publishedKeys = configuration.firebaseProjectID.map { _ in
            PublishedKeys(
                endpoint: configuration.firebaseJWKSURL,
                refetchInterval: .milliseconds(Int64(configuration.firebaseRefetchMs)))
        }
        trustedProxies = TrustedProxies(configuration.trustedProxies)
        callerScripts = CallerScripts()
        callerBuckets = TokenBucketTable(groups: Self.callerBucketGroups)
        workerRate = BucketRate(perMinute: configuration.workerRatePerMinute, burst: configuration.workerRateBurst)
        workerBuckets = TokenBucketTable()
        hash = KeyedHash()
        poller = PollerChoice(configuration.ioBackend)
        metrics = GatewayMetrics(
            reactors: reactors, routes: routes, listeners: listeners, poller: poller.kind,
            services: services, publicRoutes: publicRoutes)
        live = LiveTables(
            ReloadedTables(
                configuration, publicRoutes: publicRoutes, routes: routes,
                tiers: try TierTable.load(configuration.tiersFile), routeMetrics: metrics.routes))
        life = LifeState()
        scripts = QueueScripts()
        rawFiles = try RawFiles(
            storage: configuration.rawStorage, fileBytesMax: configuration.rawFileBytesMax,
            environment: ProcessInfo.processInfo.environment)
        processToken = TokenCommand.make()
        postgres = try PostgresTarget(configuration.postgresURL)
        var prepared = PostgresStatements()
        resultStatements = WorkKind.allCases.map { ResultStatements($0, in: &prepared) }
        statements = prepared
    }

    func service(_ name: ServiceName) -> UpstreamService { services[name == .parser ? 0 : 1] }

    /// Whether clients of a listener speak TLS.
    func isSecure(listener: UInt32) -> Bool { security.isSecure(listener: listener) }
}
