// Everything an operator can set, as typed values: what `serve` builds the process from.
// Made once at the start and immutable afterwards, so every thread may read it; SIGHUP makes a new value.
// The initial values here are the defaults; names, ranges and help are lines of GatewayConfiguration+Table.swift.

import Reactor

/// The settings of one gateway process. `Ms` fields are whole milliseconds, read from `_SECONDS` variables.
struct GatewayConfiguration: Equatable, Sendable {
    // Listeners and threads
    var host = "0.0.0.0"
    var port = 8081
    /// As configured; empty means one listener for everything. Read `effectiveListeners`.
    var listeners: [ListenerSetting] = []
    /// nil: one per online core.
    var reactorCount: Int?
    /// Permissions of a Unix socket's file.
    var unixSocketMode = 0o660
    var ioBackend = IOBackend.auto

    // Redis, PostgreSQL, raw files
    var redis = RedisEndpoint(.tcp(host: "127.0.0.1", port: RedisEndpoint.defaultPort))
    /// A libpq URI, handed to libpq as it is. Holds a password: never log it.
    var postgresURL = "postgres://127.0.0.1:5432/taxlien"
    var rawStorage = RawStorage.file(path: "/var/lib/taxlien-gateway/raw")

    // Credentials
    var workerTokens: [TokenGrant] = []
    var opsTokens: [TokenGrant] = []
    var ssrServiceToken: String?
    var serviceToken: String?
    var internalAllowList = AddressAllowList()
    var firebaseProjectID: String?
    var firebaseJWKSURL = HTTPEndpoint(
        isSecure: true, host: "www.googleapis.com", port: 443,
        path: "/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com")
    /// Between two questions for keys that the published set does not name.
    var firebaseRefetchMs = 30_000
    var credentialCacheMs = 300_000
    /// Whose `X-Forwarded-For` is believed; nobody's by default.
    var trustedProxies = AddressAllowList()
    /// Listeners of these surfaces take a PROXY header from trusted proxies, and from these nothing else.
    var proxyProtocol: Surfaces = []

    // Upstreams, proxies, routes
    var parserServiceURLs: [HTTPEndpoint] = []
    var mlServiceURLs: [HTTPEndpoint] = []
    var proxies: [SOCKSEndpoint] = []
    var proxyServiceURL: HTTPEndpoint?
    var routesFile: String?
    var tiersFile: String?
    var corsOrigins: [String] = []
    var upstreamCAFile: String?
    var upstreamTimeoutMs = 30_000
    var breakerFailures = 5
    var breakerOpenMs = 30_000
    /// Of all cached answers in Redis together.
    var cacheBytesMax = 256 << 20

    // TLS
    var tlsCertFile: String?
    var tlsKeyFile: String?
    var tlsClientCAFile: String?

    // Logs
    var logLevel = LogLevel.info
    var logFormat = LogFormat.json
    var accessLog = AccessLog.errors

    // Traces
    /// nil: spans are not kept.
    var otlpEndpoint: HTTPEndpoint?
    /// From 0 to 1: of the traces that begin here.
    var otlpSample = 0.01

    // Leases (api.md section 5)
    var leaseMs = 300_000
    var deliveryMs = 90_000
    var taskTimeoutMs = 3_600_000
    var reaperIntervalMs = 5_000
    var maxRetries = 3
    var retryBaseMs = 30_000

    // Rates
    /// 0 switches the limit off.
    var workerRatePerMinute = 1_000
    var workerRateBurst = 200
    var rateLimitOnRedisLoss = RateLimitOnRedisLoss.local

    // Limits of connections and requests (api.md section 6)
    var bodyBytesMax = 10 << 20
    var rawFileBytesMax = 64 << 20
    var headerBytesMax = 16 << 10
    var headerCountMax = 100
    var uriBytesMax = 8 << 10
    var headerTimeoutMs = 10_000
    /// A body must arrive at this many bytes a second once `bodyGraceMs` have passed.
    var bodyRateBytesMin = 1 << 10
    var bodyGraceMs = 10_000
    var idleTimeoutMs = 75_000
    /// Requests in flight on one connection before it is read no further.
    var pipelineMax = 1_000
    var connectionsMax = 100_000
    var connectionsPerAddressMax = 1_000

    // Drain
    var drainMs = 30_000
    /// Between readiness turning 503 and the listeners closing.
    var drainDelayMs = 0

    /// Where each value came from ("environment", ".env", a file's name), by variable; absent means default.
    var sources: [String: String] = [:]
}

extension GatewayConfiguration {
    /// The listeners to open: the configured ones, or the one for everything.
    var effectiveListeners: [ListenerSetting] {
        if !listeners.isEmpty { return listeners }
        return [ListenerSetting(surfaces: .all, address: .tcp(host: host, port: port), isPlain: false)]
    }
}

enum IOBackend: String, CaseIterable, Sendable { case auto, epoll, io_uring }

enum LogLevel: String, CaseIterable, Sendable { case trace, debug, info, notice, warning, error, critical }

enum LogFormat: String, CaseIterable, Sendable { case json, text }

/// What holds of callers' rates while Redis is away: each gateway limits by itself, answers 503, or lets all in.
enum RateLimitOnRedisLoss: String, CaseIterable, Sendable { case local, deny, allow }
