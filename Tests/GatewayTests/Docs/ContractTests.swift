// Holds openapi.yaml to the code, both ways: routes and methods, credentials, statuses of each route, codes of refusals.
// Source: the HTTP contract, sections 1 to 4.

import Foundation
import TestSupport
import Testing

@testable import Gateway
@testable import Reactor

@Suite struct ContractTests {
    /// All that the gateway may serve: the built-in public routes, and preflights.
    private let routes = RouteTable(hasPreflights: true).routes.filter { !Self.isPage($0.pattern) }

    /// The fleet's page, its assets and its data are the page's own.
    private static func isPage(_ path: String) -> Bool { path == "/ops" || path.hasPrefix("/ops/") }

    private func name(_ route: Route) -> String { "\(route.method.name) \(route.pattern)" }

    @Test func `the contract has every route that is served, with its method, and no other`() throws {
        let written = try Contract().operations.values.filter { !Self.isPage($0.path) }.map(\.name)
        #expect(Set(written) == Set(routes.map(name)))
        #expect(try Contract().operations["GET /ops"] != nil)
    }

    @Test func `each operation asks for the credential that its route asks for`() throws {
        let contract = try Contract()
        for route in routes {
            let operation = try #require(contract.operations[name(route)])
            let expected: Set<Set<String>> =
                switch route.access {
                case .open: []
                case .worker: [["workerToken", "workerID"], ["workerToken", "workerIDInQuery"]]
                case .ops: [["opsToken"]]
                case .caller where route.operation == .versions || route.operation == .preflight: []
                case .caller: [["bearer"], ["ssrToken"], ["apiKey"], []]
                }
            #expect(operation.security == expected, "\(operation.name)")
        }
    }

    @Test func `each operation names the statuses that its route can answer, and no other`() throws {
        let contract = try Contract()
        for route in routes {
            let operation = try #require(contract.operations[name(route)])
            #expect(operation.statuses.sorted() == Self.statuses(of: route).sorted(), "\(operation.name)")
        }
    }

    /// What the layers that a request of this route passes can answer.
    static func statuses(of route: Route) -> Set<Int> {
        // The parser's, those of limits, and a listener of another surface.
        var found: Set<Int> = [400, 404, 408, 413, 414, 417, 431, 500, 501, 503, 505]
        found.insert(route.operation == .command ? 202 : route.operation == .preflight ? 204 : 200)
        switch route.access {
        case .open: break
        case .worker: found.formUnion([401, 403, 429])
        case .ops: found.formUnion([401, 403])
        case .caller where route.operation == .versions: break
        case .caller where route.operation == .preflight: found.formUnion([403, 405])
        case .caller: found.formUnion([401, 429])
        }
        switch route.body {
        case .buffered: found.formUnion([415, 422])
        case .streamed: found.insert(415)
        case .none, .relayed: break
        }
        switch route.operation {
        case .health, .ready: found.remove(404)
        // Of any length, and a bad task is rejected alone.
        case .enqueue: found.remove(413)
        case .rawFile: found.insert(422)
        case .proxyCreate, .proxyRotate: found.formUnion([502, 504])
        case .command: found.insert(409)
        case .contractYAML, .contractJSON, .docsPage, .docsStyle, .docsScript: found.insert(304)
        case .relay:
            found.formUnion([403, 502, 504])
            if PublicRoutes.builtIn.routes[Int(route.relay)].cacheMs > 0 { found.insert(304) }
        default: break
        }
        return found
    }

    @Test func `every refusal of the code stands in the contract with its status, and no other`() throws {
        let contract = try Contract()
        var written: [Int: Set<String>] = [:]
        for operation in contract.operations.values {
            for (status, codes) in try contract.codes(of: operation) {
                #expect(!codes.isEmpty, "\(operation.name) \(status) has no code")
                written[status, default: []].formUnion(codes)
            }
        }
        #expect(written == (try Self.refusals()))
        let schemas = try contract.resolve(["$ref": "#/components/schemas/ErrorCode"])
        #expect(Set(schemas["enum"] as? [String] ?? []) == written.values.reduce(into: []) { $0.formUnion($1) })
    }

    /// Statuses and codes of all problems that the sources make, and of all that the HTTP layer refuses.
    private static func refusals() throws -> [Int: Set<String>] {
        var found: [Int: Set<String>] = [:]
        for reason in HTTPFailure.Reason.allCases {
            let failure = HTTPFailure(reason, atByte: 0)
            found[failure.status.code, default: []].insert("\(failure.code)")
        }
        let pattern = /status:\s*([0-9]{3}),\s*code:\s*"([A-Z_]+)"/
        let sources = URL(fileURLWithPath: "\(Checkout.root)/Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            for match in try String(contentsOf: file, encoding: .utf8).matches(of: pattern) {
                found[try #require(Int(match.1)), default: []].insert(String(match.2))
            }
        }
        return found
    }

    @Test func `every operation has a name of its own, a summary and a tag that is explained`() throws {
        let contract = try Contract()
        let tags = Set((contract.root["tags"] as? [Contract.Object] ?? []).compactMap { $0["name"] as? String })
        var names: Set<String> = []
        for operation in contract.operations.values {
            #expect((operation.value["summary"] as? String)?.isEmpty == false, "\(operation.name)")
            #expect(tags.isSuperset(of: operation.value["tags"] as? [String] ?? ["no tag"]), "\(operation.name)")
            if operation.name.hasPrefix("OPTIONS ") { continue }
            let name = try #require(operation.value["operationId"] as? String, "\(operation.name)")
            #expect(names.insert(name).inserted, "\(name) twice")
        }
    }

    @Test func `every reference of the contract leads somewhere`() throws {
        let contract = try Contract()
        func check(_ value: Any) throws {
            if let list = value as? [Any] { return try list.forEach(check) }
            guard let object = value as? Contract.Object else { return }
            if object["$ref"] != nil { _ = try contract.resolve(object) }
            try object.values.forEach(check)
        }
        try check(contract.root)
    }
}
