// A route table that replaces another: what stays keeps its index, what is gone is found no more.

import Reactor
import Testing

@testable import Gateway

@Suite struct RouteTableTests {
    private func routes(_ patterns: [String]) throws -> PublicRoutes {
        let lines = patterns.map { "  - {match: \"\($0)\", service: parser, path: \"/x\"}" }
        return try RouteFile.read("routes:\n" + lines.joined(separator: "\n"), name: "r.yaml")
    }

    private func index(_ table: RouteTable, _ method: HTTPMethod, _ path: String) -> Int? {
        let bytes = Array(path.utf8)
        guard case .found(let match) = table.find(method, bytes.span.bytes) else { return nil }
        return match.route
    }

    @Test func `a route that stays keeps its index, and its upstream is the new file's`() throws {
        let old = RouteTable(try routes(["GET /v1/a", "GET /v1/b/{x}"]), hasPreflights: true)
        let table = try routes(["POST /v1/c", "GET /v1/b/{x}"])
        let new = try old.replacing(table, hasPreflights: true, name: "r.yaml")
        let kept = try #require(index(new, .get, "/v1/b/1"))
        #expect(kept == index(old, .get, "/v1/b/1"))
        #expect(new.rules[kept].relay == 1)
        #expect(index(new, .get, "/v1/a") == nil)
        let added = try #require(index(new, .post, "/v1/c"))
        #expect(added >= old.routes.count)
        #expect(new.rules[added].relay == 0)
        #expect(new.preflightMethods[try #require(index(new, .options, "/v1/c"))] == "POST")
        for path in ["/health", "/versions", "/v1/usage", "/internal/work"] {
            #expect(index(new, .get, path) == index(old, .get, path))
        }
    }

    @Test func `a route that comes back has its old index`() throws {
        let start = RouteTable(try routes(["GET /v1/a"]))
        let without = try start.replacing(try routes(["GET /v1/b"]), hasPreflights: false, name: "r.yaml")
        let again = try without.replacing(try routes(["GET /v1/a"]), hasPreflights: false, name: "r.yaml")
        #expect(index(again, .get, "/v1/a") == index(start, .get, "/v1/a"))
        #expect(again.routes.count == start.routes.count + 1)
    }

    @Test func `more new routes than there is room for are refused`() throws {
        let start = RouteTable(try routes(["GET /v1/a"]))
        let full = try start.replacing(
            try routes((0..<RouteTable.newRoutesMax).map { "GET /v1/n\($0)" }), hasPreflights: false, name: "r.yaml")
        #expect(full.routes.count == start.routes.count + RouteTable.newRoutesMax)
        #expect(throws: BadTableFile.self) {
            try full.replacing(try routes(["GET /v1/one-more"]), hasPreflights: false, name: "r.yaml")
        }
    }

    @Test func `the series of a route go on over a new table, and a new one begins its own`() throws {
        let registry = MetricsRegistry()
        let before = try routes(["GET /v1/a"])
        let old = RouteTable(before)
        let metrics = RouteMetrics(registry, old, before)
        let shard = registry.makeShards(1, spareWords: RouteMetrics.spareWords)[0]
        let path = "{match: \"GET /v1/b\", service: parser, path: \"/x\", cache_seconds: 1}"
        let after = try RouteFile.read("routes: [\(path)]", name: "r.yaml")
        let new = try old.replacing(after, hasPreflights: false, name: "r.yaml")
        let extended = metrics.extended(to: new, after)
        extended.count(.hit, route: try #require(index(new, .get, "/v1/b")), on: shard)
        extended.count(.hit, route: try #require(index(old, .get, "/v1/a")), on: shard)
        var out = ByteBuffer()
        registry.write(to: &out)
        let lines = out.bytes.string.split(separator: "\n")
        #expect(lines.contains("gateway_cache_hits_total{route=\"/v1/b\"} 1"))
        #expect(!lines.contains { $0.hasPrefix("gateway_cache_hits_total{route=\"/v1/a\"") })
    }

    @Test func `the spare words hold all the routes that may come`() throws {
        let registry = MetricsRegistry()
        let before = try routes((0..<PublicRoutes.routesMax).map { "GET /v1/o\($0)" })
        let old = RouteTable(before)
        let metrics = RouteMetrics(registry, old, before)
        _ = registry.makeShards(1, spareWords: RouteMetrics.spareWords)
        func cached(_ prefix: String, _ count: Int) throws -> PublicRoutes {
            let lines = (0..<count).map {
                "  - {match: \"GET /v1/\(prefix)\($0)\", service: parser, path: \"/x\", cache_seconds: 1}"
            }
            return try RouteFile.read("routes:\n" + lines.joined(separator: "\n"), name: "r.yaml")
        }
        let same = try cached("o", PublicRoutes.routesMax)
        let second = try old.replacing(same, hasPreflights: false, name: "r.yaml")
        let new = try cached("n", RouteTable.newRoutesMax)
        let third = try second.replacing(new, hasPreflights: false, name: "r.yaml")
        _ = metrics.extended(to: second, same).extended(to: third, new)
    }
}
