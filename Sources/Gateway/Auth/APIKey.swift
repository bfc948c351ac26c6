// API keys: how one is made, and what its row in `api_keys` says. Pure. The key itself is nowhere but with its owner;
// the row has its SHA-256. Limits: `bytesMax` a key, `activeMax` a user. Source: the HTTP contract, section 3.

import Reactor

enum APIKey {
    static let bytesMax = 256
    /// Two, so that a client can change from one to the other without a pause.
    static let activeMax = 2
    /// What new keys begin with: a leaked one is found by it.
    static let mark = "tlk_"

    static func make() -> String { mark + TokenCommand.make() }

    /// Tiers that a row may give; of another name is free.
    static let tiers: [Tier] = [.free, .starter, .premium, .enterprise, .internal]

    /// Whether it could be one at all.
    static func isPlausible(_ key: RawSpan) -> Bool {
        guard (1...bytesMax).contains(key.byteCount) else { return false }
        for at in 0..<key.byteCount where key.byte(at: at) <= 0x20 || key.byte(at: at) >= 0x7F { return false }
        return true
    }
}

/// A row that was found.
struct APIKeyRow: Equatable, Sendable {
    var userID: String
    var tier: Tier
    var isActive: Bool
    /// Since the Unix epoch; nil: it does not end.
    var expiresSeconds: Int?

    /// The columns in the order they are asked for.
    static let columns = "user_id, tier, active, ceil(extract(epoch FROM expires_at))::bigint"

    init?(_ row: PostgresRow) {
        guard let user = row[0], let isActive = row.bool(2) else { return nil }
        userID = user
        let tier = row[1].flatMap { Tier(name: $0) } ?? .free
        self.tier = APIKey.tiers.contains(tier) ? tier : .free
        self.isActive = isActive
        expiresSeconds = row.int(3)
    }

    /// Whom the key speaks for, if it may be used now.
    func check(nowSeconds: Int) throws(BadToken) -> Caller {
        guard isActive else { throw BadToken("the API key was revoked") }
        if let expiresSeconds, expiresSeconds <= nowSeconds { throw BadToken("the API key has expired") }
        return Caller(userID: userID, tier: tier, credential: .apiKey, account: Caller.account(user: userID))
    }
}
