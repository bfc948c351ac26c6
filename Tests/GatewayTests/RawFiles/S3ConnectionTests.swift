// The blocking HTTP client of the bucket storage, and the storage's ways through a service that fails.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct S3ConnectionTests {
    private func endpoint(_ port: Int) -> HTTPEndpoint {
        HTTPEndpoint(isSecure: false, host: "127.0.0.1", port: port, path: "")
    }

    private static let head = "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"

    private func exchange(_ answer: String) throws -> S3Answer {
        let server = try ScriptedServer { _ in .last(answer) }
        defer { server.close() }
        var connection = S3Connection(endpoint: endpoint(server.port), roots: nil, timeoutMs: 5000)
        return try connection.exchange(method: "GET", head: Self.head, .none)
    }

    @Test func `answers are read by length, in chunks, or to the end`() throws {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b \r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: t\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b \r\n\r\nhello",
            "HTTP/1.0 200 OK\r\nx-a: b \r\n\r\nhello",
        ]
        for answer in answers {
            let read = try exchange(answer)
            #expect(read.status == 200)
            #expect(read.text == "hello", "\(answer)")
            #expect(read.headers["x-a"] == "b ")
        }
    }

    @Test func `what is no answer is a failure of the service`() throws {
        let answers = [
            "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "HTTP/1.1 200", "nonsense\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n",
        ]
        for answer in answers {
            let failure = #expect(throws: RawFileFailure.self, "\(answer.prefix(80))") { _ = try exchange(answer) }
            #expect(failure?.kind == .unavailable)
        }
    }

    @Test func `a connection is used again, and opened anew after the service closed it`() throws {
        let server = try ScriptedServer { request in
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
            return request.target == "/last" ? .last("\(answer)Connection: close\r\n\r\n") : .text("\(answer)\r\n")
        }
        defer { server.close() }
        var connection = S3Connection(endpoint: endpoint(server.port), roots: nil, timeoutMs: 5000)
        // The server takes one connection at a time: a second one while the first is open would wait for ever.
        for target in ["/a", "/b", "/last", "/c"] {
            let head = "GET \(target) HTTP/1.1\r\nhost: h\r\n\r\n"
            #expect(try connection.exchange(method: "GET", head: head, .none).status == 200)
        }
        #expect(server.requests.map(\.target) == ["/a", "/b", "/last", "/c"])
    }

    @Test func `a refusal before the end of the body is the answer`() throws {
        let server = try ScriptedServer { _ in .early("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno") }
        defer { server.close() }
        var connection = S3Connection(endpoint: endpoint(server.port), roots: nil, timeoutMs: 5000)
        let body = [UInt8](repeating: 1, count: 100)
        let head = "PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: \(body.count)\r\n\r\n"
        let answer = try connection.exchange(method: "PUT", head: head, .bytes(body))
        #expect(answer.status == 403 && answer.text == "no")
    }

    @Test func `a service that says nothing is given up after the timeout, one that is not there at once`() throws {
        let silent = try ScriptedServer { _ in .text("") }
        defer { silent.close() }
        var connection = S3Connection(endpoint: endpoint(silent.port), roots: nil, timeoutMs: 50)
        let failure = #expect(throws: RawFileFailure.self) {
            _ = try connection.exchange(method: "GET", head: Self.head, .none)
        }
        #expect(failure?.reason.contains("timed out") == true)
        var nowhere = S3Connection(endpoint: endpoint(try FreePort.next()), roots: nil, timeoutMs: 5000)
        #expect(throws: RawFileFailure.self) { _ = try nowhere.exchange(method: "GET", head: Self.head, .none) }
    }

    // MARK: - The storage

    private func settings(_ port: Int, _ folder: TemporaryFolder, token: String? = nil) throws -> S3Settings {
        var environment = [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:\(port)", "TMPDIR": folder.path,
        ]
        environment["AWS_SESSION_TOKEN"] = token
        return try S3Settings(bucket: "bucket", prefix: "/a b/", environment: environment)
    }

    private func store(_ settings: S3Settings, bytes: Int) throws -> StoredRawFile {
        let store = BucketRawStore(settings: settings, singleBytesMax: 1000, partBytesMin: 1000)
        try store.open()
        let spool = try store.makeSpool()
        var buffer = ByteBuffer()
        for index in 0..<bytes { buffer.append(UInt8(truncatingIfNeeded: index)) }
        try spool.append(buffer)
        return try store.store(
            spool, RawFileSidecar(workerID: "w", metadata: Array("{}".utf8), receivedAt: WallTime(msSinceEpoch: 0)))
    }

    private static let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    private static let fine = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    private static func xml(_ status: String, _ text: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
    }

    @Test func `requests carry the hash of their payload, the session token and a signature over both`() throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer { .text($0.method == "HEAD" ? Self.missing : Self.fine) }
        defer { server.close() }
        let stored = try store(try settings(server.port, folder, token: "token"), bytes: 10)
        let put = try #require(server.requests.first { $0.method == "PUT" })
        #expect(put.target == "/bucket/a%20b/\(stored.key.dropFirst(4))")
        #expect(put.headers["x-amz-content-sha256"] == SHA256Digest.of(put.body.rawBytes).hex)
        #expect(put.headers["x-amz-security-token"] == "token")
        let authorization = try #require(put.headers["authorization"])
        #expect(
            authorization.contains(
                "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "))
        #expect(authorization.contains("/eu-west-1/s3/aws4_request"))
        #expect(put.body == (0..<10).map { UInt8($0) })
        #expect(server.requests.map(\.method) == ["HEAD", "PUT", "HEAD", "PUT"])
    }

    @Test func `a failing part is repeated, then the whole upload is given up`() throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer { request in
            if request.method == "HEAD" { return .text(Self.missing) }
            if request.target.hasSuffix("?uploads=") {
                return .text(Self.xml("200 OK", "<R><UploadId>an id+/</UploadId></R>"))
            }
            if request.target.contains("partNumber=2") {
                return .text(Self.xml("503 Slow Down", "<Error><Code>SlowDown</Code></Error>"))
            }
            return .text("HTTP/1.1 200 OK\r\nETag: \"tag\"\r\nContent-Length: 0\r\n\r\n")
        }
        defer { server.close() }
        let settings = try settings(server.port, folder)
        let failure = #expect(throws: RawFileFailure.self) { _ = try store(settings, bytes: 2500) }
        #expect(failure?.kind == .unavailable)
        #expect(failure?.reason.contains("SlowDown") == true)
        let targets = server.requests.map(\.target)
        #expect(targets.count { $0.contains("partNumber=2") } == S3Client.attemptsMax)
        #expect(!targets.contains { $0.contains("partNumber=3") })
        #expect(server.requests.last?.method == "DELETE")
        #expect(targets.last?.hasSuffix("?uploadId=an%20id%2B%2F") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: settings.spoolFolder).isEmpty)
    }

    @Test func `a failure inside a 200 of completing is a failure, and the upload is given up`() throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer { request in
            switch (request.method, request.target.contains("uploads=")) {
            case ("HEAD", _): .text(Self.missing)
            case ("POST", true): .text(Self.xml("200 OK", "<R><UploadId>id</UploadId></R>"))
            case ("POST", false): .text(Self.xml("200 OK", "<Error><Code>InternalError</Code></Error>"))
            default: .text("HTTP/1.1 200 OK\r\nETag: \"tag\"\r\nContent-Length: 0\r\n\r\n")
            }
        }
        defer { server.close() }
        let settings = try settings(server.port, folder)
        let failure = #expect(throws: RawFileFailure.self) { _ = try store(settings, bytes: 2500) }
        #expect(failure?.reason.contains("InternalError") == true)
        #expect(server.requests.last?.method == "DELETE")
    }

    @Test func `credentials that are refused are not tried again and are no passing trouble`() throws {
        let folder = try TemporaryFolder()
        let server = try ScriptedServer { _ in .text("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") }
        defer { server.close() }
        let settings = try settings(server.port, folder)
        let failure = #expect(throws: RawFileFailure.self) { _ = try store(settings, bytes: 10) }
        #expect(failure?.kind == .misconfigured)
        #expect(server.requests.count == 1)
    }

    @Test func `settings come from AWS's variables, and a missing one is named`() throws {
        let full = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"]
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            var environment = full
            environment[name] = ""
            let failure = #expect(throws: BadSetting.self) {
                _ = try S3Settings(bucket: "b", prefix: "", environment: environment)
            }
            #expect(failure?.reason.contains(name) == true)
        }
        let settings = try S3Settings(bucket: "b", prefix: "p/", environment: full)
        #expect(settings.host == "b.s3.eu-west-1.amazonaws.com")
        #expect(settings.path(ofKey: settings.key("k")) == "/p/k")
        let dotted = try S3Settings(bucket: "b.c", prefix: "", environment: full)
        #expect(dotted.host == "s3.eu-west-1.amazonaws.com")
        #expect(dotted.path(ofKey: nil) == "/b.c")
        let bad = full.merging(["AWS_ENDPOINT_URL": "ftp://x"]) { $1 }
        #expect(throws: BadSetting.self) { _ = try S3Settings(bucket: "b", prefix: "", environment: bad) }
    }
}
