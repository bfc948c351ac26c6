// A public request as it goes upstream: its target, the header lines that pass, and what the gateway adds.
// Made from the head while it is lent; the caller's lines are added once the caller is known.
// Limits: those of the request. Source: the HTTP contract, section 3; RFC 9110 section 7.6; RFC 7239's predecessors.

import Reactor

/// What of the gateway and its listener goes into every forwarded request.
struct ForwardedBy: Sendable {
    /// `X-Service-Token`.
    var serviceToken: String?
    var isSecure: Bool
}

extension HTTPClientRequest {
    /// - Parameters:
    ///   - match: the route's parameters in the request's path.
    ///   - isCached: the answer may go to others.
    ///   - requestID: `X-Request-ID`.
    /// - Returns: nil for a path that would mean another one upstream.
    static func forwarding(
        _ request: borrowing Request, to route: PublicRoute, _ match: RouteMatch, by: ForwardedBy,
        isCached: Bool, requestID: RequestID
    ) -> HTTPClientRequest? {
        for position in 0..<RouteTrie.parametersMax where isDotSegment(request.path.slice(match.parameters[position])) {
            return nil
        }
        var target = ByteBuffer(capacity: 256)
        route.target.writeTarget(request.path, match.parameters, query: request.query, to: &target)
        let isHead = request.head.method == .head
        var forwarded = HTTPClientRequest(
            isHead && !isCached ? .head : route.method, target.bytes.string, endpoints: [])
        if route.method != .get { forwarded.body = request.body.array }
        forwarded.addPassing(request, isCached: isCached)
        forwarded.addForwarded(request, by)
        forwarded.addTrace(request)
        forwarded.addHeader("X-Request-ID", requestID.description)
        if let token = by.serviceToken { forwarded.addHeader("X-Service-Token", token) }
        return forwarded
    }

    /// Names the caller to the upstream.
    mutating func addCaller(_ caller: Caller) {
        addHeader("X-User-ID", caller.userID)
        addHeader("X-User-Tier", caller.tier.name)
    }

    private mutating func addPassing(_ request: borrowing Request, isCached: Bool) {
        for index in 0..<request.headerCount {
            let name = request.headerName(at: index)
            guard HeaderRules.passesUpstream(name, isCached: isCached), !Self.isListed(name, request) else { continue }
            addHeader(name: name, value: request.headerValue(at: index))
        }
    }

    private static func isListed(_ name: RawSpan, _ request: borrowing Request) -> Bool {
        guard request.header(.connection) != nil else { return false }
        for index in 0..<request.headerCount where request.headerName(at: index).equalsIgnoringCase("connection") {
            if HeaderRules.lists(request.headerValue(at: index), name) { return true }
        }
        return false
    }

    /// The peer is appended to the way the request says it came; scheme and host are what the client used.
    private mutating func addForwarded(_ request: borrowing Request, _ by: ForwardedBy) {
        var way = ByteBuffer(capacity: 64)
        for index in 0..<request.headerCount
        where request.headerName(at: index).equalsIgnoringCase("x-forwarded-for") {
            if !way.isEmpty { way.append(", ") }
            way.append(request.headerValue(at: index))
        }
        if !request.peer.isUnix {
            if !way.isEmpty { way.append(", ") }
            way.append(request.peer.description)
        }
        if !way.isEmpty { addHeader("X-Forwarded-For", way.bytes.string) }
        addHeader("X-Forwarded-Proto", by.isSecure ? "https" : "http")
        if let host = request.header(.host), host.byteCount > 0 { addHeader("X-Forwarded-Host", host.string) }
    }

    private mutating func addTrace(_ request: borrowing Request) {
        var generator = SystemRandomNumberGenerator()
        var sent: TraceContext?
        if let text = request.header(.traceparent), !request.isRepeated(.traceparent) { sent = TraceContext(text) }
        let trace = sent?.child(using: &generator) ?? .fresh(using: &generator)
        var text = ByteBuffer(capacity: 64)
        trace.write(to: &text)
        addHeader("traceparent", text.bytes.string)
        if sent != nil, let state = request.header(.tracestate) { addHeader("tracestate", state.string) }
    }

    /// `.` or `..`, encoded or not: upstream it would climb out of the route's path (RFC 3986 section 5.2.4).
    private static func isDotSegment(_ segment: RawSpan) -> Bool {
        var dots = 0
        var at = 0
        while at < segment.byteCount {
            if segment.byte(at: at) == UInt8(ascii: ".") {
                at += 1
            } else if at + 3 <= segment.byteCount, segment.extracting(at..<at + 3).equalsIgnoringCase("%2e") {
                at += 3
            } else {
                return false
            }
            dots += 1
        }
        return dots == 1 || dots == 2
    }
}
