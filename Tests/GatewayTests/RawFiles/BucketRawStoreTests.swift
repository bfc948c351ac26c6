// The bucket storage against moto's S3, plain and by TLS. Left out, with a message, where moto is not installed.

import Foundation
import Reactor
import Testing

@testable import Gateway
@testable import TestSupport

@Suite(.enabled(if: MotoServer.isInstalled, "needs moto: scripts/install --tests"))
struct BucketRawStoreTests {
    @Test func `an upload becomes an object and its sidecar, and the same bytes are a duplicate`() async throws {
        let moto = try MotoServer()
        let files = RawFiles(store: BucketRawStore(settings: try moto.settings()), fileBytesMax: 1 << 20, threads: 4)
        defer { files.close() }
        try files.start()
        #expect(await files.check() == nil)
        let answer = try await files.receive(UploadForm()).get()
        let digest = SHA256Digest.of("<html></html>").hex
        #expect(
            answer.path == "raw files/\(digest.prefix(2))/\(digest.dropFirst(2).prefix(2))/\(digest)")
        #expect(!answer.isDuplicate)
        #expect(try moto.get(answer.path) == "<html></html>")
        #expect(try await files.receive(UploadForm()).get().isDuplicate)
        #expect(try await files.receive(UploadForm(), workerID: "worker-2").get().isDuplicate)
        let keys = try moto.keys()
        #expect(keys.count == 3)
        #expect(keys.first == answer.path)
        let sidecars = try keys.dropFirst().map { key in
            try JSONSerialization.jsonObject(with: Data(try moto.get(key).utf8)) as? [String: Any]
        }
        #expect(Set(sidecars.compactMap { $0?["worker_id"] as? String }) == ["worker-1", "worker-2"])
        #expect(sidecars.allSatisfy { $0?["sha256"] as? String == digest })
    }

    @Test func `a large file goes in parts and is whole again`() async throws {
        let moto = try MotoServer()
        let store = BucketRawStore(settings: try moto.settings(), singleBytesMax: 1 << 20, partBytesMin: 5 << 20)
        let files = RawFiles(store: store, fileBytesMax: 16 << 20, threads: 4)
        defer { files.close() }
        try files.start()
        var form = UploadForm()
        form.file = (0..<(11 << 20) + 3).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        let answer = try await files.receive(form).get()
        #expect(answer.size == (11 << 20) + 3)
        #expect(try moto.digest(answer.path) == answer.sha256)
        #expect(try await files.receive(form).get().isDuplicate)
    }

    @Test func `by TLS the service must prove itself with a certificate that is trusted`() async throws {
        let moto = try MotoServer(isSecure: true)
        let files = RawFiles(store: BucketRawStore(settings: try moto.settings()), fileBytesMax: 1 << 20, threads: 1)
        defer { files.close() }
        try files.start()
        let answer = try await files.receive(UploadForm()).get()
        #expect(try moto.get(answer.path) == "<html></html>")

        var untrusting = try moto.settings()
        untrusting.caFile = nil
        let refusing = RawFiles(store: BucketRawStore(settings: untrusting), fileBytesMax: 1 << 20, threads: 1)
        defer { refusing.close() }
        try refusing.start()
        #expect(await refusing.receive(UploadForm()).problem?.status == 503)
        #expect(await refusing.check()?.kind == .unavailable)
    }

    @Test func `a bucket that is not there, or a service that went, is no 200`() async throws {
        let moto = try MotoServer()
        var elsewhere = try moto.settings()
        elsewhere.bucket = "no-such-bucket"
        let lost = RawFiles(store: BucketRawStore(settings: elsewhere), fileBytesMax: 1 << 20, threads: 1)
        defer { lost.close() }
        try lost.start()
        #expect(await lost.receive(UploadForm()).problem?.status == 500)
        #expect(await lost.check()?.kind == .misconfigured)

        let files = RawFiles(store: BucketRawStore(settings: try moto.settings()), fileBytesMax: 1 << 20, threads: 1)
        defer { files.close() }
        try files.start()
        moto.stop()
        let problem = await files.receive(UploadForm()).problem
        #expect(problem?.status == 503)
        #expect(problem?.retryAfterSeconds == 5)
    }
}

/// moto's server with one bucket. Ends with the object.
private final class MotoServer {
    private static let bucket = "raw-bucket"

    /// The one that scripts/install made, else one on PATH.
    private static let program: String = {
        let own = "\(Checkout.root)/.build-tools/moto/bin/moto_server"
        return FileManager.default.isExecutableFile(atPath: own) ? own : "moto_server"
    }()

    static let isInstalled: Bool = {
        // Not there, or a shim without a program behind it: the suite is left out and says so.
        (try? ChildProcess.run(program, ["--help"]))?.isSuccess ?? false
    }()

    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let url: String
    private let isSecure: Bool

    init(isSecure: Bool = false) throws {
        folder = try TemporaryFolder()
        self.isSecure = isSecure
        let port = try FreePort.next()
        var arguments = ["-H", "127.0.0.1", "-p", "\(port)"]
        if isSecure {
            try Self.makeCertificate(folder)
            arguments += ["-c", folder.path("certificate"), "-k", folder.path("key")]
        }
        url = "\(isSecure ? "https" : "http")://127.0.0.1:\(port)"
        process = try ChildProcess(
            Self.program, arguments, outputPath: folder.path("log"), errorPath: folder.path("log"))
        // Should the test process be killed, the sweep ends moto.
        TestRun.record(child: process.pid)
        try eventually("moto answers", deadlineSeconds: 60) {
            guard process.isRunning else { throw TestFailure("moto ended: \(try folder.read("log"))") }
            return try curl(["-X", "PUT", "\(url)/\(Self.bucket)"]).isSuccess
        }
    }

    deinit { stop() }

    func stop() {
        process.signal(SIGKILL)
        _ = try? process.waitForExit()  // Killed: it ends.
        TestRun.forget(child: process.pid)
    }

    private static func makeCertificate(_ folder: TemporaryFolder) throws {
        let made = try ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder.path("key"), "-out",
                folder.path("certificate"),
            ])
        guard made.isSuccess else { throw TestFailure("openssl: \(made.errors)") }
    }

    func settings() throws -> S3Settings {
        try S3Settings(
            bucket: Self.bucket, prefix: "raw files",
            environment: [
                "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": url,
                "AWS_CA_BUNDLE": isSecure ? folder.path("certificate") : "", "TMPDIR": folder.path,
            ])
    }

    private func curl(_ arguments: [String]) throws -> CommandOutput {
        let trust = isSecure ? ["--cacert", folder.path("certificate")] : []
        let login = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "id:secret"]
        return try ChildProcess.run("curl", ["-sS", "-f"] + trust + login + arguments)
    }

    private func fetch(_ arguments: [String]) throws -> String {
        let fetched = try curl(arguments)
        guard fetched.isSuccess else { throw TestFailure("curl \(arguments): \(fetched.errors)") }
        return fetched.output
    }

    func get(_ key: String) throws -> String {
        try fetch(["\(url)/\(Self.bucket)/\(S3Signer.encoded(key, keepsSlashes: true))"])
    }

    /// SHA-256 of an object.
    func digest(_ key: String) throws -> String {
        let path = folder.path("object")
        _ = try fetch(["-o", path, "\(url)/\(Self.bucket)/\(S3Signer.encoded(key, keepsSlashes: true))"])
        return SHA256Digest.of(Array(try Data(contentsOf: URL(fileURLWithPath: path))).rawBytes).hex
    }

    /// All keys, sorted.
    func keys() throws -> [String] {
        let list = try fetch(["\(url)/\(Self.bucket)?list-type=2"])
        return list.split(separator: "<Key>").dropFirst().compactMap { $0.split(separator: "</Key>").first }
            .map(String.init).sorted()
    }
}
