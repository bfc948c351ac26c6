// What SIGHUP replaces: tokens, routes, tiers. A value, made on the signal's thread and sent to each reactor, which puts
// it in place of its own between two turns' work; no request reads half of it, and reading it costs a load.
// Source: operations.md section 1.

import Reactor

struct ReloadedTables: Sendable {
    var workerTokens: WorkerTokens
    var opsTokens: OpsTokens
    /// Of the SSR site; empty where there is none.
    var siteToken: SecretTable
    /// Sent to upstreams.
    var serviceToken: String?
    private(set) var publicRoutes: PublicRoutes
    /// By public route: header lines of its version's end.
    private(set) var sunsetLines: [String]
    private(set) var routes: RouteTable
    private(set) var routeMetrics: RouteMetrics
    var tiers: TierTable

    init(
        _ configuration: GatewayConfiguration, publicRoutes: PublicRoutes, routes: RouteTable, tiers: TierTable,
        routeMetrics: RouteMetrics
    ) {
        workerTokens = WorkerTokens(configuration.workerTokens)
        opsTokens = OpsTokens(configuration.opsTokens)
        siteToken = Self.table(configuration.ssrServiceToken)
        serviceToken = configuration.serviceToken
        self.publicRoutes = publicRoutes
        sunsetLines = publicRoutes.routes.map { publicRoutes.sunsetLines(of: $0) }
        self.routes = routes
        self.routeMetrics = routeMetrics
        self.tiers = tiers
    }

    mutating func takeTokens(_ configuration: GatewayConfiguration) {
        workerTokens = WorkerTokens(configuration.workerTokens)
        opsTokens = OpsTokens(configuration.opsTokens)
        siteToken = Self.table(configuration.ssrServiceToken)
        serviceToken = configuration.serviceToken
    }

    /// - Throws: where the table has no place for all that is new.
    mutating func takeRoutes(
        _ publicRoutes: PublicRoutes, hasPreflights: Bool, name: String
    ) throws(BadTableFile) {
        routes = try routes.replacing(publicRoutes, hasPreflights: hasPreflights, name: name)
        routeMetrics = routeMetrics.extended(to: routes, publicRoutes)
        sunsetLines = publicRoutes.routes.map { publicRoutes.sunsetLines(of: $0) }
        self.publicRoutes = publicRoutes
    }

    private static func table(_ token: String?) -> SecretTable { SecretTable(token.map { [Array($0.utf8)] } ?? []) }
}

/// The tables that one reactor goes by.
///
/// `@unchecked Sendable`: each reactor has one of its own, which its thread alone reads and replaces; the one that the
/// process was built with is never replaced.
final class LiveTables: @unchecked Sendable {
    // Unchecked: nothing that reads the tables can replace them, and a check would cost every request.
    @exclusivity(unchecked) private var held: ReloadedTables

    init(_ tables: ReloadedTables) { unsafe held = tables }

    var tables: ReloadedTables {
        @inline(__always) _read { yield unsafe held }
    }

    func replace(by tables: ReloadedTables) { unsafe held = tables }
}

// Read in place: a copy would count references that all reactors share.
extension SharedState {
    var routes: RouteTable {
        @inline(__always) _read { yield live.tables.routes }
    }
    var publicRoutes: PublicRoutes {
        @inline(__always) _read { yield live.tables.publicRoutes }
    }
    var workerTokens: WorkerTokens {
        @inline(__always) _read { yield live.tables.workerTokens }
    }
    var opsTokens: OpsTokens {
        @inline(__always) _read { yield live.tables.opsTokens }
    }
    var siteToken: SecretTable {
        @inline(__always) _read { yield live.tables.siteToken }
    }
    var tiers: TierTable {
        @inline(__always) _read { yield live.tables.tiers }
    }
}
