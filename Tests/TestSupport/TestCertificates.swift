// Certificates for the tests, made by the openssl command once a run: an authority, a server and a client that it vouches
// for, and those that must not pass. All keys are P-256. Any thread reads the paths.

import Foundation

public final class TestCertificates: Sendable {
    /// A certificate and its key, PEM files.
    public struct Pair: Sendable {
        public let certificate: String
        public let key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    private static let result = Result { try TestCertificates() }
    public static var shared: TestCertificates { get throws { try result.get() } }

    private let folder: TemporaryFolder
    /// The authority of all that have no word of their own.
    public let authority: Pair
    /// Another authority, that nobody was told to trust.
    public let stranger: Pair
    /// For `localhost`, 127.0.0.1 and ::1.
    public let server: Pair
    /// The same names, another certificate.
    public let newServer: Pair
    public let otherHost: Pair
    public let expired: Pair
    public let strangersServer: Pair
    public let client: Pair
    public let strangersClient: Pair
    /// The server's key with a passphrase.
    public let lockedKey: String

    private init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        let names = "DNS:localhost,IP:127.0.0.1,IP:::1"
        authority = try Self.authority("authority", folder)
        stranger = try Self.authority("stranger", folder)
        server = try Self.issue("server", names, by: authority, folder)
        newServer = try Self.issue("new-server", names, by: authority, folder)
        otherHost = try Self.issue("other-host", "DNS:other.test", by: authority, folder)
        expired = try Self.issue("expired", names, by: authority, days: -1, folder)
        strangersServer = try Self.issue("strangers-server", names, by: stranger, folder)
        client = try Self.issue("client", "DNS:worker.test", by: authority, folder)
        strangersClient = try Self.issue("strangers-client", "DNS:worker.test", by: stranger, folder)
        lockedKey = folder.path("locked.key")
        try Self.openssl(["ec", "-in", server.key, "-aes128", "-passout", "pass:secret", "-out", lockedKey])
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    private static func authority(_ name: String, _ folder: TemporaryFolder) throws -> Pair {
        let pair = Pair(certificate: folder.path("\(name).pem"), key: folder.path("\(name).key"))
        try openssl(
            ["req", "-x509"] + newKey + [
                "-keyout", pair.key, "-out", pair.certificate, "-subj", "/CN=\(name)", "-days", "2", "-addext",
                "keyUsage=critical,keyCertSign",
            ])
        return pair
    }

    private static func issue(
        _ name: String, _ names: String, by authority: Pair, days: Int = 2, _ folder: TemporaryFolder
    ) throws -> Pair {
        let pair = Pair(certificate: folder.path("\(name).pem"), key: folder.path("\(name).key"))
        let request = folder.path("\(name).csr")
        try openssl(
            ["req", "-new"] + newKey + [
                "-keyout", pair.key, "-out", request, "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)",
            ])
        try openssl([
            "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-days", "\(days)",
            "-copy_extensions", "copy", "-out", pair.certificate,
        ])
        return pair
    }

    private static func openssl(_ arguments: [String]) throws {
        let made = try ChildProcess.run("openssl", arguments)
        guard made.isSuccess else { throw TestFailure("openssl \(arguments): \(made.errors)") }
    }
}
