// What a caller of the HTTP client asks for: where, what, and how long it may take. Plain data.
// Limits: a target of `targetBytesMax`; timeouts are the caller's. Source: RFC 9110 sections 7 and 9, RFC 9112 section 3.

/// Where a service answers: a name or address and a port. One pool of connections each.
public struct HTTPClientEndpoint: Hashable, Sendable, CustomStringConvertible {
    public var isSecure: Bool
    /// A name, or a numeric address without brackets.
    public var host: String
    public var port: UInt16

    public init(isSecure: Bool = false, host: String, port: UInt16) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// The value of the Host header.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}

/// How long each part of a request may take.
public struct HTTPClientTimeouts: Equatable, Sendable {
    /// Resolving, waiting for a free connection and connecting, all attempts together.
    public var connect: Interval
    /// From the last byte of the request that the upstream took to the first of its answer.
    public var firstByte: Interval
    /// Between bytes of the answer, while its reader wants more.
    public var idle: Interval
    /// Everything, the reading of the body included.
    public var total: Interval

    public init(
        connect: Interval = .seconds(5), firstByte: Interval = .seconds(30), idle: Interval = .seconds(30),
        total: Interval = .seconds(300)
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.total = total
    }
}

/// One request.
public struct HTTPClientRequest: Sendable {
    static let targetBytesMax = 64 * 1024

    public var method: HTTPMethod
    /// Several are equals that share the load: one of their addresses is chosen for each request.
    public var endpoints: [HTTPClientEndpoint]
    /// Path and query as they go over the wire.
    public var target: String
    public var body: [UInt8]?
    /// In place of `body`: sent as it arrives. Such a request is never sent twice.
    public var stream: HTTPClientBodyStream?
    public var timeouts: HTTPClientTimeouts
    /// May be sent again when a kept connection turns out to be closed before it answered. nil: if the method is
    /// idempotent.
    public var isRepeatable: Bool?
    /// `Name: value CR LF` each.
    private(set) var headerLines: [UInt8] = []

    public init(
        _ method: HTTPMethod, _ target: String, endpoints: [HTTPClientEndpoint], body: [UInt8]? = nil,
        timeouts: HTTPClientTimeouts = HTTPClientTimeouts()
    ) {
        self.method = method
        self.target = target
        self.endpoints = endpoints
        self.body = body
        self.timeouts = timeouts
    }

    /// Adds a header line. Host, Content-Length, Transfer-Encoding and Connection are the client's own: they are left
    /// out. A name that is none is a bug and traps; control bytes of a value become spaces.
    public mutating func addHeader(_ name: String, _ value: String) {
        addHeader(name: name.utf8Span.span.bytes, value: value.utf8Span.span.bytes)
    }

    public mutating func addHeader(name: RawSpan, value: RawSpan) {
        precondition(RequestParser.isToken(name), "no name of a header")
        for own in ["host", "content-length", "transfer-encoding", "connection"] as [StaticString]
        where name.equalsIgnoringCase(own) {
            return
        }
        if headerLines.isEmpty { headerLines.reserveCapacity(1024) }
        name.withUnsafeBytes { headerLines.append(contentsOf: $0) }
        headerLines.append(UInt8(ascii: ":"))
        headerLines.append(UInt8(ascii: " "))
        let start = headerLines.count
        value.withUnsafeBytes { headerLines.append(contentsOf: $0) }
        // Through a pointer: each access to the array would look whether it is alone.
        headerLines.withUnsafeMutableBufferPointer { lines in
            for at in start..<lines.count {
                let byte = lines[at]
                if (byte < 0x20 && byte != 0x09) || byte == 0x7F { lines[at] = 0x20 }
            }
        }
        headerLines.append(0x0D)
        headerLines.append(0x0A)
    }

    var mayBeRepeated: Bool {
        if stream != nil { return false }
        if let isRepeatable { return isRepeatable }
        switch method {
        case .get, .head, .put, .delete, .options, .trace: return true
        case .post, .patch, .connect, .other: return false
        }
    }

    /// Why it cannot be sent; nil where it can.
    var fault: String? {
        if method == .connect || method == .other { return "a method that the client does not speak" }
        if endpoints.isEmpty { return "no endpoint" }
        let target = target.utf8
        guard target.first == UInt8(ascii: "/"), target.count <= Self.targetBytesMax,
            target.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return "a target that is none" }
        return nil
    }

    /// Appends the whole request, but for a body that is streamed.
    func write(to endpoint: HTTPClientEndpoint, _ out: inout ByteBuffer) {
        out.append(method.name)
        out.append(" ")
        out.append(target)
        out.append(" HTTP/1.1\r\nHost: ")
        out.append(endpoint.authority)
        out.append("\r\n")
        out.append(headerLines.span.bytes)
        if let stream {
            if let length = stream.length {
                ResponseHead.contentLength(length, into: &out)
            } else {
                ResponseHead.chunked(into: &out)
            }
            return out.append("\r\n")
        }
        let expectsBody = method == .post || method == .put || method == .patch
        if body != nil || expectsBody { ResponseHead.contentLength(body?.count ?? 0, into: &out) }
        out.append("\r\n")
        if let body { out.append(body.span.bytes) }
    }
}
