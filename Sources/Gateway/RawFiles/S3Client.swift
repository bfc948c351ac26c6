// The requests that storing takes, signed, repeated where that may help, their failures told apart.
// Belongs to one job on a helper thread, and blocks. Limit: `attemptsMax` times the connection's own.
// Source: Amazon S3 API Reference.

import Reactor

struct S3Client: ~Copyable {
    static let attemptsMax = 3
    /// Doubled after each failed attempt.
    static let pauseMs: Int64 = 200

    private let settings: S3Settings
    private let signer: S3Signer
    private var connection: S3Connection

    init(settings: S3Settings, roots: TrustedRoots?) {
        self.settings = settings
        signer = S3Signer(credentials: settings.credentials, region: settings.region)
        connection = S3Connection(endpoint: settings.endpoint, roots: roots)
    }

    /// Throws where the bucket cannot be reached with these credentials.
    mutating func checkBucket() throws(RawFileFailure) {
        _ = try send("HEAD", key: nil)
    }

    /// The size of an object; nil where there is none.
    mutating func size(ofKey key: String) throws(RawFileFailure) -> Int? {
        let answer = try send("HEAD", key: key, allowing: 404)
        return answer.status == 404 ? nil : answer.headers["content-length"].flatMap { Int($0) }
    }

    /// Stores an object in one request.
    mutating func put(
        _ key: String, contentType: String, _ payload: S3Payload, digest: SHA256Digest
    ) throws(RawFileFailure) {
        _ = try send(
            "PUT", key: key, headers: [("content-type", contentType)], payload, payloadHash: digest.hex)
    }

    /// Stores a file in parts of `partBytes`, and gives the upload up where one of them fails.
    mutating func putParts(
        _ key: String, contentType: String, _ file: TemporaryFile, size: Int, partBytes: Int
    ) throws(RawFileFailure) {
        let answer = try send("POST", key: key, query: [("uploads", "")], headers: [("content-type", contentType)])
        guard let upload = Self.element("UploadId", of: answer.text) else {
            throw RawFileFailure(.unavailable, "the service named no multipart upload")
        }
        do throws(RawFileFailure) {
            let tags = try sendParts(key, upload, file, size: size, partBytes: partBytes)
            try complete(key, upload, tags)
        } catch {
            abandon(key, upload)
            throw error
        }
    }

    private mutating func sendParts(
        _ key: String, _ upload: String, _ file: TemporaryFile, size: Int, partBytes: Int
    ) throws(RawFileFailure) -> [String] {
        var tags: [String] = []
        var offset = 0
        while offset < size {
            let part = S3Payload.file(file, offset: offset, count: min(partBytes, size - offset))
            let answer = try send(
                "PUT", key: key, query: [("partNumber", "\(tags.count + 1)"), ("uploadId", upload)], part,
                payloadHash: try Self.hash(part))
            guard let tag = answer.headers["etag"] else {
                throw RawFileFailure(.unavailable, "the service gave a part no tag")
            }
            tags.append(tag)
            offset += part.count
        }
        return tags
    }

    private mutating func complete(_ key: String, _ upload: String, _ tags: [String]) throws(RawFileFailure) {
        let parts = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(Self.escaped(tag))</ETag></Part>"
        }
        let document = Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8)
        let answer = try send(
            "POST", key: key, query: [("uploadId", upload)], headers: [("content-type", "application/xml")],
            .bytes(document), payloadHash: SHA256Digest.of(document.rawBytes).hex)
        // A failure may come after the status line has gone out as 200. Services name the result's element differently.
        guard !answer.text.contains("<Error>"), Self.element("ETag", of: answer.text) != nil else {
            throw RawFileFailure(.unavailable, "completing: \(Self.element("Code", of: answer.text) ?? "no result")")
        }
    }

    private mutating func abandon(_ key: String, _ upload: String) {
        do throws(RawFileFailure) {
            _ = try send("DELETE", key: key, query: [("uploadId", upload)], allowing: 404)
        } catch {
            // The parts stay and cost until the bucket's lifecycle rule for incomplete uploads removes them.
            RawFiles.log(error)
        }
    }

    // MARK: - One request

    private mutating func send(
        _ method: String, key: String?, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], _ payload: S3Payload = .none,
        payloadHash: String = SHA256Digest.of("").hex, allowing allowed: Int = 200
    ) throws(RawFileFailure) -> S3Answer {
        var attempt = 1
        while true {
            let failure: RawFileFailure
            do throws(RawFileFailure) {
                let head = head(method, key, query, headers, payload, payloadHash)
                let answer = try connection.exchange(method: method, head: head, payload)
                if (200..<300).contains(answer.status) || answer.status == allowed { return answer }
                failure = Self.failure(answer, "\(method) \(key ?? settings.bucket)")
            } catch {
                failure = error
            }
            if failure.kind != .unavailable || attempt == Self.attemptsMax { throw failure }
            blockThread(for: .milliseconds(Self.pauseMs << Int64(attempt - 1)))
            attempt += 1
        }
    }

    private func head(
        _ method: String, _ key: String?, _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)], _ payload: S3Payload, _ payloadHash: String
    ) -> String {
        let time = WallTime.now()
        var signed =
            headers + [
                ("host", settings.host), ("x-amz-date", S3Signer.timestamp(time)),
                ("x-amz-content-sha256", payloadHash),
            ]
        if let token = settings.credentials.sessionToken { signed.append(("x-amz-security-token", token)) }
        let path = settings.path(ofKey: key)
        let authorization = signer.authorization(
            S3Signer.Request(method: method, path: path, query: query, headers: signed, payloadHash: payloadHash),
            at: time)
        let target = query.isEmpty ? path : "\(path)?\(S3Signer.queryText(query))"
        let lines = signed.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "\(method) \(target) HTTP/1.1\r\n\(lines)authorization: \(authorization)\r\n"
            + "content-length: \(payload.count)\r\n\r\n"
    }

    private static func failure(_ answer: S3Answer, _ doing: String) -> RawFileFailure {
        let code = element("Code", of: answer.text) ?? "no reason given"
        switch answer.status {
        // The upload was given up by somebody, or the service asks to come again.
        case 404 where code == "NoSuchUpload", 408, 409, 429, 500...:
            return RawFileFailure(.unavailable, "\(doing): \(answer.status) \(code)")
        default: return RawFileFailure(.misconfigured, "\(doing): \(answer.status) \(code)")
        }
    }

    private static func hash(_ payload: S3Payload) throws(RawFileFailure) -> String {
        let hash = SHA256()
        try payload.forEachPiece { (piece) throws(RawFileFailure) in
            hash.update(piece)
        } failed: { error in
            RawFileFailure(error, "reading an upload back")
        }
        return hash.finish().hex
    }

    /// The text of the first element of that name. The service's answers nest no element in one of its own name.
    static func element(_ name: String, of xml: String) -> String? {
        guard let start = xml.firstRange(of: "<\(name)>")?.upperBound,
            let end = xml[start...].firstRange(of: "</\(name)>")?.lowerBound
        else { return nil }
        return String(xml[start..<end])
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }
}
