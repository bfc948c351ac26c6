// The table of settings: one line a variable, from which parsing, help, masking and the check of names all follow.
// To add a setting: a field with its default in GatewayConfiguration, and a line here. Nothing else.
// Limits: each line's range. Source: operations.md section 1, api.md sections 3, 5 and 6.

import Reactor

extension GatewayConfiguration {
    static let settings: [Setting] =
        network + backends + credentials + upstreams + files + logs + leases + rates + limits

    private static let dayMs = 86_400_000
    private static let hourMs = 3_600_000

    private static let network: [Setting] = [
        .value(
            "HOST", \.host, allowed: "an address or host name", "address of the one listener",
            parse: { text throws(BadSetting) in
                let host = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
                guard !host.contains(":") || IPAddress(host) != nil, !host.contains("/"), !host.contains(" ") else {
                    throw BadSetting("not an address")
                }
                return host
            }, show: { $0 }),
        .value(
            "PORT", \.port, allowed: "a whole number from 0 to 65535", "port of the one listener; 0 takes a free one",
            parse: { text throws(BadSetting) in
                if text.hasPrefix("tcp://") {
                    // Kubernetes sets NAME_PORT for every Service, and ours may well be named `gateway`.
                    throw BadSetting("set by Kubernetes for a Service named gateway: use enableServiceLinks: false")
                }
                guard let port = Int(text), (0...65_535).contains(port) else { throw BadSetting("not a port") }
                return port
            }, show: { String($0) }),
        .value(
            "LISTENERS", \.listeners, allowed: ListenerSetting.allowed,
            "listeners by surface, in place of the one", parse: ListenerSetting.list,
            show: { $0.isEmpty ? nil : $0.map(\.shown).joined(separator: ",") }),
        .value(
            "UNIX_SOCKET_MODE", \.unixSocketMode, allowed: "an octal number from 0 to 777",
            "permissions of the files of Unix sockets",
            parse: { text throws(BadSetting) in
                guard let mode = Int(text, radix: 8), (0...0o777).contains(mode) else {
                    throw BadSetting("not an octal mode")
                }
                return mode
            }, show: { String($0, radix: 8) }),
        .value(
            "REACTORS", \.reactorCount, allowed: "a whole number from 1 to 256", "reactor threads; one per online core",
            parse: { text throws(BadSetting) in
                guard let count = Int(text), (1...256).contains(count) else { throw BadSetting("out of range") }
                return count
            }, show: { $0.map { String($0) } }),
        .choice("IO_BACKEND", \.ioBackend, "how the kernel is asked for events"),
    ]

    private static let backends: [Setting] = [
        .value(
            "REDIS_URL", \.redis, allowed: RedisEndpoint.allowed, secrecy: .password, "the Redis server",
            parse: { text throws(BadSetting) in try RedisEndpoint(text) }, show: { $0.shown }),
        .value(
            "POSTGRES_URL", \.postgresURL, allowed: "postgres://… or postgresql://…, any libpq URI", secrecy: .password,
            "the PostgreSQL server",
            parse: { text throws(BadSetting) in
                guard text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") else {
                    throw BadSetting("unknown scheme")
                }
                guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                    throw BadSetting("holds a character that an URL must percent-encode")
                }
                return text
            }, show: { maskURLPasswords($0) }),
        .value(
            "RAW_STORAGE_URL", \.rawStorage, allowed: "file:///folder or s3://bucket[/prefix]",
            "where raw files are kept",
            parse: { text throws(BadSetting) in try RawStorage(text) }, show: { $0.shown }),
    ]

    private static let credentials: [Setting] = [
        .tokens("WORKER_TOKENS", \.workerTokens, "tokens of the workers; with none the worker surface refuses all"),
        .tokens("OPS_TOKENS", \.opsTokens, "tokens of the operators; with none the ops endpoints refuse all"),
        .secret("SSR_SERVICE_TOKEN", \.ssrServiceToken, "token of the SSR site"),
        .secret("SERVICE_TOKEN", \.serviceToken, "token sent to upstreams"),
        .value(
            "INTERNAL_IP_ALLOWLIST", \.internalAllowList, allowed: AddressAllowList.allowed,
            "networks that may use the worker surface; all where it is not set",
            parse: { text throws(BadSetting) in try AddressAllowList(text) },
            show: { $0.networks.isEmpty ? nil : $0.networks.map(\.text).joined(separator: ",") }),
        .value(
            "FIREBASE_PROJECT_ID", \.firebaseProjectID, allowed: "lower-case letters, digits and hyphens",
            "Firebase project; without one Bearer tokens are refused",
            parse: { text throws(BadSetting) in
                let isName = text.utf8.allSatisfy {
                    ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D
                }
                guard isName, text.utf8.count <= 64 else { throw BadSetting("not a project id") }
                return text
            }, show: { $0 }),
        .value(
            "FIREBASE_JWKS_URL", \.firebaseJWKSURL, allowed: "an http:// or https:// URL", "the published key set",
            parse: { text throws(BadSetting) in try HTTPEndpoint(text) }, show: { $0.shown }),
        .seconds(
            "FIREBASE_JWKS_REFETCH_SECONDS", \.firebaseRefetchMs, ms: 100...hourMs,
            "between two fetches for a key that the set does not name"),
        .seconds(
            "CREDENTIAL_CACHE_SECONDS", \.credentialCacheMs, ms: 0...300_000,
            "how long a valid credential is remembered"),
        .value(
            "TRUSTED_PROXIES", \.trustedProxies, allowed: AddressAllowList.allowed,
            "proxies whose X-Forwarded-For names the client; none where it is not set",
            parse: { text throws(BadSetting) in try AddressAllowList(text) },
            show: { $0.networks.isEmpty ? nil : $0.networks.map(\.text).joined(separator: ",") }),
        .value(
            "PROXY_PROTOCOL", \.proxyProtocol, allowed: Surfaces.allowedList,
            "surfaces whose listeners expect a PROXY header (v1 or v2) from trusted proxies; none",
            parse: { text throws(BadSetting) in try Surfaces(list: text) }, show: { $0.shown }),
    ]

    private static let upstreams: [Setting] = [
        .list(
            "PARSER_SERVICE_URL", \.parserServiceURLs, of: "http:// or https:// URLs", "the parser service",
            parse: { text throws(BadSetting) in try HTTPEndpoint(text) }, show: { $0.shown }),
        .list(
            "ML_SERVICE_URL", \.mlServiceURLs, of: "http:// or https:// URLs", "the ML service",
            parse: { text throws(BadSetting) in try HTTPEndpoint(text) }, show: { $0.shown }),
        .list(
            "PROXIES", \.proxies, of: "socks5://[user:password@]host:port", secrecy: .password, "the SOCKS5 pool",
            parse: { text throws(BadSetting) in try SOCKSEndpoint(text) }, show: { $0.shown }),
        .value(
            "PROXY_SERVICE_URL", \.proxyServiceURL, allowed: "an http:// or https:// URL", "a tor-socks-proxy service",
            parse: { text throws(BadSetting) in try HTTPEndpoint(text) }, show: { $0?.shown }),
        .list(
            "CORS_ORIGINS", \.corsOrigins, of: "origins such as https://example.com, or *",
            "origins that browsers may call from",
            parse: { text throws(BadSetting) in
                if text == "*" { return text }
                let origin = try HTTPEndpoint(text)
                guard origin.path.isEmpty, !text.hasSuffix("/") else { throw BadSetting("an origin has no path") }
                return text
            }, show: { $0 }),
        .seconds(
            "UPSTREAM_TIMEOUT_SECONDS", \.upstreamTimeoutMs, ms: 1...hourMs, "longest wait for an upstream's answer"),
        .integer("BREAKER_FAILURES", \.breakerFailures, 1...10_000, "failures in a row that open a circuit"),
        .seconds(
            "BREAKER_OPEN_SECONDS", \.breakerOpenMs, ms: 1...hourMs, "how long a circuit stays open before a probe"),
        .bytes("CACHE_BYTES_MAX", \.cacheBytesMax, 0...1 << 40, "cached answers in Redis, all together"),
    ]

    private static let files: [Setting] = [
        .file("ROUTES_FILE", \.routesFile, "route table (YAML) in place of the built-in one"),
        .file("TIERS_FILE", \.tiersFile, "quotas and rates by tier (YAML) over the built-in ones"),
        .file(
            "UPSTREAM_CA_FILE", \.upstreamCAFile,
            "certificate authorities (PEM) for https upstreams, the key set and rediss; the system's"),
        .file("TLS_CERT_FILE", \.tlsCertFile, "certificate chain (PEM); makes TCP listeners HTTPS"),
        .file("TLS_KEY_FILE", \.tlsKeyFile, "its key (PEM, no passphrase)"),
        .file(
            "TLS_CLIENT_CA_FILE", \.tlsClientCAFile, "authorities of client certificates (PEM); workers need one then"),
    ]

    private static let logs: [Setting] = [
        .choice("LOG_LEVEL", \.logLevel, "least level that is written"),
        .choice("LOG_FORMAT", \.logFormat, "text is for a terminal"),
        .value(
            "ACCESS_LOG", \.accessLog, allowed: AccessLog.allowed, "which requests are written at level info",
            parse: { text throws(BadSetting) in try AccessLog(text) }, show: { $0.shown }),
        .value(
            "OTLP_ENDPOINT", \.otlpEndpoint, allowed: "an http:// or https:// URL",
            "OpenTelemetry collector for spans, sent to its /v1/traces; none where it is not set",
            parse: { text throws(BadSetting) in try HTTPEndpoint(text) }, show: { $0?.shown }),
        .value(
            "OTLP_SAMPLE", \.otlpSample, allowed: "a number from 0 to 1",
            "share of the traces begun here that is kept; a caller's own choice is followed",
            parse: { text throws(BadSetting) in
                guard let share = Double(text), share.isFinite else { throw BadSetting("not a number") }
                guard (0...1).contains(share) else { throw BadSetting("out of range") }
                return share
            }, show: { $0 == 0 || $0 == 1 ? "\(Int($0))" : "\($0)" }),
    ]

    private static let leases: [Setting] = [
        .seconds("LEASE_SECONDS", \.leaseMs, ms: 1...7 * dayMs, "silence after which a worker's tasks are given again"),
        .seconds(
            "DELIVERY_SECONDS", \.deliveryMs, ms: 1...7 * dayMs,
            "the same until it is first heard from after a delivery"),
        .seconds("TASK_TIMEOUT_SECONDS", \.taskTimeoutMs, ms: 1...30 * dayMs, "longest time a task may be out"),
        .seconds("REAPER_INTERVAL_SECONDS", \.reaperIntervalMs, ms: 10...hourMs, "between two looks for overdue tasks"),
        .integer("MAX_RETRIES", \.maxRetries, 0...100, "retries of a failed task"),
        .seconds("RETRY_BASE_SECONDS", \.retryBaseMs, ms: 0...dayMs, "delay of the first retry, doubled each time"),
    ]

    private static let rates: [Setting] = [
        .integer(
            "WORKER_RATE_PER_MINUTE", \.workerRatePerMinute, 0...600_000,
            "requests a minute of one worker id; 0 is no limit"),
        .integer("WORKER_RATE_BURST", \.workerRateBurst, 1...100_000, "requests it may make at once"),
        .choice(
            "RATE_LIMIT_ON_REDIS_LOSS", \.rateLimitOnRedisLoss,
            "rates of callers without Redis: each gateway by itself, 503, or none"),
    ]

    private static let limits: [Setting] = [
        .bytes("BODY_BYTES_MAX", \.bodyBytesMax, 1...1 << 30, "largest request body"),
        .bytes("RAW_FILE_BYTES_MAX", \.rawFileBytesMax, 1...1 << 40, "largest raw file"),
        .bytes("HEADER_BYTES_MAX", \.headerBytesMax, 256...1 << 20, "largest header block"),
        .integer("HEADER_COUNT_MAX", \.headerCountMax, 1...1000, "most header lines"),
        .bytes("URI_BYTES_MAX", \.uriBytesMax, 64...1 << 20, "longest request target"),
        .seconds("HEADER_TIMEOUT_SECONDS", \.headerTimeoutMs, ms: 1...hourMs, "time for the headers to arrive"),
        .bytes("BODY_RATE_BYTES_MIN", \.bodyRateBytesMin, 0...1 << 30, "slowest body, bytes a second; 0 is no limit"),
        .seconds("BODY_GRACE_SECONDS", \.bodyGraceMs, ms: 0...hourMs, "before a body's rate is looked at"),
        .seconds("IDLE_TIMEOUT_SECONDS", \.idleTimeoutMs, ms: 1...dayMs, "longest silence of a kept-alive connection"),
        .integer(
            "PIPELINE_MAX", \.pipelineMax, 1...100_000, "requests in flight on one connection before reading stops"),
        .integer("CONNECTIONS_MAX", \.connectionsMax, 1...10_000_000, "connections of the process"),
        .integer(
            "CONNECTIONS_PER_ADDRESS_MAX", \.connectionsPerAddressMax, 1...10_000_000,
            "connections of one client address"),
        .seconds("DRAIN_SECONDS", \.drainMs, ms: 0...dayMs, "time for requests in flight to finish after SIGTERM"),
        .seconds(
            "DRAIN_DELAY_SECONDS", \.drainDelayMs, ms: 0...hourMs,
            "between readiness turning 503 and accepting stopping"),
    ]
}

extension Surfaces {
    static let allowedList = "a comma-separated list of all, worker, parcel, party, public, ops"

    init(list text: String) throws(BadSetting) {
        self = []
        for name in commaSeparated(text) {
            guard let surfaces = Surfaces.names.first(where: { $0.name == name })?.surfaces else {
                throw BadSetting("\"\(name)\" is no surface")
            }
            formUnion(surfaces)
        }
    }

    /// As it would be written; nil for none. The widest names first.
    var shown: String? {
        var rest = self
        var words: [String] = []
        for (name, part) in Surfaces.names where rest.isSuperset(of: part) {
            words.append(name)
            rest.subtract(part)
        }
        return words.isEmpty ? nil : words.joined(separator: ",")
    }
}

extension ListenerSetting {
    /// As it would be written.
    var shown: String {
        let target =
            switch address {
            case .tcp(let host, let port): "\(bracketed(host)):\(port)"
            case .unix(let path): path
            }
        // The widest names first, so that a surface made of two kinds is written as one word.
        var rest = surfaces
        var entries: [String] = []
        for (name, part) in Surfaces.names where rest.isSuperset(of: part) {
            entries.append("\(name)=\(target)\(isPlain ? "+plain" : "")")
            rest.subtract(part)
        }
        return entries.joined(separator: ",")
    }
}
