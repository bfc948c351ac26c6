// The two kinds of work that live side by side. Plain data: the one place that knows their names and tables.

/// Separate queues, limits, tables and metrics; `/internal/X` is parcel's, `/internal/party/X` is party's.
enum WorkKind: UInt8, CaseIterable, Sendable {
    case parcel
    case party

    var name: String {
        switch self {
        case .parcel: "parcel"
        case .party: "party"
        }
    }

    /// What its results are keyed by.
    var resultKey: ResultKey {
        switch self {
        case .parcel: .parcel
        case .party: .party
        }
    }

    /// Table of its results.
    var resultTable: String {
        switch self {
        case .parcel: "parcel_results"
        case .party: "party_results"
        }
    }

    var queueKeys: QueueKeys { QueueKeys(kind: name, partition: 0) }
}
