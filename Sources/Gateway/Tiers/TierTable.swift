// Rates and quotas by tier. Immutable, made once at start, shared by all reactors.
// Limits: `BucketRate.perMinuteMax` and `burstMax` of a rate, `quotaMax` of a quota. Source: the HTTP contract, section 3.

import Reactor

/// What a quota counts by, in UTC.
enum QuotaPeriod: String, CaseIterable, Sendable { case day, month }

/// How often a feature may be used in a period.
struct Quota: Equatable, Sendable {
    /// nil is unlimited.
    var limit: Int?
    var period: QuotaPeriod
}

struct TierRule: Equatable, Sendable {
    var perMinute: Int
    var burst: Int
    /// By feature.
    var quotas: [Quota]

    func quota(_ feature: Feature) -> Quota { quotas[Int(feature.rawValue)] }

    /// Whether nothing is limited at all.
    var isUnlimited: Bool { perMinute == 0 && quotas.allSatisfy { $0.limit == nil } }

    /// What bounds a caller exactly.
    var rate: BucketRate { BucketRate(perMinute: perMinute, burst: burst) }
}

struct TierTable: Equatable, Sendable {
    static let burstMax = 100_000
    static let quotaMax = 1_000_000_000
    /// Tiers that callers of the public surface may have. Workers have settings of their own.
    static let tiers: [Tier] = [.anonymous, .free, .starter, .premium, .enterprise, .internal]

    /// By tier, of those in `tiers`.
    private(set) var rules: [TierRule]

    /// Everything is unlimited: what files fill in.
    init() {
        let quotas = Feature.allCases.map { Quota(limit: nil, period: $0 == .predictions ? .month : .day) }
        rules = Self.tiers.map { _ in TierRule(perMinute: 0, burst: 1, quotas: quotas) }
    }

    subscript(tier: Tier) -> TierRule {
        get { rules[Self.position(tier)] }
        set { rules[Self.position(tier)] = newValue }
    }

    /// A worker that asks here is one of us.
    private static func position(_ tier: Tier) -> Int { min(Int(tier.rawValue), tiers.count - 1) }

    /// The table that is part of the binary.
    static let builtIn: TierTable = {
        let text = String(decoding: PackageResources.tiers_yaml, as: UTF8.self)
        do {
            return try TierFile.read(text, name: "the built-in tiers", over: TierTable())
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    /// The table of a file over the built-in one, or that alone.
    static func load(_ path: String?) throws(BadTableFile) -> TierTable {
        guard let path else { return builtIn }
        return try TierFile.read(BadTableFile.text(at: path), name: path, over: builtIn)
    }
}
