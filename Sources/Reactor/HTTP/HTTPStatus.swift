// The status codes this gateway speaks, with their reason phrases.
// Plain data. Source: RFC 9110 section 15, RFC 6585 (429, 431); the contract's error table.

/// An HTTP status code. Any number is representable; those named here have a phrase.
public struct HTTPStatus: RawRepresentable, Equatable, Hashable, Sendable {
    public let rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    @inlinable
    public init(_ code: Int) { rawValue = UInt16(truncatingIfNeeded: code) }
    @inlinable public var code: Int { Int(rawValue) }

    @inlinable public static var `continue`: Self { Self(100) }
    @inlinable public static var ok: Self { Self(200) }
    @inlinable public static var created: Self { Self(201) }
    @inlinable public static var accepted: Self { Self(202) }
    @inlinable public static var noContent: Self { Self(204) }
    @inlinable public static var notModified: Self { Self(304) }
    @inlinable public static var badRequest: Self { Self(400) }
    @inlinable public static var unauthorized: Self { Self(401) }
    @inlinable public static var forbidden: Self { Self(403) }
    @inlinable public static var notFound: Self { Self(404) }
    @inlinable public static var methodNotAllowed: Self { Self(405) }
    @inlinable public static var requestTimeout: Self { Self(408) }
    @inlinable public static var conflict: Self { Self(409) }
    @inlinable public static var contentTooLarge: Self { Self(413) }
    @inlinable public static var uriTooLong: Self { Self(414) }
    @inlinable public static var unsupportedMediaType: Self { Self(415) }
    @inlinable public static var expectationFailed: Self { Self(417) }
    @inlinable public static var unprocessableContent: Self { Self(422) }
    @inlinable public static var tooManyRequests: Self { Self(429) }
    @inlinable public static var headersTooLarge: Self { Self(431) }
    @inlinable public static var internalError: Self { Self(500) }
    @inlinable public static var notImplemented: Self { Self(501) }
    @inlinable public static var badGateway: Self { Self(502) }
    @inlinable public static var serviceUnavailable: Self { Self(503) }
    @inlinable public static var gatewayTimeout: Self { Self(504) }
    @inlinable public static var versionNotSupported: Self { Self(505) }

    /// The whole status line, CRLF included; nil for a code that has no line here.
    var line: StaticString? {
        switch rawValue {
        case 200: "HTTP/1.1 200 OK\r\n"
        case 100: "HTTP/1.1 100 Continue\r\n"
        case 201: "HTTP/1.1 201 Created\r\n"
        case 202: "HTTP/1.1 202 Accepted\r\n"
        case 204: "HTTP/1.1 204 No Content\r\n"
        case 206: "HTTP/1.1 206 Partial Content\r\n"
        case 301: "HTTP/1.1 301 Moved Permanently\r\n"
        case 302: "HTTP/1.1 302 Found\r\n"
        case 303: "HTTP/1.1 303 See Other\r\n"
        case 304: "HTTP/1.1 304 Not Modified\r\n"
        case 307: "HTTP/1.1 307 Temporary Redirect\r\n"
        case 308: "HTTP/1.1 308 Permanent Redirect\r\n"
        case 400: "HTTP/1.1 400 Bad Request\r\n"
        case 401: "HTTP/1.1 401 Unauthorized\r\n"
        case 402: "HTTP/1.1 402 Payment Required\r\n"
        case 403: "HTTP/1.1 403 Forbidden\r\n"
        case 404: "HTTP/1.1 404 Not Found\r\n"
        case 405: "HTTP/1.1 405 Method Not Allowed\r\n"
        case 406: "HTTP/1.1 406 Not Acceptable\r\n"
        case 408: "HTTP/1.1 408 Request Timeout\r\n"
        case 409: "HTTP/1.1 409 Conflict\r\n"
        case 410: "HTTP/1.1 410 Gone\r\n"
        case 412: "HTTP/1.1 412 Precondition Failed\r\n"
        case 413: "HTTP/1.1 413 Content Too Large\r\n"
        case 414: "HTTP/1.1 414 URI Too Long\r\n"
        case 415: "HTTP/1.1 415 Unsupported Media Type\r\n"
        case 416: "HTTP/1.1 416 Range Not Satisfiable\r\n"
        case 417: "HTTP/1.1 417 Expectation Failed\r\n"
        case 422: "HTTP/1.1 422 Unprocessable Content\r\n"
        case 429: "HTTP/1.1 429 Too Many Requests\r\n"
        case 431: "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        case 451: "HTTP/1.1 451 Unavailable For Legal Reasons\r\n"
        case 500: "HTTP/1.1 500 Internal Server Error\r\n"
        case 501: "HTTP/1.1 501 Not Implemented\r\n"
        case 502: "HTTP/1.1 502 Bad Gateway\r\n"
        case 503: "HTTP/1.1 503 Service Unavailable\r\n"
        case 504: "HTTP/1.1 504 Gateway Timeout\r\n"
        case 505: "HTTP/1.1 505 HTTP Version Not Supported\r\n"
        default: nil
        }
    }

    /// A response of this status never has a body (RFC 9110 section 6.4.1), nor a Content-Length where it is 1xx or 204.
    @inlinable public var hasNoBody: Bool { rawValue < 200 || rawValue == 204 || rawValue == 304 }
}
