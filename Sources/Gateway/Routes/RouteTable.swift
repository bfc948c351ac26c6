// Every endpoint of the gateway: method, path, who may call it, how its body is read. One table, built at start;
// routing, 405 answers and metric labels all follow from it. Source: the HTTP contract, sections 2 and 4.

import Reactor

/// What a route does; the pipeline's `handle` has one case for each.
enum Operation: Sendable {
    case health
    case ready
    case metrics
    // What the gateway tells of itself: Documents.
    case contractYAML
    case contractJSON
    case docsPage
    case docsStyle
    case docsScript
    case work
    case heartbeat
    case results
    case complete
    case fail
    case enqueue
    case rawFile
    case proxyCreate
    case proxyRotate
    case proxyBan
    // Operators: QueueOps.
    case queue
    case deadList
    case deadRequeue
    case deadDelete
    case workers
    case command
    case cancel
    case cacheDrop
    // The operators' page: OpsPage, OpsOverview.
    case page
    case pageFile
    case overview
    // The public surface: PublicSurface.
    case relay
    case usage
    case versions
    case preflight
}

/// Who may call a route.
enum Access: Sendable {
    case open
    /// A worker token, and a worker id that the token covers; counted by the worker's rate.
    case worker
    /// An ops token.
    case ops
    /// Whoever the public surface's gate lets in.
    case caller
}

struct Route: Sendable {
    enum Body: Sendable {
        case none
        case buffered
        /// Read while it arrives; the route has a bound of its own.
        case streamed
        /// Collected whatever it is, for an upstream to read.
        case relayed
    }

    var method: HTTPMethod
    /// With parameters in braces; the label of its metrics.
    var pattern: String
    var operation: Operation
    var access: Access
    var body: Body
    /// Listeners that serve it.
    var surfaces: Surfaces
    /// nil: the listener's own kind, parcel where it serves both or none.
    var kind: WorkKind?
    /// Index into the public routes, of a relay; -1 for all others.
    var relay: Int16 = -1
}

/// What the pipeline needs of a route for every request: plain data, since a copy of the pattern costs a retain.
struct RouteRule: Sendable {
    var operation: Operation
    var access: Access
    var body: Route.Body
    var surfaces: Surfaces
    var kind: WorkKind?
    var relay: Int16
    /// Below `/internal/`, which a client CA binds.
    var isInternal: Bool
    /// The level of overload from which on it is refused.
    var yieldsAt: UInt8

    init(_ route: Route) {
        operation = route.operation
        access = route.access
        body = route.body
        surfaces = route.surfaces
        kind = route.kind
        relay = route.relay
        isInternal = route.pattern.hasPrefix("/internal/")
        yieldsAt = route.operation.yieldsAt
    }

    /// The kind that a request on a listener is about.
    func kind(on surfaces: Surfaces) -> WorkKind {
        kind ?? (surfaces.contains(.party) && !surfaces.contains(.parcel) ? .party : .parcel)
    }
}

/// A class: requests read it where it lies, and a copy would count its references.
final class RouteTable: Sendable {
    /// Routes that reading a file again may add to a process. Whatever it takes away keeps its place.
    static let newRoutesMax = 64

    let routes: [Route]
    /// By the same index.
    let rules: [RouteRule]
    /// The first route of the operators' page: they stand before the public ones.
    let firstPage: UInt16
    /// The first route of the public surface: they stand behind all others.
    let firstPublic: UInt16
    /// Methods of a preflight's path, by its route.
    let preflightMethods: [Int: String]
    /// How many the process started with.
    private let startCount: Int
    private let trie: RouteTrie

    /// - Parameter hasPreflights: OPTIONS is answered on public paths.
    init(_ publicRoutes: PublicRoutes = .builtIn, hasPreflights: Bool = false) {
        var routes = [
            Self.open("/health", .health, .all), Self.open("/health/ready", .ready, .all),
            Self.open("/metrics", .metrics, .ops),
            Self.open("/openapi.yaml", .contractYAML, .ops), Self.open("/openapi.json", .contractJSON, .ops),
            Self.open("/docs", .docsPage, .ops), Self.open("/docs/docs.css", .docsStyle, .ops),
            Self.open("/docs/docs.js", .docsScript, .ops),
        ]
        for (prefix, kind, surfaces) in [
            ("/internal", nil, Surfaces.worker), ("/internal/parcel", .parcel, .parcel),
            ("/internal/party", .party, .party),
        ] as [(String, WorkKind?, Surfaces)] {
            routes += Self.workRoutes.map { route in
                Route(
                    method: route.0, pattern: prefix + route.1, operation: route.2, access: route.3, body: route.4,
                    surfaces: route.3 == .ops ? surfaces.union(.ops) : surfaces, kind: kind)
            }
        }
        routes.append(
            Route(
                method: .delete, pattern: "/internal/cache", operation: .cacheDrop, access: .ops, body: .none,
                surfaces: [.worker, .ops], kind: nil))
        firstPage = UInt16(routes.count)
        routes += Self.pageRoutes()
        firstPublic = UInt16(routes.count)
        routes += Self.callerRoutes(publicRoutes)
        preflightMethods = hasPreflights ? Self.addPreflights(&routes, from: Int(firstPublic)) : [:]
        startCount = routes.count
        self.routes = routes
        rules = routes.map { RouteRule($0) }
        // A pull takes tasks, and the answer to HEAD could not hand them over.
        let pulls = Set(routes.indices.filter { routes[$0].operation == .work })
        trie = RouteTrie(routes.map { ($0.method, $0.pattern) }, withoutHead: pulls)
    }

    /// A table with other public routes, in which each route stays where it was: requests in flight carry its index, and
    /// metrics go by it. Routes that are gone are found no more.
    /// - Throws: where more than `newRoutesMax` have come since the start.
    func replacing(
        _ publicRoutes: PublicRoutes, hasPreflights: Bool, name: String
    ) throws(BadTableFile) -> RouteTable {
        var wanted = Self.callerRoutes(publicRoutes)
        let methods = hasPreflights ? Self.addPreflights(&wanted, from: 0) : [:]
        var routes = routes
        var places: [String: Int] = [:]
        for index in Int(firstPublic)..<routes.count {
            places[Self.name(routes[index])] = index
            routes[index].relay = -1
        }
        var live = Set(0..<Int(firstPublic))
        var preflights: [Int: String] = [:]
        for (index, route) in wanted.enumerated() {
            let place = places[Self.name(route)] ?? routes.count
            if place == routes.count { routes.append(route) }
            routes[place] = route
            live.insert(place)
            preflights[place] = methods[index]
        }
        guard routes.count <= startCount + Self.newRoutesMax else {
            let problem = "\(name): more than \(Self.newRoutesMax) routes are new since the start: they need a restart"
            throw BadTableFile(problems: [problem])
        }
        return RouteTable(routes, live: live, preflights, from: self)
    }

    private init(_ routes: [Route], live: Set<Int>, _ preflights: [Int: String], from old: RouteTable) {
        self.routes = routes
        rules = routes.map { RouteRule($0) }
        firstPage = old.firstPage
        firstPublic = old.firstPublic
        startCount = old.startCount
        preflightMethods = preflights
        let pulls = Set(routes.indices.filter { routes[$0].operation == .work })
        trie = RouteTrie(routes.map { ($0.method, $0.pattern) }, withoutHead: pulls, only: live)
    }

    private static func name(_ route: Route) -> String { "\(route.method.name) \(route.pattern)" }

    private static let workRoutes: [(HTTPMethod, String, Operation, Access, Route.Body)] = [
        (.get, "/work", .work, .worker, .none),
        (.post, "/heartbeat", .heartbeat, .worker, .buffered),
        (.post, "/results", .results, .worker, .buffered),
        (.post, "/tasks/{id}/complete", .complete, .worker, .buffered),
        (.post, "/tasks/{id}/fail", .fail, .worker, .buffered),
        (.post, "/tasks", .enqueue, .ops, .streamed),
        (.post, "/raw-files", .rawFile, .worker, .streamed),
        (.get, "/proxy/create", .proxyCreate, .worker, .none),
        (.post, "/proxy/{port}/rotate", .proxyRotate, .worker, .none),
        (.post, "/proxy/{port}/ban", .proxyBan, .worker, .none),
        (.delete, "/tasks/{id}", .cancel, .ops, .none),
        (.get, "/queue", .queue, .ops, .none),
        (.get, "/dlq", .deadList, .ops, .none),
        (.post, "/dlq/requeue", .deadRequeue, .ops, .buffered),
        (.delete, "/dlq", .deadDelete, .ops, .buffered),
        (.get, "/workers", .workers, .ops, .none),
        (.post, "/workers/{id}/commands", .command, .ops, .buffered),
    ]

    /// The operators' page: what it is made of is open, what it shows and does needs an ops token.
    private static func pageRoutes() -> [Route] {
        let shown = ["/dlq", "/dlq/requeue", "/workers", "/workers/{id}/commands"]
        let data = WorkKind.allCases.flatMap { kind in
            workRoutes.filter { shown.contains($0.1) }.map { route in
                Route(
                    method: route.0, pattern: "/ops/api/\(kind.name)\(route.1)", operation: route.2, access: route.3,
                    body: route.4, surfaces: .ops, kind: kind)
            }
        }
        var overview = open("/ops/api/overview", .overview, .ops)
        overview.access = .ops
        return [open("/ops", .page, .ops), open("/ops/{file}", .pageFile, .ops), overview] + data
    }

    private static func callerRoutes(_ table: PublicRoutes) -> [Route] {
        func route(_ method: HTTPMethod, _ pattern: String, _ operation: Operation, relay: Int16 = -1) -> Route {
            Route(
                method: method, pattern: pattern, operation: operation, access: .caller,
                body: operation == .relay ? .relayed : .none, surfaces: .public, kind: nil, relay: relay)
        }
        return [route(.get, "/versions", .versions), route(.get, "/v1/usage", .usage)]
            + table.routes.enumerated().map { route($1.method, $1.pattern, .relay, relay: Int16($0)) }
    }

    /// Adds OPTIONS to every path of the public surface.
    /// - Returns: the methods of each path, by the new route.
    private static func addPreflights(_ routes: inout [Route], from first: Int) -> [Int: String] {
        let paths = Dictionary(grouping: routes[first...]) { route in
            route.pattern.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : $0 }
        }
        var methods: [Int: String] = [:]
        for path in paths.values.sorted(by: { $0[0].pattern < $1[0].pattern }) {
            methods[routes.count] = path.map { "\($0.method.name)" }.joined(separator: ", ")
            var preflight = path[0]
            (preflight.method, preflight.operation, preflight.body) = (.options, .preflight, .none)
            routes.append(preflight)
        }
        return methods
    }

    private static func open(_ pattern: String, _ operation: Operation, _ surfaces: Surfaces) -> Route {
        Route(
            method: .get, pattern: pattern, operation: operation, access: .open, body: .none, surfaces: surfaces,
            kind: nil)
    }

    /// The kinds that a request of a route is about where it may be about several: all that its listener serves, or
    /// all where it serves workers of none.
    func kinds(of route: Int, on surfaces: Surfaces) -> [WorkKind] {
        if let kind = routes[route].kind { return [kind] }
        if surfaces.isDisjoint(with: .worker) { return WorkKind.allCases }
        return WorkKind.allCases.filter { surfaces.contains($0 == .parcel ? .parcel : .party) }
    }

    func find(_ method: HTTPMethod, _ path: RawSpan) -> RouteLookup { trie.find(method, path) }

    /// The kind that a request on a listener is about.
    func kind(of route: Int, on surfaces: Surfaces) -> WorkKind { rules[route].kind(on: surfaces) }
}
