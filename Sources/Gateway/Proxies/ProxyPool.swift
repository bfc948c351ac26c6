// Lends SOCKS5 proxies: which worker has which for which platform, who is banned where. All state is in Redis, shared by
// all gateways; this asks its scripts. Owned by a reactor. Limits: the scripts' (1,024 proxies a pool).
//
// A proxy stays with its worker and platform until rotated, banned or expired; a new one is the least used of those that
// are not banned there. A rotated proxy cools down on that platform before anyone gets it again.

import Reactor

/// Makes proxies on demand, where the pool is not a list.
protocol ProxySource: Sendable {
    func create(platform: String) async throws(Problem) -> ProxyAddress
    func rotate(port: Int, platform: String, reason: String) async throws(Problem) -> ProxyAddress
}

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class ProxyPool: @unchecked Sendable {
    /// How long a proxy is lent.
    static let lentMs = 3_600_000
    /// How long a rotated proxy is kept from the platform it was rotated on.
    static let coolDownMs = 300_000
    /// How long a proxy is banned that a worker was blocked with, or bans without saying how long.
    static let banMinutes = 60
    static let banMinutesMax = 60 * 24 * 30

    private let redis: RedisClient
    private let scripts: QueueScripts
    private let leaseMs: Int
    private let configured: [ProxyAddress: SOCKSEndpoint]
    private let source: (any ProxySource)?

    init(redis: RedisClient, shared: SharedState, source: (any ProxySource)?) {
        self.redis = redis
        scripts = shared.scripts
        leaseMs = shared.configuration.leaseMs
        self.source = source
        // Where a service makes them, the list counts for nothing.
        let listed = source == nil ? shared.configuration.proxies : []
        configured = Dictionary(
            listed.map { (ProxyAddress(host: $0.host, port: $0.port), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The worker's proxy for a platform: the one it has, or another.
    func take(_ kind: WorkKind, worker: String, platform: String) async throws(Problem) -> ProxyInfo {
        if let source {
            if let kept = try await take(kind, worker, platform, from: "kept") { return kept }
            let made = try await source.create(platform: platform)
            if let proxy = try await take(kind, worker, platform, from: made.text) { return proxy }
            // The service does not know whom we banned where.
            return try await adopt(
                try await source.rotate(port: made.port, platform: platform, reason: "banned"), kind, worker, platform)
        }
        guard !configured.isEmpty else { throw Self.noneConfigured }
        if let proxy = try await take(kind, worker, platform, from: "pool") { return proxy }
        // Redis may be new, or the list changed: make the pool what is configured, and look once more.
        try await synchronise(kind)
        if let proxy = try await take(kind, worker, platform, from: "pool") { return proxy }
        throw .unavailable("every proxy is banned for \(platform)", retryAfterSeconds: Self.coolDownMs / 1000)
    }

    /// Puts another proxy in place of the one at `port`, which cools down.
    func rotate(
        _ kind: WorkKind, worker: String, platform: String, port: Int, reason: String
    ) async throws(Problem) -> ProxyInfo {
        // A service may give the same port a new circuit: whether it cools down depends on what it says.
        let coolDownMs = source == nil ? Self.coolDownMs : 0
        guard try await drop(kind, worker, platform, port: port, forMs: coolDownMs) != nil else {
            throw .notFound("no proxy has the port \(port)")
        }
        guard let source else { return try await take(kind, worker: worker, platform: platform) }
        let made = try await source.rotate(port: port, platform: platform, reason: reason)
        if made.port != port {
            _ = try await drop(kind, worker, platform, port: port, forMs: Self.coolDownMs)
        }
        return try await adopt(made, kind, worker, platform)
    }

    /// Bans the proxy at `port`, with which the platform blocked the worker, and lends another.
    /// - Returns: nil where no proxy has that port, or the pool has no other for the platform.
    func replaceBlocked(
        _ kind: WorkKind, worker: String, platform: String, port: Int
    ) async throws(Problem) -> ProxyInfo? {
        guard
            try await drop(kind, worker, platform, port: port, forMs: Self.banMinutes * 60_000) != nil
        else { return nil }
        guard let source else { return try await take(kind, worker, platform, from: "pool") }
        let made = try await source.rotate(port: port, platform: platform, reason: "blocked")
        return try await take(kind, worker, platform, from: made.text)
    }

    /// Keeps the proxy at `port` from a platform.
    /// - Returns: until when, milliseconds since the Unix epoch; nil where no proxy has that port.
    func ban(
        _ kind: WorkKind, worker: String, platform: String, port: Int, minutes: Int
    ) async throws(Problem) -> Int? {
        try await drop(kind, worker, platform, port: port, forMs: minutes * 60_000)
    }

    private static var noneConfigured: Problem {
        .unavailable("no proxies are configured: GATEWAY_PROXIES or GATEWAY_PROXY_SERVICE_URL", retryAfterSeconds: 60)
    }

    // MARK: Scripts

    private func call(
        _ script: QueueScript, _ kind: WorkKind, _ arguments: [RedisArgument]
    ) async throws(Problem) -> RedisValue {
        do {
            return try await redis.call(
                scripts[script], keys: [.string(kind.queueKeys.prefix)], arguments: [""] + arguments)
        } catch {
            throw Problem(error)
        }
    }

    private func synchronise(_ kind: WorkKind) async throws(Problem) {
        _ = try await call(.proxyPool, kind, configured.keys.map { .string($0.text) })
    }

    private func take(
        _ kind: WorkKind, _ worker: String, _ platform: String, from origin: String
    ) async throws(Problem) -> ProxyInfo? {
        let reply = try await call(
            .proxyTake, kind,
            [.string(worker), .string(platform), .integer(Self.lentMs), .integer(leaseMs), .string(origin)])
        guard let parts = reply.elements, parts.count == 2, let text = parts[0].text, let expires = parts[1].number
        else { throw .internalError }
        guard let address = ProxyAddress(text) else { return nil }
        let login = configured[address]
        return ProxyInfo(address: address, user: login?.user, password: login?.password, expiresMs: expires)
    }

    private func adopt(
        _ made: ProxyAddress, _ kind: WorkKind, _ worker: String, _ platform: String
    ) async throws(Problem) -> ProxyInfo {
        guard let proxy = try await take(kind, worker, platform, from: made.text) else {
            throw .unavailable("the proxy service offers a proxy that is banned for \(platform)")
        }
        return proxy
    }

    /// Takes the proxy at `port` from a worker, and keeps it from the platform for `forMs`.
    /// - Returns: until when; nil where no proxy has that port.
    private func drop(
        _ kind: WorkKind, _ worker: String, _ platform: String, port: Int, forMs: Int
    ) async throws(Problem) -> Int? {
        if let until = try await dropKnown(kind, worker, platform, port: port, forMs: forMs) { return until }
        // Redis may be new: a configured proxy can be named before anyone has asked for one.
        guard configured.keys.contains(where: { $0.port == port }) else { return nil }
        try await synchronise(kind)
        return try await dropKnown(kind, worker, platform, port: port, forMs: forMs)
    }

    private func dropKnown(
        _ kind: WorkKind, _ worker: String, _ platform: String, port: Int, forMs: Int
    ) async throws(Problem) -> Int? {
        let reply = try await call(
            .proxyDrop, kind, [.string(worker), .string(platform), .integer(port), .integer(forMs)])
        guard let parts = reply.elements, parts.count == 2, let text = parts[0].text, let until = parts[1].number
        else { throw .internalError }
        return text.isEmpty ? nil : until
    }
}
