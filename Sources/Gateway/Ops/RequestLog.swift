// Which answers are written to the log, and as what. Owned by its reactor; a request that is not written costs a
// comparison. Source: operations.md section 2.

import Logging
import Reactor

struct RequestLog {
    private let rule: AccessLog
    private let logger = Logger(label: "gateway.request")
    private var sequence: UInt64 = 0
    private let logsAll: Bool

    init(_ configuration: GatewayConfiguration) {
        rule = configuration.accessLog
        logsAll = logger.logLevel <= .debug
    }

    /// - Parameter callers: by exchange: the worker that a token let in, or the user that a credential named.
    mutating func record(_ exchange: borrowing AnsweredExchange, _ routes: RouteTable, by callers: ShortTexts) {
        sequence &+= 1
        let route = Int(exchange.note.route)
        // A pull that waits is not slow.
        let mayWait = route < routes.rules.count && routes.rules[route].operation == .work
        let latencyMs = mayWait ? 0 : Int(exchange.duration.nanoseconds / 1_000_000)
        let isNoteworthy = rule.includes(status: exchange.status, latencyMs: latencyMs, sequence: sequence)
        guard isNoteworthy || logsAll else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(exchange.requestID.description)", "method": "\(exchange.method.name)",
            "path": "\(Self.withoutQuery(exchange.target))", "status": .stringConvertible(exchange.status),
            "latency_ms": .stringConvertible(Double(exchange.duration.nanoseconds / 1000) / 1000),
            "ip": "\(exchange.peer.description)", "bytes": .stringConvertible(exchange.bodyBytes),
        ]
        if route < routes.routes.count { describe(exchange, routes.routes[route], callers, &metadata) }
        logger.log(level: isNoteworthy ? .info : .debug, "request", metadata: metadata)
    }

    private func describe(
        _ exchange: borrowing AnsweredExchange, _ route: Route, _ callers: ShortTexts, _ metadata: inout Logger.Metadata
    ) {
        metadata["route"] = "\(route.pattern)"
        let caller = callers.text(exchange.id.index)
        switch route.access {
        case .open, .ops: break
        case .worker:
            if !caller.isEmpty { metadata["worker_id"] = "\(caller)" }
        case .caller:
            if !caller.isEmpty { metadata["user"] = "\(caller)" }
            metadata["tier"] = "\(Tier(rawValue: exchange.note.tier)?.name ?? "")"
            if let source = CacheOutcome.Source(rawValue: exchange.note.detail) { metadata["cache"] = "\(source.name)" }
        }
    }

    /// A client that got no further than TLS. At `debug`: whoever can connect can have one written.
    func recordHandshake(_ error: SystemError, peer: PeerAddress) {
        logger.debug("no TLS connection", metadata: ["ip": "\(peer)", "reason": "\(error)"])
    }

    /// Queries may carry what is nobody's business.
    private static func withoutQuery(_ target: String) -> Substring { target.prefix { $0 != "?" } }
}
