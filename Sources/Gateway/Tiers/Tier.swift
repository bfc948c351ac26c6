// Tiers and features of the public surface by name. Plain data. Source: the HTTP contract, section 3.

/// What a caller has paid for. The raw value is the `tier` of a public request's note.
enum Tier: UInt8, CaseIterable, Sendable {
    case anonymous, free, starter, premium, enterprise, `internal`, worker

    /// As claims, table rows, files and labels spell it.
    var name: String {
        switch self {
        case .anonymous: "anonymous"
        case .free: "free"
        case .starter: "starter"
        case .premium: "premium"
        case .enterprise: "enterprise"
        case .internal: "internal"
        case .worker: "worker"
        }
    }

    init?(name: some StringProtocol) {
        guard let tier = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = tier
    }
}

/// What quotas count.
enum Feature: UInt8, CaseIterable, Sendable {
    case search, details, predictions, topLists, bulkExport, onDemandScrape

    var name: String {
        switch self {
        case .search: "search"
        case .details: "details"
        case .predictions: "predictions"
        case .topLists: "top_lists"
        case .bulkExport: "bulk_export"
        case .onDemandScrape: "on_demand_scrape"
        }
    }

    init?(name: some StringProtocol) {
        guard let feature = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = feature
    }
}
