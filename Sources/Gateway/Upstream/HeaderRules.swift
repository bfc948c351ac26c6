// Which header lines pass through the gateway, in each direction. Pure; names are compared without case.
// Source: RFC 9110 section 7.6.1 for hop-by-hop fields; the HTTP contract, section 3, for credentials and our own.

import Reactor

enum HeaderRules {
    /// Of a request: what ends at the gateway.
    ///
    /// Names with `_` never pass: CGI-like servers read `X_User_ID` as `X-User-ID`, which would be a forged copy.
    /// - Parameter isCached: the answer may go to others: what makes it partial or conditional stays here too.
    static func passesUpstream(_ name: RawSpan, isCached: Bool) -> Bool {
        for prefix in requestPrefixes where begins(name, with: prefix) { return false }
        for dropped in requestNames where name.equalsIgnoringCase(dropped) { return false }
        if isCached {
            if begins(name, with: "if-") { return false }
            for dropped in partial where name.equalsIgnoringCase(dropped) { return false }
        }
        for at in 0..<name.byteCount where name.byte(at: at) == UInt8(ascii: "_") { return false }
        return true
    }

    /// Of an upstream's answer: what ends at the gateway.
    static func passesDownstream(_ name: RawSpan) -> Bool {
        for prefix in answerPrefixes where begins(name, with: prefix) { return false }
        for dropped in answerNames where name.equalsIgnoringCase(dropped) { return false }
        return true
    }

    /// Whether a `Connection` line's value names a field, which makes it hop-by-hop.
    static func lists(_ value: RawSpan, _ name: RawSpan) -> Bool {
        var items = ListItems(value.range)
        while let item = items.next(in: value) {
            if equalsIgnoringCase(value.slice(item), name) { return true }
        }
        return false
    }

    private static let hopByHop: [StaticString] = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    ]
    private static let requestPrefixes: [StaticString] = [
        "proxy-", "x-forwarded-", "x-user-", "x-service-", "access-control-",
    ]
    private static let requestNames: [StaticString] =
        hopByHop + [
            "host", "expect", "authorization", "cookie", "x-ssr-token", "x-api-key", "x-worker-token", "x-worker-id",
            "x-ops-token", "x-request-id", "traceparent", "tracestate", "forwarded", "x-real-ip", "origin",
        ]
    private static let partial: [StaticString] = ["range", "cache-control", "pragma"]
    private static let answerPrefixes: [StaticString] = [
        "proxy-", "access-control-", "x-ratelimit-", "ratelimit",
    ]
    private static let answerNames: [StaticString] =
        hopByHop + [
            "date", "x-request-id", "x-cache", "age", "x-content-type-options", "strict-transport-security",
            "x-service-token", "alt-svc", "server", "x-powered-by",
        ]

    /// - Parameter prefix: in lower case.
    private static func begins(_ name: RawSpan, with prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        return name.byteCount >= count && name.extracting(first: count).equalsIgnoringCase(prefix)
    }

    static func equalsIgnoringCase(_ left: RawSpan, _ right: RawSpan) -> Bool {
        guard left.byteCount == right.byteCount else { return false }
        for at in 0..<left.byteCount where lower(left.byte(at: at)) != lower(right.byte(at: at)) { return false }
        return true
    }

    static func lower(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
