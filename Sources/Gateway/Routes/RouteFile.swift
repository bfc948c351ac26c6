// Reads a route table from YAML. Every problem is found, each told with its line. Runs at start and in check-config.
// Limits: `PublicRoutes.routesMax`, `versionsMax`; the file's size is its reader's.

import Reactor
import Yams

struct RouteFile {
    /// First segments that the gateway itself answers.
    static let ownSegments: Set<Substring> = ["internal", "health", "metrics", "ops", "versions", "docs"]
    static let ownPaths = ["/v1/usage", "/openapi.yaml", "/openapi.json"]

    private var file: TableFile
    private var shapes: [String: Int] = [:]

    /// - Throws: all that is wrong.
    static func read(_ text: String, name: String) throws(BadTableFile) -> PublicRoutes {
        var reader = RouteFile(file: TableFile(name: name))
        let routes = reader.read(text)
        try reader.file.check()
        return routes
    }

    private init(file: TableFile) { self.file = file }

    private mutating func read(_ text: String) -> PublicRoutes {
        var table = PublicRoutes(routes: [], versions: [])
        guard let mapping = file.mapping(text, of: "routes") else { return table }
        for (key, value) in mapping {
            switch key.string {
            case "routes": readRoutes(value, into: &table)
            case "versions": readVersions(value, into: &table)
            default: file.complain(key, "\(TableFile.shown(key)): expected routes or versions")
            }
        }
        if table.versions.isEmpty { table.versions = [APIVersion(name: "v1", status: .current)] }
        if mapping["routes"] == nil { file.complain("routes is missing") }
        return table
    }

    /// The entries of a list of mappings.
    private mutating func entries(_ node: Node, _ what: String, max: Int) -> [(Node, Node.Mapping)] {
        guard case .sequence(let sequence) = node else {
            file.complain(node, "\(what): expected a list")
            return []
        }
        if sequence.count > max { file.complain(node, "\(what): more than \(max)") }
        var entries: [(Node, Node.Mapping)] = []
        for entry in sequence.prefix(max) {
            if case .mapping(let mapping) = entry {
                entries.append((entry, mapping))
            } else {
                file.complain(entry, "\(what): expected a mapping")
            }
        }
        return entries
    }

    // MARK: Routes

    private mutating func readRoutes(_ node: Node, into table: inout PublicRoutes) {
        for (entry, mapping) in entries(node, "routes", max: PublicRoutes.routesMax) {
            if let route = readRoute(entry, mapping) { table.routes.append(route) }
        }
    }

    private mutating func readRoute(_ entry: Node, _ mapping: Node.Mapping) -> PublicRoute? {
        let before = file.problems.count
        for (key, _) in mapping where !Self.routeKeys.contains(key.string ?? "") {
            let nearest = nearestName(to: key.string ?? "", among: Self.routeKeys)
            file.complain(key, "\(TableFile.shown(key)) is nothing that a route has; the nearest is \(nearest)")
        }
        guard let match = mapping["match"] else {
            file.complain(entry, "match is missing")
            return nil
        }
        guard let (method, pattern) = readMatch(match) else { return nil }
        let parameters = attempt(match, "match") { () throws(BadSetting) in try PathTemplate.parameters(of: pattern) }
        guard let parameters else { return nil }
        checkPattern(match, method, pattern)
        let service = word(mapping, entry, "service", ServiceName.init(rawValue:), Self.services)
        guard let path = mapping["path"] else {
            file.complain(entry, "path is missing")
            return nil
        }
        let target = template(path, "path", parameters)
        guard let service, let target else { return nil }
        var route = PublicRoute(method: method, pattern: pattern, service: service, target: target)
        if mapping["feature"] != nil {
            route.feature = word(mapping, entry, "feature", { Feature(name: $0) }, Self.features)
        }
        route.cacheMs = milliseconds(mapping["cache_seconds"], "cache_seconds", 0...PublicRoute.cacheMsMax) ?? 0
        if let cache = mapping["cache_seconds"], route.cacheMs > 0, method != .get {
            file.complain(cache, "cache_seconds: only GET is cached")
        }
        route.timeoutMs = milliseconds(mapping["timeout_seconds"], "timeout_seconds", 1...PublicRoute.timeoutMsMax)
        if let retries = mapping["retries"] {
            guard let count = retries.int, (0...PublicRoute.retriesMax).contains(count) else {
                file.complain(retries, "retries: expected a whole number from 0 to \(PublicRoute.retriesMax)")
                return nil
            }
            route.retries = count
        }
        if let drops = mapping["drops"] { route.drops = template(drops, "drops", parameters) }
        return file.problems.count == before ? route : nil
    }

    private static let routeKeys = [
        "match", "service", "path", "feature", "cache_seconds", "timeout_seconds", "retries", "drops",
    ]
    private static let services = ServiceName.allCases.map(\.rawValue)
    private static let features = Feature.allCases.map(\.name)
    static let methods: [HTTPMethod] = [.get, .post, .put, .patch, .delete]

    private mutating func readMatch(_ node: Node) -> (HTTPMethod, String)? {
        let parts = (node.string ?? "").split(separator: " ")
        guard parts.count == 2, let method = Self.methods.first(where: { "\($0.name)" == parts[0] }) else {
            let names = Self.methods.map { "\($0.name)" }.joined(separator: ", ")
            file.complain(node, "match: expected METHOD /path, the method one of \(names)")
            return nil
        }
        return (method, String(parts[1]))
    }

    private mutating func checkPattern(_ node: Node, _ method: HTTPMethod, _ pattern: String) {
        let segments = pattern.split(separator: "/")
        guard let first = segments.first, !first.hasPrefix("{") else {
            return file.complain(node, "match: a path begins with a segment that is no parameter")
        }
        if Self.ownSegments.contains(first) || Self.ownPaths.contains(pattern) {
            return file.complain(node, "match: \(pattern) is the gateway's own")
        }
        let shape = segments.map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
        let line = node.mark?.line ?? 0
        if let other = shapes.updateValue(line, forKey: "\(method.name) \(shape)") {
            file.complain(node, "match: the route of line \(other) has the same method and path")
        }
    }

    private mutating func template(_ node: Node, _ key: String, _ parameters: [String]) -> PathTemplate? {
        attempt(node, key) { () throws(BadSetting) in
            guard let text = node.string else { throw BadSetting("expected a path") }
            return try PathTemplate(text, parameters: parameters)
        }
    }

    private mutating func attempt<Value>(
        _ node: Node, _ key: String, _ body: () throws(BadSetting) -> Value
    ) -> Value? {
        do throws(BadSetting) {
            return try body()
        } catch {
            file.complain(node, "\(key): \(error.reason)")
            return nil
        }
    }

    private mutating func word<Value>(
        _ mapping: Node.Mapping, _ entry: Node, _ key: String, _ parse: (String) -> Value?, _ allowed: [String]
    ) -> Value? {
        guard let node = mapping[Node(key)] else {
            file.complain(entry, "\(key) is missing")
            return nil
        }
        if let value = node.string.flatMap(parse) { return value }
        file.complain(node, "\(key): \"\(TableFile.shown(node))\" is none of \(allowed.joined(separator: ", "))")
        return nil
    }

    private mutating func milliseconds(_ node: Node?, _ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let node else { return nil }
        if let seconds = node.float, seconds.isFinite, abs(seconds) < 1e9 {
            let ms = Int((seconds * 1000).rounded())
            if range.contains(ms) { return ms }
        }
        let bounds = "\(Setting.secondsText(range.lowerBound)) to \(Setting.secondsText(range.upperBound))"
        file.complain(node, "\(key): expected seconds from \(bounds)")
        return nil
    }

    // MARK: Versions

    private mutating func readVersions(_ node: Node, into table: inout PublicRoutes) {
        for (entry, mapping) in entries(node, "versions", max: PublicRoutes.versionsMax) {
            for (key, _) in mapping where !["version", "status", "sunset"].contains(key.string) {
                file.complain(key, "\(TableFile.shown(key)): a version has version, status and sunset")
            }
            let name = mapping["version"]?.string ?? ""
            guard !name.isEmpty, !name.contains("/"), !table.versions.contains(where: { $0.name == name }) else {
                file.complain(entry, "version: expected a path's first segment, each once")
                continue
            }
            let statuses = APIVersion.Status.allCases.map(\.rawValue)
            let status = word(mapping, entry, "status", APIVersion.Status.init(rawValue:), statuses)
            guard let status else { continue }
            var version = APIVersion(name: name, status: status)
            if let sunset = mapping["sunset"] {
                version.sunsetSeconds = Self.seconds(sunset.string ?? "")
                if version.sunsetSeconds == nil { file.complain(sunset, "sunset: expected a date, as 2027-06-30") }
            }
            table.versions.append(version)
        }
    }

    /// A date, which is its beginning in UTC, or a time of RFC 3339.
    private static func seconds(_ text: String) -> Int? {
        let full = Array((text.utf8.count == 10 ? text + "T00:00:00Z" : text).utf8)
        guard let time = Timestamp(full.rawBytes), time.microsSinceEpoch >= 0 else { return nil }
        return Int(time.microsSinceEpoch / 1_000_000)
    }
}
