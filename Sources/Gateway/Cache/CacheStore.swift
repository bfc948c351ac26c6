// The cache in Redis, shared by all gateways: one script a question. Owned by its reactor; used by its tasks.
// Limits: `bytesMax` of all answers together (those that end soonest make room); a lock of `lockMs`, renewed while its
// holder asks the upstream; drops in steps of `dropMax` keys. Layout of the keys: Scripts/part_cache.lua.

import Reactor

/// One of the cache's scripts. Its KEYS, ARGV and reply stand at the head of its file.
enum CacheScript: String, CaseIterable, Sendable {
    case lookup, store, release, renew, drop

    var source: String {
        let parts = [PackageResources.part_clock_lua, PackageResources.part_cache_lua, bytes]
        return parts.map { String(decoding: $0, as: UTF8.self) }.joined()
    }

    private var bytes: [UInt8] {
        switch self {
        case .lookup: PackageResources.cache_lookup_lua
        case .store: PackageResources.cache_store_lua
        case .release: PackageResources.cache_release_lua
        case .renew: PackageResources.cache_renew_lua
        case .drop: PackageResources.cache_drop_lua
        }
    }
}

/// The scripts as Redis knows them: made once at start. Immutable; shared.
struct CacheScripts: Sendable {
    let all = CacheScript.allCases.map { RedisScript($0.source) }

    subscript(script: CacheScript) -> RedisScript {
        guard let index = CacheScript.allCases.firstIndex(of: script) else { preconditionFailure("a script unknown") }
        return all[index]
    }
}

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class CacheStore: @unchecked Sendable {
    /// With the number of the entries' layout.
    static let prefix = "gateway:{cache}:\(CachedAnswer.layout):"
    static let channel = prefix + "wake"
    static let lockMs = 5_000
    static let dropMax = 200

    /// What a look found.
    enum Found: Sendable {
        case fresh(CachedAnswer)
        /// `mayRefresh`: the lock is held now.
        case stale(CachedAnswer, mayRefresh: Bool)
        case varies([String])
        /// `mayFetch`: the lock is held now; else another holds it.
        case none(mayFetch: Bool)
    }

    /// What those who wait for a lock are told when it ends.
    enum Word: String, Sendable {
        case lookAgain = "S"
        case goByYourselves = "P"
    }

    private let redis: RedisClient
    private let scripts: CacheScripts
    private let bytesMax: Int
    /// Names this reactor of this process among all; locks get a number each.
    private let owner: String
    private var serial = 0

    init(redis: RedisClient, scripts: CacheScripts, bytesMax: Int, owner: String) {
        self.redis = redis
        self.scripts = scripts
        self.bytesMax = bytesMax
        self.owner = owner
    }

    func makeToken() -> String {
        serial += 1
        return "\(owner).\(serial)"
    }

    func lookup(_ key: CacheKey, token: String) async throws(RedisFailure) -> Found {
        let reply = try await call(.lookup, [.bytes(key.bytes), .string(token), .integer(Self.lockMs)])
        guard let parts = reply.elements, parts.count >= 2, let kind = parts[0].number else {
            return .none(mayFetch: true)
        }
        switch kind {
        case 1, 2:
            guard case .string(let bytes) = parts[1], let answer = CachedAnswer(encoded: bytes) else {
                // Nobody's layout: not kept again until it ends.
                return .none(mayFetch: true)
            }
            return kind == 1 ? .fresh(answer) : .stale(answer, mayRefresh: parts.count > 2 && parts[2].number == 1)
        case 3: return .varies((parts[1].text ?? "").split(separator: ",").map(String.init))
        default: return .none(mayFetch: parts[1].number == 1)
        }
    }

    /// - Parameters:
    ///   - locked: the key that the lock is on.
    ///   - base: the key without variant.
    /// - Returns: whether it is kept.
    func store(
        _ answer: CachedAnswer, as key: CacheKey, base: CacheKey, locked: CacheKey, token: String, nowMs: Int
    ) async throws(RedisFailure) -> Bool {
        let reply = try await call(
            .store,
            [
                .bytes(locked.bytes), .string(token), .bytes(key.bytes), .bytes(base.bytes),
                .string(answer.vary.joined(separator: ",")), .integer(answer.freshUntilMs),
                .integer(max(1, answer.staleUntilMs - nowMs)), .bytes(answer.encoded), .integer(bytesMax),
            ])
        return reply.number == 1
    }

    /// Ends a lock without an answer.
    /// - Parameters:
    ///   - keepMs: how much longer nobody else may ask.
    ///   - isGone: what is kept is forgotten.
    func release(
        _ key: CacheKey, token: String, keepMs: Int = 0, _ word: Word, isGone: Bool = false
    ) async throws(RedisFailure) {
        _ = try await call(
            .release,
            [.bytes(key.bytes), .string(token), .integer(keepMs), .string(word.rawValue), isGone ? "1" : "0"])
    }

    /// - Returns: false where the lock was lost.
    func renew(_ key: CacheKey, token: String) async throws(RedisFailure) -> Bool {
        try await call(.renew, [.bytes(key.bytes), .string(token), .integer(Self.lockMs)]).number == 1
    }

    /// Drops all answers whose key begins with `prefix`, every tier's.
    /// - Returns: how many.
    func drop(prefix: [UInt8]) async throws(RedisFailure) -> Int {
        try await drop(from: "[", prefix, to: "(", prefix + [0xFF])
    }

    /// Drops the answers of one path: whatever its query, tier and variant.
    func drop(path: [UInt8]) async throws(RedisFailure) -> Int {
        let plain = try await drop(from: "[", path + [CacheKey.separator], to: "(", path + [CacheKey.separator + 1])
        let question = UInt8(ascii: "?")
        return try await plain + drop(from: "[", path + [question], to: "(", path + [question + 1])
    }

    private func drop(
        from left: String, _ min: [UInt8], to right: String, _ max: [UInt8]
    ) async throws(RedisFailure) -> Int {
        var dropped = 0
        while true {
            let reply = try await call(
                .drop,
                [.bytes(Array(left.utf8) + min), .bytes(Array(right.utf8) + max), .integer(Self.dropMax)])
            guard let parts = reply.elements, parts.count == 2, let some = parts[0].number,
                let examined = parts[1].number
            else { throw .protocolViolation("the cache's drop") }
            dropped += some
            if examined < Self.dropMax { return dropped }
        }
    }

    /// Redis tells the time.
    private func call(_ script: CacheScript, _ arguments: [RedisArgument]) async throws(RedisFailure) -> RedisValue {
        try await redis.call(scripts[script], keys: [.string(Self.prefix)], arguments: [""] + arguments)
    }
}
