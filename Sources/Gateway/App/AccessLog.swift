// Which requests are written to the log: the rule of GATEWAY_ACCESS_LOG.
// A plain value that every reactor holds; deciding costs a comparison and allocates nothing.
// Source: operations.md section 2 (errors and slow requests at info; a line a heartbeat is a denial of service).

enum AccessLog: Equatable, Sendable {
    case all
    case errors
    /// Errors and slow requests, and one in `every` of the others.
    case sample(every: Int)

    /// A request that takes longer counts as an error does.
    static let slowMs = 500
    static let sampleMax = 1_000_000_000
    static let allowed = "all, errors, or sample:N with N from 1 to \(sampleMax)"

    init(_ text: String) throws(BadSetting) {
        switch text {
        case "all": self = .all
        case "errors": self = .errors
        default:
            guard text.hasPrefix("sample:") else { throw BadSetting("not a choice") }
            guard let every = Int(text.dropFirst("sample:".count)), (1...Self.sampleMax).contains(every) else {
                throw BadSetting("N is out of range")
            }
            self = .sample(every: every)
        }
    }

    var shown: String {
        switch self {
        case .all: "all"
        case .errors: "errors"
        case .sample(let every): "sample:\(every)"
        }
    }

    /// - Parameter sequence: the number of the request on its reactor.
    func includes(status: Int, latencyMs: Int, sequence: UInt64) -> Bool {
        if status >= 500 || latencyMs > Self.slowMs { return true }
        switch self {
        case .all: return true
        case .errors: return false
        case .sample(let every): return sequence % UInt64(every) == 0
        }
    }
}
