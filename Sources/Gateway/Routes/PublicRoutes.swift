// The public surface as data: routes to upstream services and versions of the API. Immutable, made once at start,
// shared by all reactors. Limits: `routesMax` routes, `versionsMax` versions; of each route `timeoutMsMax`, `retriesMax`.
// Source: the HTTP contract, section 3.

import Reactor

/// An upstream service that routes name.
enum ServiceName: String, CaseIterable, Sendable { case parser, ml }

/// One route to an upstream.
struct PublicRoute: Sendable {
    static let timeoutMsMax = 3_600_000
    static let cacheMsMax = 30 * 86_400_000
    static let retriesMax = 3

    var method: HTTPMethod
    /// With parameters in braces: the label of its metrics.
    var pattern: String
    var service: ServiceName
    var target: PathTemplate
    /// nil: no quota counts it.
    var feature: Feature?
    /// 0: not cached.
    var cacheMs = 0
    /// nil: the process's default.
    var timeoutMs: Int?
    var retries = 1
    /// The path whose cached answers a success drops.
    var drops: PathTemplate?

    /// The first segment: which version of the API it belongs to.
    var version: Substring { pattern.dropFirst().prefix { $0 != "/" } }
}

/// One version of the API, as `GET /versions` lists it.
struct APIVersion: Equatable, Sendable {
    enum Status: String, CaseIterable, Sendable { case current, supported, deprecated }

    var name: String
    var status: Status
    /// Seconds since the Unix epoch after which it is gone: its answers carry `Sunset` (RFC 8594).
    var sunsetSeconds: Int?
}

struct PublicRoutes: Sendable {
    static let routesMax = 256
    static let versionsMax = 16

    var routes: [PublicRoute]
    var versions: [APIVersion]

    /// The table that is part of the binary.
    static let builtIn: PublicRoutes = {
        let text = String(decoding: PackageResources.routes_yaml, as: UTF8.self)
        do {
            return try RouteFile.read(text, name: "the built-in routes")
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    /// The table of a file, or the built-in one.
    static func load(_ path: String?) throws(BadTableFile) -> PublicRoutes {
        guard let path else { return builtIn }
        return try RouteFile.read(BadTableFile.text(at: path), name: path)
    }

    /// Header lines that tell of the end of a route's version; empty while there is none in sight.
    func sunsetLines(of route: PublicRoute) -> String {
        guard let version = versions.first(where: { $0.name == route.version }), let end = version.sunsetSeconds else {
            return ""
        }
        var date = HTTPDate()
        var text = ByteBuffer(capacity: 64)
        date.append(unixSeconds: end, to: &text)
        return "Sunset: \(text.bytes.string)\r\n"
    }

    /// The body of `GET /versions`.
    func writeVersions(to out: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&out)
        json.key("versions", &out)
        json.openArray(&out)
        for version in versions {
            json.openObject(&out)
            json.key("version", &out)
            json.string(text: version.name, &out)
            json.key("status", &out)
            json.string(text: version.status.rawValue, &out)
            if let end = version.sunsetSeconds {
                json.key("sunset", &out)
                json.timestamp(Timestamp(microsSinceEpoch: Int64(end) * 1_000_000), &out)
            }
            json.closeObject(&out)
        }
        json.closeArray(&out)
        json.closeObject(&out)
    }
}
