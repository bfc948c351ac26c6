// The header names that are recognised while a head is scanned, so that asking for one costs an array access.
// Plain data; the order is that of cr_http_known_name in creactor/http.h (a test parses each name).

/// A header that `HeaderTable` finds without searching.
public enum KnownHeader: UInt8, CaseIterable, Sendable {
    case host, connection, contentLength, transferEncoding, expect, contentType
    case xRequestID, xWorkerID, xWorkerToken, xOpsToken, xSSRToken, xAPIKey
    case authorization, traceparent, tracestate, accept, acceptEncoding, acceptLanguage
    case contentEncoding, origin, ifNoneMatch, userAgent, xForwardedFor
    case accessControlRequestMethod, accessControlRequestHeaders, cacheControl, upgrade

    /// How many there are: creactor/http.h's CR_HTTP_KNOWN_COUNT.
    static var count: Int { 27 }

    /// The name in lower case.
    public var name: StaticString {
        switch self {
        case .host: "host"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .expect: "expect"
        case .contentType: "content-type"
        case .xRequestID: "x-request-id"
        case .xWorkerID: "x-worker-id"
        case .xWorkerToken: "x-worker-token"
        case .xOpsToken: "x-ops-token"
        case .xSSRToken: "x-ssr-token"
        case .xAPIKey: "x-api-key"
        case .authorization: "authorization"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .acceptLanguage: "accept-language"
        case .contentEncoding: "content-encoding"
        case .origin: "origin"
        case .ifNoneMatch: "if-none-match"
        case .userAgent: "user-agent"
        case .xForwardedFor: "x-forwarded-for"
        case .accessControlRequestMethod: "access-control-request-method"
        case .accessControlRequestHeaders: "access-control-request-headers"
        case .cacheControl: "cache-control"
        case .upgrade: "upgrade"
        }
    }
}
