// A public request as it goes upstream: its target, the header lines that pass, and what the gateway adds.
// Made from a copy of the head, and only where an upstream is asked; a hit of the cache costs nothing of this.
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
    ///   - random: for the ids of a trace that begins here.
    ///   - trace: the span that goes upstream, where one is kept; nil continues the client's, or begins one that nobody keeps.
    init(
        forwarding request: borrowing RequestHeadCopy, to route: PublicRoute, _ match: RouteMatch, body: [UInt8],
        by: ForwardedBy, isCached: Bool, requestID: RequestID, trace: TraceContext? = nil,
        using random: inout RandomBits
    ) {
        var target = ByteBuffer(capacity: 256)
        route.target.writeTarget(request.path, match.parameters, query: request.query, to: &target)
        let isHead = request.head.method == .head
        self.init(isHead && !isCached ? .head : route.method, target.bytes.string, endpoints: [])
        if route.method != .get { self.body = body }
        addPassing(request, isCached: isCached)
        addForwarded(request, by)
        addTrace(request, kept: trace, using: &random)
        addHeader("X-Request-ID", requestID.description)
        if let token = by.serviceToken { addHeader("X-Service-Token", token) }
    }

    /// Whether a parameter would mean another path upstream.
    static func climbs(_ path: RawSpan, _ match: RouteMatch) -> Bool {
        var position = 0
        while position < RouteTrie.parametersMax {
            if isDotSegment(match.parameters[position], of: path) { return true }
            position += 1
        }
        return false
    }

    /// Names the caller to the upstream.
    mutating func addCaller(_ caller: Caller) {
        addHeader("X-User-ID", caller.userID)
        addHeader("X-User-Tier", caller.tier.name)
    }

    private mutating func addPassing(_ request: borrowing RequestHeadCopy, isCached: Bool) {
        for index in 0..<request.headerCount {
            let name = request.headerName(at: index)
            guard HeaderRules.passesUpstream(name, isCached: isCached), !Self.isListed(name, request) else { continue }
            addHeader(name: name, value: request.headerValue(at: index))
        }
    }

    private static func isListed(_ name: RawSpan, _ request: borrowing RequestHeadCopy) -> Bool {
        for index in 0..<request.headerCount where request.headerName(at: index).equalsIgnoringCase("connection") {
            if HeaderRules.lists(request.headerValue(at: index), name) { return true }
        }
        return false
    }

    /// The peer is appended to the way the request says it came; scheme and host are what the client used.
    private mutating func addForwarded(_ request: borrowing RequestHeadCopy, _ by: ForwardedBy) {
        var way = ByteBuffer(capacity: 64)
        var host = ""
        for index in 0..<request.headerCount {
            let name = request.headerName(at: index)
            if name.equalsIgnoringCase("host") { host = request.headerValue(at: index).string }
            guard name.equalsIgnoringCase("x-forwarded-for") else { continue }
            if !way.isEmpty { way.append(", ") }
            way.append(request.headerValue(at: index))
        }
        if !request.peer.isUnix {
            if !way.isEmpty { way.append(", ") }
            way.append(request.peer.description)
        }
        if !way.isEmpty { addHeader("X-Forwarded-For", way.bytes.string) }
        addHeader("X-Forwarded-Proto", by.isSecure ? "https" : "http")
        if !host.isEmpty { addHeader("X-Forwarded-Host", host) }
    }

    private mutating func addTrace(
        _ request: borrowing RequestHeadCopy, kept: TraceContext?, using random: inout RandomBits
    ) {
        var (sent, count, state) = (TraceContext?.none, 0, "")
        for index in 0..<request.headerCount {
            let name = request.headerName(at: index)
            if name.equalsIgnoringCase("traceparent") {
                sent = TraceContext(request.headerValue(at: index))
                count += 1
            } else if name.equalsIgnoringCase("tracestate") {
                state += (state.isEmpty ? "" : ",") + request.headerValue(at: index).string
            }
        }
        // Two parents are none.
        let parent = count == 1 ? sent : nil
        let trace = kept ?? parent?.child(using: &random) ?? .fresh(using: &random)
        var text = ByteBuffer(capacity: 64)
        trace.write(to: &text)
        addHeader("traceparent", text.bytes.string)
        if parent != nil, !state.isEmpty { addHeader("tracestate", state) }
    }

    /// `.` or `..`, encoded or not: upstream it would climb out of the route's path (RFC 3986 section 5.2.4).
    /// Not inlined: the optimiser of Swift 6.3.1 makes a broken loop of it then.
    @inline(never)
    private static func isDotSegment(_ segment: ByteRange, of path: RawSpan) -> Bool {
        var dots = 0
        var at = Int(segment.offset)
        while at < segment.end {
            let byte = path.byte(at: at)
            if byte == UInt8(ascii: ".") {
                at += 1
            } else if byte == UInt8(ascii: "%"), at + 2 < segment.end, path.byte(at: at + 1) == UInt8(ascii: "2"),
                HeaderRules.lower(path.byte(at: at + 2)) == UInt8(ascii: "e")
            {
                at += 3
            } else {
                return false
            }
            dots += 1
        }
        return dots == 1 || dots == 2
    }
}
