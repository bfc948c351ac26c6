// The HTTP server over TLS, as clients that are not ours see it: Python's ssl and openssl's s_client.

import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSServerTests {
    static func context(
        _ pair: TestCertificates.Pair? = nil, _ certificates: TLSContext.ClientCertificates = .notAsked
    ) throws -> TLSContext {
        let all = try TestCertificates.shared
        let pair = pair ?? all.server
        return try TLSContext(
            certificateFile: pair.certificate, keyFile: pair.key, clientAuthorityFile: all.authority.certificate,
            clientCertificates: certificates)
    }

    private func start(
        _ certificates: TLSContext.ClientCertificates = .notAsked, _ change: (inout HTTPLimits) -> Void = { _ in }
    ) throws -> (TestServer, TLSVisitOptions) {
        let server = try TestServer(tls: CurrentTLSContext(try Self.context(nil, certificates)), change)
        return (server, TLSVisitOptions(port: server.port, ca: try TestCertificates.shared.authority.certificate))
    }

    @Test(arguments: ["1.2", "1.3"])
    func `a request over TLS is answered, with HSTS and a goodbye`(_ version: String) throws {
        var (server, options) = try start()
        options.version = version
        options.alpn = ["h2", "http/1.1"]
        let visit = try TLSPeers.visit(options)
        #expect(visit.error == "" && visit.version == "TLSv\(version)" && visit.alpn == "http/1.1")
        #expect(visit.status == 200 && visit.text.hasSuffix("GET /echo ") && visit.end == "goodbye")
        #expect(visit.text.contains("\r\nStrict-Transport-Security: max-age=31536000\r\n"))
        server.stop()
    }

    @Test(arguments: [("1.2", 1), ("1.3", 1), ("1.3", 7), ("1.3", 5000)])
    func `records may arrive in any pieces`(_ version: String, _ piece: Int) throws {
        var (server, options) = try start()
        options.version = version
        options.piece = piece
        let count = piece == 1 ? 2_000 : 300_000
        options.request = "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(count)\r\n\r\n"
        options.body_bytes = count
        let visit = try TLSPeers.visit(options)
        #expect(visit.error == "" && visit.status == 200 && visit.end == "goodbye")
        #expect(visit.length > count)
        server.stop()
    }

    @Test func `TLS 1.1 is refused`() throws {
        let (server, _) = try start()
        let output = try ChildProcess.run(
            "openssl",
            ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], input: "")
        #expect(!output.isSuccess)
        #expect(output.errors.contains("protocol version"))
        try server.eventually("it is told") { $0.handshakeFailures == ["unsupported protocol"] }
        server.stop()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a session is resumed`(_ version: String) throws {
        var (server, options) = try start()
        options.version = version == "-tls1_2" ? "1.2" : "1.3"
        options.times = 3
        let visits = try TLSPeers.visits(options)
        #expect(visits.map(\.resumed) == [false, true, true])
        #expect(visits.allSatisfy { $0.error == "" && $0.status == 200 })
        server.stop()
    }

    @Test func `openssl resumes too, and may not renegotiate`() throws {
        let (server, _) = try start()
        let address = ["-connect", "127.0.0.1:\(server.port)", "-tls1_2"]
        let again = try ChildProcess.run("openssl", ["s_client", "-reconnect"] + address, input: "")
        #expect(again.output.matches(of: /\nReused, TLSv1.2/).count == 5)
        let renewal = try ChildProcess.run("openssl", ["s_client"] + address, input: "R\n")
        #expect(renewal.errors.contains("RENEGOTIATING") || renewal.output.contains("RENEGOTIATING"))
        #expect(renewal.errors.contains("no renegotiation"))
        server.stop()
    }

    @Test func `only HTTP/1.1 is spoken`() throws {
        var (server, options) = try start()
        options.alpn = ["h2"]
        let visit = try TLSPeers.visit(options)
        #expect(visit.error.contains("no application protocol"))
        server.stop()
    }

    @Test func `plain HTTP is told that TLS is wanted, and rubbish is cut off`() throws {
        let (server, _) = try start()
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try client.readResponse()
        #expect(answer.status == 400 && answer.header("connection") == "close")
        #expect(answer.bodyText.contains("this port speaks TLS: use https"))
        #expect(answer.header("strict-transport-security") == nil)
        #expect(try client.readsEnd())
        let rubbish = try server.client()
        try rubbish.send("\u{1}\u{2}\u{3} no TLS at all, nor HTTP\r\n\r\n")
        #expect(try rubbish.readsEnd())
        try server.eventually("both are told") { $0.handshakeFailures.count == 2 }
        #expect(server.log().handled.isEmpty)
        server.stop()
    }

    @Test func `a handshake that goes nowhere ends with the header's time`() throws {
        let (server, _) = try start { $0.headerTimeout = .milliseconds(200) }
        let silent = try server.client()
        let begun = try server.client()
        // A record's head that promises more.
        try begun.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        #expect(try silent.readsEnd())
        #expect(try begun.readsEnd())
        server.stop()
    }

    @Test func `a connection over the limit is told so over TLS`() throws {
        let (server, options) = try start { $0.connectionsMax = 1 }
        let first = try server.client()
        try server.eventually("one is in") { _ in server.onReactor { $0.connectionCount } == 1 }
        let visit = try TLSPeers.visit(options)
        #expect(visit.status == 503 && visit.end == "goodbye" && visit.error == "")
        first.socket.close()
        server.stop()
    }

    @Test(arguments: [TLSContext.ClientCertificates.asked, .required])
    func `a client's certificate is checked, and missed where it must be there`(
        _ wanted: TLSContext.ClientCertificates
    ) throws {
        let certificates = try TestCertificates.shared
        for version in ["1.2", "1.3"] {
            var (server, options) = try start(wanted)
            options.version = version
            let bare = try TLSPeers.visit(options)
            #expect(bare.status == (wanted == .asked ? 200 : nil))
            options.present(certificates.strangersClient)
            let strange = try TLSPeers.visit(options)
            #expect(strange.status == nil && strange.error.contains("UNKNOWN_CA"))
            options.present(certificates.client)
            let known = try TLSPeers.visit(options)
            #expect(known.status == 200 && known.error == "")
            let failures = server.log().handshakeFailures
            #expect(failures.last == "unable to get local issuer certificate")
            if wanted == .required { #expect(failures.first == "peer did not return a certificate") }
            server.stop()
        }
    }

    @Test func `a resumed client is still the one that showed its certificate`() throws {
        let server = try TestServer(tls: CurrentTLSContext(try Self.context(nil, .required)))
        var options = TLSVisitOptions(
            port: server.port, request: "GET /hold/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        options.present(try TestCertificates.shared.client)
        options.times = 2
        let visitor = try TLSVisitor(options)
        try visitor.letRead()
        for count in 1...2 {
            try server.eventually("it asks") { $0.handled.count == count }
            let isKnown = server.onReactor { [handler = server.handler] server in
                server.hasClientCertificate(handler.held["a"]!)
            }
            #expect(isKnown)
            server.answer("a")
        }
        #expect(try visitor.readAll().map(\.resumed) == [false, true])
        server.stop()
    }

    @Test func `a new certificate is for new connections`() throws {
        let certificates = try TestCertificates.shared
        let current = CurrentTLSContext(try Self.context())
        let server = try TestServer(tls: current)
        var options = TLSVisitOptions(port: server.port, ca: certificates.authority.certificate)
        let before = try TLSPeers.visit(options)
        options.request = "GET /hold/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let open = try TLSVisitor(options)
        try server.eventually("it waits") { $0.handled.contains("/hold/a") }
        current.replace(by: try Self.context(certificates.newServer))
        options.request = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        let after = try TLSPeers.visit(options)
        server.answer("a", "late")
        let late = try open.read()
        #expect(after.status == 200 && late.status == 200 && late.text.hasSuffix("late"))
        #expect(late.certificate == before.certificate && after.certificate != before.certificate)
        server.stop()
    }
}

extension RawHTTP {
    /// Whether the peer closes, whatever it sends before.
    func readsEnd() throws -> Bool {
        while try socket.receive() > 0 {}
        return true
    }
}
