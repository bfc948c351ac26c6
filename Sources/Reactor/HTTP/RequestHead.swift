// What one HTTP/1.1 request head says, its header lines apart (HeaderTable has those): plain data, no references.
// Ranges count from the first byte it was parsed from; whoever keeps the head keeps those bytes together.
// Source: RFC 9110 sections 6 and 9, RFC 9112.

/// The method. Names are case-sensitive; one that is none of these is `.other`, its text in `methodName`.
public enum HTTPMethod: UInt8, CaseIterable, Sendable {
    case get, head, post, put, delete, options, patch, trace, connect, other

    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "other"
        }
    }
}

/// HTTP/1.x with x above 1 counts as 1.1 (RFC 9110 section 2.5).
public enum HTTPVersion: UInt8, Sendable { case http10, http11 }

/// How the end of the body is found.
public enum BodyFraming: Equatable, Sendable {
    case none
    /// So many bytes follow; 0 is possible.
    case length(Int)
    case chunked
}

/// One parsed request head.
public struct RequestHead: Equatable, Sendable {
    public var method: HTTPMethod
    public var version: HTTPVersion
    /// The connection may carry another request after this one.
    public var keepAlive: Bool
    /// The client waits for `100 Continue` before it sends the body.
    public var expectsContinue: Bool
    public var framing: BodyFraming
    public var methodName: ByteRange
    /// As it came, query included.
    public var target: ByteRange
    /// Still percent-encoded. `*` for `OPTIONS *`; empty for an absolute-form target without path, which means `/`.
    public var path: ByteRange
    /// Without the `?`; empty where there is none.
    public var query: ByteRange
    /// Host and port asked for: of an absolute-form target, else of the Host header (RFC 9112 section 3.2.2).
    public var authority: ByteRange
    /// Bytes of the head, blank line included: the body starts here.
    public var byteCount: Int

    init() {
        method = .other
        version = .http11
        keepAlive = false
        expectsContinue = false
        framing = .none
        methodName = .empty
        target = .empty
        path = .empty
        query = .empty
        authority = .empty
        byteCount = 0
    }
}
