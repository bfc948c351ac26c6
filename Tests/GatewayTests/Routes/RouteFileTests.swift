// The route table as a file: what it can say, and how it is told what is wrong with it.

import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct RouteFileTests {
    private func problems(_ text: String) -> [String] {
        do {
            _ = try RouteFile.read(text, name: "routes.yaml")
            return []
        } catch {
            return error.problems
        }
    }

    @Test func `the built-in table is that of the contract`() {
        let shown = PublicRoutes.builtIn.routes.map { route in
            "\(route.method.name) \(route.pattern) \(route.service.rawValue) \(route.feature?.name ?? "") \(route.cacheMs / 1000)"
        }
        #expect(
            shown == [
                "GET /v1/properties parser details 3600", "GET /v1/properties/{parcel_id} parser details 3600",
                "POST /v1/properties/{parcel_id}/refresh parser on_demand_scrape 0",
                "GET /v1/search/address parser search 900", "GET /v1/search/owner parser search 900",
                "POST /v1/predictions/redemption ml predictions 0", "POST /v1/predictions/batch ml predictions 0",
                "GET /v1/top-lists/{strategy} ml top_lists 3600",
            ])
        #expect(PublicRoutes.builtIn.routes.allSatisfy { $0.retries == 1 && $0.timeoutMs == nil })
    }

    @Test func `a route has all that the file says`() throws {
        let table = try RouteFile.read(
            """
            routes:
              - {match: "GET /v1/a/{x}/b/{y}", service: ml, path: "/q/{y}/{x}", cache_seconds: 1.5, timeout_seconds: 0.25, retries: 3}
            """, name: "routes.yaml")
        let route = try #require(table.routes.first)
        #expect((route.cacheMs, route.timeoutMs, route.retries, route.feature) == (1500, 250, 3, nil))
        #expect(route.target.pieces == [.text("/q"), .text("/"), .parameter(1), .text("/"), .parameter(0)])
        #expect(table.versions == [APIVersion(name: "v1", status: .current)])
    }

    @Test(arguments: [
        ("{match: \"GET v1/a\", service: ml, path: /a}", "match: a path begins with /"),
        ("{match: \"FETCH /v1/a\", service: ml, path: /a}", "match: expected METHOD /path"),
        ("{match: \"GET /v1/a/\", service: ml, path: /a}", "match: a path has no empty segment"),
        ("{match: \"GET /v1/a{b}\", service: ml, path: /a}", "match: \"a{b}\" is no parameter"),
        ("{match: \"GET /v1/{a}/{a}\", service: ml, path: /a}", "match: {a} stands twice"),
        ("{match: \"GET /v1/{a}/{b}/{c}/{d}/{e}\", service: ml, path: /a}", "match: more than 4 parameters"),
        ("{match: \"GET /internal/work\", service: ml, path: /a}", "match: /internal/work is the gateway's own"),
        ("{match: \"GET /v1/usage\", service: ml, path: /a}", "match: /v1/usage is the gateway's own"),
        ("{match: \"GET /{a}\", service: ml, path: /a}", "match: a path begins with a segment that is no parameter"),
        ("{match: \"GET /v1/a\", service: mail, path: /a}", "service: \"mail\" is none of parser, ml"),
        ("{match: \"GET /v1/a\", path: /a}", "service is missing"),
        ("{match: \"GET /v1/a\", service: ml}", "path is missing"),
        ("{match: \"GET /v1/a\", service: ml, path: \"/a/{b}\"}", "path: {b} is no parameter of match"),
        ("{match: \"GET /v1/a\", service: ml, path: \"/a?b=c\"}", "path: a path holds"),
        ("{match: \"GET /v1/a\", service: ml, path: /a, feature: gold}", "feature: \"gold\" is none of search"),
        ("{match: \"GET /v1/a\", service: ml, path: /a, cache_seconds: long}", "cache_seconds: expected seconds"),
        ("{match: \"POST /v1/a\", service: ml, path: /a, cache_seconds: 5}", "cache_seconds: only GET is cached"),
        ("{match: \"GET /v1/a\", service: ml, path: /a, timeout_seconds: 0}", "timeout_seconds: expected seconds"),
        ("{match: \"GET /v1/a\", service: ml, path: /a, retries: 4}", "retries: expected a whole number from 0 to 3"),
        ("{match: \"GET /v1/a\", service: ml, path: /a, cache_secnds: 4}", "the nearest is cache_seconds"),
        ("just a word", "routes: expected a mapping"),
    ])
    func `what is wrong is told with its line`(_ route: String, _ problem: String) throws {
        let found = problems("routes:\n  - {match: \"GET /v1/x\", service: ml, path: /x}\n  - \(route)\n")
        let first = try #require(found.first)
        #expect(found.count == 1, "\(found)")
        #expect(first.hasPrefix("routes.yaml line 3: "), "\(first)")
        #expect(first.contains(problem), "\(first)")
    }

    @Test func `two routes of one method and shape are told with both lines`() {
        let found = problems(
            """
            routes:
              - {match: "GET /v1/a/{x}", service: ml, path: /a}
              - {match: "POST /v1/a/{x}", service: ml, path: /a}
              - {match: "GET /v1/a/{y}", service: ml, path: /a}
            """)
        #expect(found == ["routes.yaml line 4: match: the route of line 2 has the same method and path"])
    }

    @Test func `every problem is told, not the first one`() {
        let found = problems(
            "routes:\n  - {match: x, service: y}\n  - {match: \"GET /v1/a\", service: z, path: a}\nroute: 1\n")
        #expect(found.count == 4, "\(found)")
    }

    @Test(arguments: ["", "[]", "routes", "routes: 1", "{", "versions: []"])
    func `a file without routes is none`(_ text: String) {
        #expect(!problems(text).isEmpty)
    }

    @Test func `versions are named once, with a date`() {
        let found = problems(
            """
            versions:
              - {version: v1, status: current}
              - {version: v1, status: supported}
              - {version: v0, status: gone}
              - {version: v2, status: deprecated, sunset: soon}
            routes: []
            """)
        #expect(found.map { $0.prefix(19) } == ["routes.yaml line 3:", "routes.yaml line 4:", "routes.yaml line 5:"])
    }

    @Test func `check-config tells the file's problems and fails`() throws {
        let folder = try TemporaryFolder()
        try folder.write("routes:\n  - {match: \"GET /v1/a\", service: mail, path: /a}\n", to: "routes.yaml")
        let result = try GatewayProcess.run(
            ["check-config"], environment: ["GATEWAY_ROUTES_FILE": folder.path("routes.yaml")])
        #expect(!result.isSuccess)
        #expect(
            result.errors.contains("routes.yaml line 2: service: \"mail\" is none of parser, ml"), "\(result.errors)")
    }
}

@Suite struct PathTemplateTests {
    private func target(_ template: String, _ pattern: String, _ path: String, _ query: String = "") throws -> String {
        let names = try PathTemplate.parameters(of: pattern)
        let template = try PathTemplate(template, parameters: names)
        let trie = RouteTrie([(.get, pattern)])
        let (path, query) = (Array(path.utf8), Array(query.utf8))
        guard case .found(let match) = trie.find(.get, path.rawBytes) else { throw TestFailure("not found") }
        var out = ByteBuffer()
        template.writeTarget(path.rawBytes, match.parameters, query: query.rawBytes, to: &out)
        return out.bytes.string
    }

    @Test func `parameters and query are copied as they were sent`() throws {
        #expect(try target("/x/{b}/{a}", "/v1/{a}/{b}", "/v1/1%2F/%zz", "q=%20&&x") == "/x/%zz/1%2F?q=%20&&x")
        #expect(try target("/", "/v1/{a}", "/v1/1") == "/?a=1")
    }

    @Test func `what the path leaves out goes into the query, once`() throws {
        #expect(try target("/s", "/v1/{id}/refresh", "/v1/7/refresh", "id=8&x=1&i%64=9&id") == "/s?id=7&x=1")
    }
}
