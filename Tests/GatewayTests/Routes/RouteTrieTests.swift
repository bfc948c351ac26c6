// The tree of paths: literals before parameters, methods, empty segments, and what the gateway's own table says.

import Reactor
import Testing

@testable import Gateway

@Suite struct RouteTrieTests {
    private let trie = RouteTrie([
        (.get, "/a"), (.post, "/a/{x}/c"), (.get, "/a/b/c"), (.get, "/a/{x}"), (.delete, "/a/{x}"),
        (.get, "/p/{x}/{y}"),
    ])

    /// Route and parameters, or what is wrong.
    private func find(_ method: HTTPMethod, _ path: String) -> String {
        let bytes = Array(path.utf8)
        switch trie.find(method, bytes.span.bytes) {
        case .notFound: return "not found"
        case .methodNotAllowed(let allow): return "allow \(allow)"
        case .found(let match):
            var text = "\(match.route)"
            for index in 0..<4 where !match.parameters[index].isEmpty {
                text += " \(bytes.span.bytes.slice(match.parameters[index]).string)"
            }
            return text
        }
    }

    @Test func `a path is found by its segments, with its parameters as they were sent`() {
        #expect(find(.get, "/a") == "0")
        #expect(find(.get, "/a/b/c") == "2")
        #expect(find(.post, "/a/x%2Fy/c") == "1 x%2Fy")
        #expect(find(.get, "/a/1") == "3 1")
        #expect(find(.delete, "/a/1") == "4 1")
        #expect(find(.get, "/p/1/2") == "5 1 2")
    }

    @Test func `HEAD finds the route of GET`() {
        #expect(find(.head, "/a") == "0")
        #expect(find(.head, "/a/b/c") == "2")
    }

    @Test func `HEAD does not stand for a GET that does more than tell`() {
        let trie = RouteTrie([(.get, "/take"), (.post, "/take"), (.get, "/tell")], withoutHead: [0])
        for (path, expected) in [("/take", "GET, POST"), ("/tell", nil)] as [(String, String?)] {
            let lookup = trie.find(.head, Array(path.utf8).span.bytes)
            if case .methodNotAllowed(let allow) = lookup {
                #expect(allow == expected)
            } else {
                #expect(expected == nil)
            }
        }
    }

    @Test func `a path without the method lists its methods`() {
        #expect(find(.post, "/a") == "allow GET, HEAD")
        #expect(find(.put, "/a/1") == "allow GET, HEAD, DELETE")
        #expect(find(.head, "/a/x/c") == "allow POST")
        #expect(find(.other, "/a") == "allow GET, HEAD")
    }

    @Test(arguments: [
        "", "/", "/b", "/A", "/a/", "//a", "/a//c", "/a/x/d", "/a/x/c/", "/p/1", "/p/1/2/3", "a", "*", "/a%2Fb/c",
    ])
    func `what is no path of the table is not found`(path: String) {
        #expect(find(.get, path) == "not found")
    }

    @Test func `a literal segment goes before a parameter and does not fall back to it`() {
        #expect(find(.post, "/a/b/c") == "allow GET, HEAD")
        #expect(find(.get, "/a/bb") == "3 bb")
    }

    @Test func `every route of the gateway's table is found by its own pattern, on both kinds`() {
        let table = RouteTable()
        for (index, route) in table.routes.enumerated() {
            let path = Array(route.pattern.replacing("{id}", with: "t-1").utf8)
            guard case .found(let match) = table.find(route.method, path.span.bytes) else {
                Issue.record("\(route.pattern) is not found")
                continue
            }
            #expect(match.route == index)
        }
        #expect(Set(table.routes.map { "\($0.method) \($0.pattern)" }).count == table.routes.count)
    }

    @Test func `a path without a kind is the listener's, parcel where it has both`() throws {
        let table = RouteTable()
        func kind(_ path: String, on surfaces: Surfaces) throws -> WorkKind {
            let bytes = Array(path.utf8)
            guard case .found(let match) = table.find(.get, bytes.span.bytes) else {
                throw StartFailure(description: "\(path) is not found")
            }
            return table.kind(of: match.route, on: surfaces)
        }
        #expect(try kind("/internal/work", on: .all) == .parcel)
        #expect(try kind("/internal/work", on: .parcel) == .parcel)
        #expect(try kind("/internal/work", on: .party) == .party)
        #expect(try kind("/internal/party/work", on: .all) == .party)
        #expect(try kind("/internal/parcel/work", on: .worker) == .parcel)
    }
}
