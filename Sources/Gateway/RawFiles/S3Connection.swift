// HTTP/1.1 with a bucket's service: one request after the other on one connection, opened anew where it has closed.
// Belongs to one job on a helper thread, and blocks. Limits: `timeoutMs` for each connect, read and write,
// `answerMsMax` from a request's last byte to the end of its answer, answers of `answerBytesMax`.
// Source: RFC 9112; the framing it accepts is Content-Length, chunked, or the end of the connection.

import Reactor

struct S3Answer: Equatable {
    var status: Int
    /// Names in lower case; of repeated ones the last.
    var headers: [String: String]
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// What a request carries.
enum S3Payload {
    case none
    case bytes([UInt8])
    /// `count` bytes of the file from `offset` on.
    case file(TemporaryFile, offset: Int, count: Int)

    var count: Int {
        switch self {
        case .none: 0
        case .bytes(let bytes): bytes.count
        case .file(_, _, let count): count
        }
    }

    /// Lends the payload to `body`, a piece at a time.
    func forEachPiece<Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Void, failed: (FileError) -> Failure
    ) throws(Failure) {
        switch self {
        case .none: break
        case .bytes(let bytes): try body(bytes.rawBytes)
        case .file(let file, let offset, let count):
            var buffer = ByteBuffer(capacity: S3Connection.pieceBytes)
            var done = 0
            while done < count {
                let read: Int
                do throws(FileError) {
                    read = try file.read(
                        at: offset + done, countMax: min(S3Connection.pieceBytes, count - done), into: &buffer)
                } catch {
                    throw failed(error)
                }
                precondition(read > 0, "a spool lost bytes")
                try body(buffer.bytes)
                buffer.clear()
                done += read
            }
        }
    }
}

struct S3Connection: ~Copyable {
    static let timeoutMs = 30_000
    static let answerMsMax: Int64 = 120_000
    static let answerBytesMax = 1024 * 1024
    static let headBytesMax = 32 * 1024
    static let pieceBytes = 256 * 1024

    private let endpoint: HTTPEndpoint
    private let roots: TrustedRoots?
    private let timeoutMs: Int
    private var stream: BlockingStream?
    private var received = ByteBuffer()
    private var deadline = Instant(nanoseconds: 0)

    /// - Parameter roots: for an `https` endpoint, else nil.
    init(endpoint: HTTPEndpoint, roots: TrustedRoots?, timeoutMs: Int = S3Connection.timeoutMs) {
        self.endpoint = endpoint
        self.roots = roots
        self.timeoutMs = timeoutMs
    }

    /// Sends a request and waits for its answer.
    /// - Parameter head: request line and header lines, with the blank line.
    mutating func exchange(
        method: String, head: String, _ payload: S3Payload
    ) throws(RawFileFailure) -> S3Answer {
        var sendFailure: RawFileFailure?
        do throws(RawFileFailure) {
            try connect()
            try send(head, payload)
        } catch {
            if stream == nil { throw error }
            // The service may have refused the request before its end, and closed: then its answer is there to read.
            sendFailure = error
        }
        do throws(RawFileFailure) {
            deadline = .read() + .milliseconds(Self.answerMsMax)
            let (answer, persists) = try receive(method)
            if !persists || sendFailure != nil { stream = nil }
            return answer
        } catch {
            stream = nil
            throw sendFailure ?? error
        }
    }

    private func failure(_ error: SystemError) -> RawFileFailure {
        RawFileFailure(.unavailable, "\(endpoint.shown): \(error)")
    }

    private mutating func connect() throws(RawFileFailure) {
        if stream != nil { return }
        received.clear()
        do throws(SystemError) {
            stream = try BlockingStream(
                host: endpoint.host, port: endpoint.port, roots: roots, timeoutMs: timeoutMs)
        } catch {
            throw failure(error)
        }
    }

    private mutating func send(_ head: String, _ payload: S3Payload) throws(RawFileFailure) {
        try write(Array(head.utf8).rawBytes)
        try payload.forEachPiece { (piece) throws(RawFileFailure) in
            try write(piece)
        } failed: { error in
            RawFileFailure(error, "reading an upload back")
        }
    }

    private func write(_ bytes: RawSpan) throws(RawFileFailure) {
        do throws(SystemError) {
            try stream?.write(bytes)
        } catch {
            throw failure(error)
        }
    }

    // MARK: - The answer

    /// - Returns: the answer, and whether the connection can be used again.
    private mutating func receive(_ method: String) throws(RawFileFailure) -> (S3Answer, persists: Bool) {
        var answer: S3Answer
        var isOldVersion: Bool
        repeat { (answer, isOldVersion) = try receiveHead() } while answer.status < 200
        var persists = !isOldVersion && answer.headers["connection"]?.lowercased() != "close"
        if method == "HEAD" || answer.status == 204 || answer.status == 304 { return (answer, persists) }
        if answer.headers["transfer-encoding"]?.lowercased() == "chunked" {
            answer.body = try receiveChunks()
        } else if let text = answer.headers["content-length"] {
            guard let count = Int(text), (0...Self.answerBytesMax).contains(count) else {
                throw unusable("Content-Length \(text)")
            }
            answer.body = try take(count)
        } else {
            persists = false
            while try receiveMore() {
                if received.count > Self.answerBytesMax { throw unusable("too large") }
            }
            answer.body = try take(received.count)
        }
        return (answer, persists)
    }

    private mutating func receiveHead() throws(RawFileFailure) -> (S3Answer, isOldVersion: Bool) {
        let status = try receiveLine().split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard status.count >= 2, status[0].hasPrefix("HTTP/1."), let code = Int(status[1]),
            (100...599).contains(code)
        else { throw unusable("no status line") }
        var answer = S3Answer(status: code, headers: [:], body: [])
        var headBytes = 0
        while true {
            let line = try receiveLine()
            if line.isEmpty { return (answer, status[0] == "HTTP/1.0") }
            headBytes += line.utf8.count
            guard headBytes <= Self.headBytesMax, let colon = line.firstIndex(of: ":") else {
                throw unusable("header lines")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            answer.headers[line[..<colon].lowercased()] = String(value)
        }
    }

    private mutating func receiveChunks() throws(RawFileFailure) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let size = try receiveLine().prefix { $0 != ";" && $0 != " " }
            guard let count = Int(size, radix: 16), count >= 0, body.count + count <= Self.answerBytesMax else {
                throw unusable("chunk size")
            }
            if count == 0 {
                while try !receiveLine().isEmpty {}
                return body
            }
            body += try take(count)
            guard try receiveLine().isEmpty else { throw unusable("chunk") }
        }
    }

    /// The next line, without its end.
    private mutating func receiveLine() throws(RawFileFailure) -> String {
        var searched = 0
        while true {
            while searched < received.count, received.bytes.byte(at: searched) != UInt8(ascii: "\n") { searched += 1 }
            if searched < received.count { break }
            if searched > Self.headBytesMax { throw unusable("a line without an end") }
            guard try receiveMore() else { throw unusable("ended early") }
        }
        let hasReturn = searched > 0 && received.bytes.byte(at: searched - 1) == UInt8(ascii: "\r")
        let line = received.bytes.extracting(0..<(hasReturn ? searched - 1 : searched)).string
        received.consume(searched + 1)
        return line
    }

    private mutating func take(_ count: Int) throws(RawFileFailure) -> [UInt8] {
        while received.count < count {
            guard try receiveMore() else { throw unusable("ended early") }
        }
        let bytes = Array(copying: received.bytes.extracting(0..<count))
        received.consume(count)
        return bytes
    }

    /// - Returns: false at the end of the stream.
    private mutating func receiveMore() throws(RawFileFailure) -> Bool {
        if Instant.read() > deadline { throw failure(.timedOut) }
        do throws(SystemError) {
            return try (stream?.read(into: &received, countMax: 64 * 1024) ?? 0) > 0
        } catch {
            throw failure(error)
        }
    }

    private func unusable(_ what: String) -> RawFileFailure {
        RawFileFailure(.unavailable, "\(endpoint.shown): unusable answer: \(what)")
    }
}
