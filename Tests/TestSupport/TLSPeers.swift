// TLS peers that are not ours: Python's ssl (Tests/Fixtures/tls_peer.py) as a client and as a server. Any thread.

import Foundation

/// What the client shall do.
public struct TLSVisitOptions: Encodable, Sendable {
    public var port: Int
    /// nil: any certificate will do.
    public var ca: String?
    public var cert: String?
    public var key: String?
    /// The name that the server must prove; 127.0.0.1 where it is nil.
    public var host: String?
    /// "1.2" or "1.3"; both where it is nil.
    public var version: String?
    public var alpn: [String]?
    public var request: String
    /// As many bytes `b` follow the request.
    public var body_bytes: Int?
    /// Sent before TLS begins.
    public var preface: String?
    /// Bytes of records that are sent at once.
    public var piece: Int?
    /// Connections one after the other, each with the session of the last.
    public var times: Int?
    /// The answer is not read before this file is there.
    public var gate: String?
    public var receive_buffer: Int?

    public init(
        port: Int, ca: String? = nil, request: String = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    ) {
        self.port = port
        self.ca = ca
        self.request = request
    }

    public mutating func present(_ pair: TestCertificates.Pair) {
        cert = pair.certificate
        key = pair.key
    }
}

/// What the client saw of one connection.
public struct TLSVisit: Decodable, Sendable {
    public var version: String?
    public var alpn: String?
    public var resumed: Bool?
    /// The first 64 KiB of the answer, and how many bytes there were.
    public var text: String
    public var length: Int
    /// "goodbye" (close_notify) or "cut"; empty where it did not come to an end.
    public var end: String
    /// Empty where all went well.
    public var error: String
    /// The serial number of the server's certificate, where it was checked.
    public var certificate: String?

    public var status: Int? { text.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
}

public enum TLSPeers {
    static let program = "\(Checkout.root)/Tests/Fixtures/tls_peer.py"

    /// Runs the client to its end.
    public static func visits(_ options: TLSVisitOptions) throws -> [TLSVisit] {
        let arguments = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        let output = try ChildProcess.run("python3", [program, "client", arguments], deadlineSeconds: 120)
        guard output.isSuccess else { throw TestFailure("tls_peer.py: \(output.errors)") }
        return try visits(in: output.output)
    }

    public static func visit(_ options: TLSVisitOptions) throws -> TLSVisit {
        guard let visit = try visits(options).first else { throw TestFailure("tls_peer.py said nothing") }
        return visit
    }

    static func visits(in output: String) throws -> [TLSVisit] {
        try output.split(separator: "\n").map { try JSONDecoder().decode(TLSVisit.self, from: Data($0.utf8)) }
    }
}

/// A client that goes on by itself, for tests that look at the server meanwhile.
public final class TLSVisitor: Sendable {
    private let folder: TemporaryFolder
    private let child: ChildProcess
    private let gate: String

    /// It does not read the answer before `read`.
    public init(_ options: TLSVisitOptions) throws {
        folder = try TemporaryFolder()
        gate = folder.path("gate")
        var options = options
        options.gate = gate
        let arguments = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        child = try ChildProcess(
            "python3", [TLSPeers.program, "client", arguments], outputPath: folder.path("output"),
            errorPath: folder.path("errors"))
        TestRun.record(child: child.pid)
    }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }

    /// Lets it read the answer.
    public func letRead() throws { try folder.write("", to: "gate") }

    /// Lets it read the answer, and returns what it saw.
    public func read() throws -> TLSVisit {
        guard let visit = try readAll().first else { throw TestFailure("tls_peer.py said nothing") }
        return visit
    }

    /// The same for all of its connections.
    public func readAll() throws -> [TLSVisit] {
        try letRead()
        guard try child.waitForExit(deadlineSeconds: 120) == .exited(0) else {
            throw TestFailure("tls_peer.py: \(try folder.read("errors"))")
        }
        return try TLSPeers.visits(in: folder.read("output"))
    }
}

/// An HTTP server over TLS; what it answers is in tls_peer.py.
public final class TLSTestServer: Sendable {
    private struct Options: Encodable {
        var cert: String
        var key: String
        var version: String?
    }

    public let port: Int
    private let folder: TemporaryFolder
    private let child: ChildProcess

    public init(_ pair: TestCertificates.Pair, version: String? = nil) throws {
        let folder = try TemporaryFolder()
        let options = Options(cert: pair.certificate, key: pair.key, version: version)
        let arguments = String(decoding: try JSONEncoder().encode(options), as: UTF8.self)
        child = try ChildProcess(
            "python3", [TLSPeers.program, "server", arguments], outputPath: folder.path("output"),
            errorPath: folder.path("errors"))
        TestRun.record(child: child.pid)
        self.folder = folder
        port = try eventuallyValue("tls_peer.py listens", deadlineSeconds: 30) {
            let text = try folder.read("output")
            return text.hasSuffix("\n") ? Int(text.dropLast()) : nil
        }
    }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }
}

/// A redis-server that speaks TLS only. It asks clients for no certificate.
public final class TLSRedis: Sendable {
    public let port: Int
    private let folder: TemporaryFolder
    private let child: ChildProcess

    public init() throws {
        let all = try TestCertificates.shared
        folder = try TemporaryFolder()
        port = try FreePort.next()
        child = try ChildProcess(
            "redis-server",
            [
                "--port", "0", "--tls-port", "\(port)", "--bind", "127.0.0.1", "--tls-cert-file",
                all.server.certificate, "--tls-key-file", all.server.key, "--tls-ca-cert-file",
                all.authority.certificate, "--tls-auth-clients", "no", "--save", "", "--dir", folder.path,
            ], outputPath: folder.path("log"), errorPath: folder.path("log"))
        TestRun.record(child: child.pid)
        try eventually("redis-server listens", deadlineSeconds: 30) {
            guard child.isRunning else { throw TestFailure("redis-server ended: \(try folder.read("log"))") }
            return try folder.read("log").contains("Ready to accept connections")
        }
    }

    /// `rediss://127.0.0.1:PORT/0`
    public var url: String { "rediss://127.0.0.1:\(port)/0" }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }
}
