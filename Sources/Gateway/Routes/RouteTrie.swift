// Finds the route of a path in one walk over its segments, without allocating. Immutable after start; any thread.
// Limits: `parametersMax` parameters a pattern; segments are compared byte for byte, undecoded.

import Reactor

/// What a path leads to.
struct RouteMatch {
    /// Index of the route in the table the trie was built from.
    var route: Int
    /// Values of `{…}` in order, positions in the path, still percent-encoded.
    var parameters: InlineArray<4, ByteRange>
}

enum RouteLookup {
    case found(RouteMatch)
    /// The path exists, the method does not; `allow` lists those that do.
    case methodNotAllowed(allow: String)
    case notFound
}

/// A prefix tree of path segments.
struct RouteTrie {
    static let parametersMax = 4

    private struct Node {
        var children: Range<Int> = 0..<0
        var parameterChild = -1
        /// Route by `HTTPMethod.rawValue`; -1 is none.
        var routes = InlineArray<10, Int16>(repeating: -1)
        /// HEAD is not answered by the route of GET.
        var refusesHead = false
    }

    private struct Edge {
        var text: Range<Int>
        var node: Int
    }

    private var nodes: [Node] = []
    private var edges: [Edge] = []
    private var text: [UInt8] = []

    /// Builds the tree. Patterns are `/a/{b}/c`; two routes of one method and shape are a bug and trap.
    /// - Parameters:
    ///   - withoutHead: GET routes that do more than tell, so that HEAD may not stand for them.
    ///   - live: nil is all; others keep their index and are not found.
    init(
        _ routes: [(method: HTTPMethod, pattern: String)], withoutHead: Set<Int> = [], only live: Set<Int>? = nil
    ) {
        let root = Draft()
        for (index, route) in routes.enumerated() where live?.contains(index) ?? true {
            var draft = root
            var parameters = 0
            for segment in route.pattern.split(separator: "/", omittingEmptySubsequences: true) {
                if segment.hasPrefix("{") {
                    parameters += 1
                    draft = draft.parameter()
                } else {
                    draft = draft.child(Array(segment.utf8))
                }
            }
            precondition(parameters <= Self.parametersMax, "too many parameters in \(route.pattern)")
            let method = Int(route.method.rawValue)
            precondition(draft.routes[method] == -1, "two routes for \(route.method) \(route.pattern)")
            draft.routes[method] = Int16(index)
            if withoutHead.contains(index) { draft.refusesHead = true }
        }
        nodes.append(Node())
        flatten(root, at: 0)
    }

    /// A tree of objects while it is being built.
    private final class Draft {
        var routes = InlineArray<10, Int16>(repeating: -1)
        var refusesHead = false
        var children: [(text: [UInt8], draft: Draft)] = []
        var parameterDraft: Draft?

        func child(_ text: [UInt8]) -> Draft {
            if let known = children.first(where: { $0.text == text }) { return known.draft }
            let draft = Draft()
            children.append((text, draft))
            return draft
        }

        func parameter() -> Draft {
            let draft = parameterDraft ?? Draft()
            parameterDraft = draft
            return draft
        }
    }

    private mutating func flatten(_ draft: Draft, at index: Int) {
        nodes[index].routes = draft.routes
        nodes[index].refusesHead = draft.refusesHead
        let first = edges.count
        for child in draft.children {
            edges.append(Edge(text: text.count..<text.count + child.text.count, node: nodes.count))
            text += child.text
            nodes.append(Node())
        }
        nodes[index].children = first..<edges.count
        for (offset, child) in draft.children.enumerated() { flatten(child.draft, at: edges[first + offset].node) }
        if let parameter = draft.parameterDraft {
            nodes[index].parameterChild = nodes.count
            nodes.append(Node())
            flatten(parameter, at: nodes[index].parameterChild)
        }
    }

    /// Looks a path up. HEAD finds the route of GET, unless it was built without.
    func find(_ method: HTTPMethod, _ path: RawSpan) -> RouteLookup {
        var parameters = InlineArray<4, ByteRange>(repeating: .empty)
        guard let node = walk(path, &parameters) else { return .notFound }
        var route = nodes[node].routes[Int(method.rawValue)]
        if route == -1, method == .head, !nodes[node].refusesHead {
            route = nodes[node].routes[Int(HTTPMethod.get.rawValue)]
        }
        if route >= 0 { return .found(RouteMatch(route: Int(route), parameters: parameters)) }
        let allow = allowed(nodes[node])
        return allow.isEmpty ? .notFound : .methodNotAllowed(allow: allow)
    }

    private func walk(_ path: RawSpan, _ parameters: inout InlineArray<4, ByteRange>) -> Int? {
        var node = 0
        var found = 0
        var start = 1
        let count = path.byteCount
        guard count == 0 || path.byte(at: 0) == UInt8(ascii: "/") else { return nil }
        while start < count {
            var end = start
            while end < count, path.byte(at: end) != UInt8(ascii: "/") { end += 1 }
            let segment = ByteRange(offset: start, count: end - start)
            // An empty segment ("//", or a slash at the end) names nothing.
            guard !segment.isEmpty, end + 1 != count else { return nil }
            if let next = child(of: node, path.slice(segment)) {
                node = next
            } else if nodes[node].parameterChild >= 0 {
                parameters[found] = segment
                found += 1
                node = nodes[node].parameterChild
            } else {
                return nil
            }
            start = end + 1
        }
        return node
    }

    private func child(of node: Int, _ segment: RawSpan) -> Int? {
        for index in nodes[node].children where equals(edges[index].text, segment) { return edges[index].node }
        return nil
    }

    private func equals(_ range: Range<Int>, _ segment: RawSpan) -> Bool {
        // `unsafe`: the bytes of UInt8 are the numbers themselves.
        unsafe text.span.bytes.extracting(range).hasSameBytes(as: segment)
    }

    private func allowed(_ node: Node) -> String {
        var names: [String] = []
        for raw in 0..<node.routes.count where node.routes[raw] >= 0 {
            guard let method = HTTPMethod(rawValue: UInt8(raw)) else { continue }
            names.append("\(method.name)")
            if method == .get, !node.refusesHead { names.append("HEAD") }
        }
        return names.joined(separator: ", ")
    }
}
