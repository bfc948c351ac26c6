// A blocking HTTP/1.1 test client that sends whatever bytes the test wants and reads responses strictly.
// Owned by one thread. A response head may have 64 KiB; every call ends by its timeout (10 s).

import Foundation

public final class RawHTTP {
    public let socket: ClientSocket
    private static let headBytesMax = 65536

    public init(port: Int, host: String = "127.0.0.1", timeoutSeconds: Double = 10, receiveBufferBytes: Int32? = nil)
        throws
    {
        socket = try ClientSocket(
            port: port, host: host, timeoutSeconds: timeoutSeconds, receiveBufferBytes: receiveBufferBytes)
    }

    public init(unixPath: String, timeoutSeconds: Double = 10) throws {
        socket = try ClientSocket(unixPath: unixPath, timeoutSeconds: timeoutSeconds)
    }

    public func send(_ text: String) throws { try socket.send(Array(text.utf8)) }
    public func send(_ bytes: [UInt8]) throws { try socket.send(bytes) }

    /// The bytes of a request: Host is added, and Content-Length where there is a body, unless `headers` has them.
    public static func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil
    ) -> [UInt8] {
        let names = Set(headers.map { $0.0.lowercased() })
        var text = "\(method) \(target) HTTP/1.1\r\n"
        if !names.contains("host") { text += "Host: gateway\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body, names.isDisjoint(with: ["content-length", "transfer-encoding"]) {
            text += "Content-Length: \(body.utf8.count)\r\n"
        }
        return Array((text + "\r\n" + (body ?? "")).utf8)
    }

    /// Sends one request and reads its final response.
    public func exchange(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil
    ) throws -> HTTPResponse {
        try send(Self.request(method, target, headers: headers, body: body))
        while true {
            let response = try readResponse(isHead: method == "HEAD")
            if !response.isInterim { return response }
        }
    }

    /// The same over a connection of its own.
    public static func exchange(
        port: Int, _ method: String, _ target: String, headers: [(String, String)] = [], body: String? = nil,
        timeoutSeconds: Double = 10
    ) throws -> HTTPResponse {
        try RawHTTP(port: port, timeoutSeconds: timeoutSeconds).exchange(method, target, headers: headers, body: body)
    }

    /// Reads the next response, interim ones included. Bytes of later responses stay for the next call.
    /// - Parameter isHead: the request was HEAD, so no body follows whatever the head announces.
    /// - Source: RFC 9112 sections 2 to 7.
    public func readResponse(isHead: Bool = false) throws -> HTTPResponse {
        var response = try readHead()
        if isHead || response.isInterim || response.status == 204 || response.status == 304 { return response }
        let lengths = response.values(of: "content-length")
        let codings = response.values(of: "transfer-encoding")
        guard lengths.count <= 1, codings.isEmpty || lengths.isEmpty else {
            throw TestFailure("a response with two framings: \(response.headers)")
        }
        if let coding = codings.first {
            guard coding.lowercased() == "chunked" else { throw TestFailure("transfer coding \(coding)") }
            try readChunks(into: &response)
        } else if let text = lengths.first {
            guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(text) else {
                throw TestFailure("Content-Length: \(text)")
            }
            response.body = try readBytes(count)
        } else {
            response.body = try readToEnd()
        }
        return response
    }

    /// All that arrives until the peer closes.
    public func readToEnd() throws -> [UInt8] {
        let deadline = monotonicSeconds() + socket.timeoutSeconds
        while try socket.receive(until: deadline) > 0 {}
        return socket.take(socket.received.count)
    }

    /// Waits until the peer closes; that it sends something instead is a failure. A reset counts as closing.
    public func expectClosed() throws {
        guard socket.received.isEmpty else { throw TestFailure("unread: \(socket.received.count) bytes") }
        do {
            guard try socket.receive() == 0 else { throw TestFailure("the peer sent bytes instead of closing") }
        } catch let failure as TestFailure where failure.description.contains("reset by peer") {
            return
        }
    }

    public func close() { socket.close() }

    private func readHead() throws -> HTTPResponse {
        let status = try readLine()
        let parts = status.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3, let code = Int(parts[1]) else {
            throw TestFailure("not a status line: \(status)")
        }
        return HTTPResponse(
            version: String(parts[0]), status: code, reason: String(parts[2]), headers: try readFields(), body: [])
    }

    private func readFields() throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let line = try readLine()
            if line.isEmpty { return fields }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex,
                !line[..<colon].contains(where: { $0 == " " || $0 == "\t" })
            else { throw TestFailure("not a header line: \(line)") }
            let value = line[line.index(after: colon)...]
            fields.append((String(line[..<colon]), value.trimmingCharacters(in: .whitespaces)))
        }
    }

    private func readChunks(into response: inout HTTPResponse) throws {
        while true {
            let line = try readLine()
            let size = line.prefix { $0 != ";" }
            guard let count = Int(size, radix: 16), count >= 0 else { throw TestFailure("chunk size: \(line)") }
            if count == 0 { break }
            response.body += try readBytes(count)
            guard try readLine().isEmpty else { throw TestFailure("no line end after a chunk") }
        }
        response.trailers = try readFields()
    }

    /// A line that ends with CRLF; a bare line feed is a failure.
    private func readLine() throws -> String {
        while true {
            if let end = socket.received.firstIndex(of: 10) {
                let line = socket.take(end + 1)
                guard line.count >= 2, line[line.count - 2] == 13 else { throw TestFailure("a line without CR") }
                return String(decoding: line.dropLast(2), as: UTF8.self)
            }
            guard socket.received.count < Self.headBytesMax else { throw TestFailure("a line over 64 KiB") }
            try receiveMore()
        }
    }

    private func readBytes(_ count: Int) throws -> [UInt8] {
        while socket.received.count < count { try receiveMore() }
        return socket.take(count)
    }

    private func receiveMore() throws {
        guard try socket.receive() > 0 else {
            throw TestFailure("the peer closed inside a response; \(socket.received.count) bytes of it had come")
        }
    }
}
