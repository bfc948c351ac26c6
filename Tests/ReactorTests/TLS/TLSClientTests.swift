// The HTTP client over TLS, against a server that is not ours (Python's ssl): who is trusted, what is resumed, what a
// cut is taken for.

import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSClientTests {
    private func context(_ authorities: TLSContext.Authorities? = nil) throws -> CurrentTLSContext {
        let standard = TLSContext.Authorities.file(try TestCertificates.shared.authority.certificate)
        return CurrentTLSContext(try TLSContext(authorities: authorities ?? standard))
    }

    private func endpoint(_ port: Int, host: String = "127.0.0.1") -> HTTPClientEndpoint {
        HTTPClientEndpoint(isSecure: true, host: host, port: UInt16(port))
    }

    @Test(arguments: ["1.2", "1.3"])
    func `a server with a good certificate is answered over kept and resumed connections`(
        _ version: String
    ) async throws {
        let server = try TLSTestServer(TestCertificates.shared.server, version: version)
        let context = try context()
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor, tls: context)
            for host in ["127.0.0.1", "localhost"] {
                let endpoint = endpoint(server.port, host: host)
                for _ in 0..<3 {
                    let kept = try await client.get("/length/5", endpoint)
                    #expect(kept == (200, "xxxxx"))
                }
                // The server ends the connection behind its answer: the next one goes on with the session.
                for _ in 0..<3 {
                    let ended = try await client.get("/close/3", endpoint)
                    #expect(ended == (200, "xxx"))
                }
            }
            #expect(client.counts.reuses == 6)
            #expect(client.counts.connectionsOpened == 6 && client.counts.resumptions == 4)
            client.close()
        }
    }

    @Test(arguments: [
        ("other host", "IP address mismatch"), ("expired", "certificate has expired"),
        ("stranger", "unable to get local issuer certificate"), ("plain", "wrong version number"),
        ("by name", "hostname mismatch"),
    ])
    func `a server that cannot be trusted is not asked, and the failure says why`(
        _ kind: String, _ reason: String
    ) async throws {
        let all = try TestCertificates.shared
        let pair =
            switch kind {
            case "expired": all.expired
            case "stranger": all.strangersServer
            default: all.otherHost
            }
        let server = try TLSTestServer(pair)
        let context = try context()
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor, tls: context)
            var endpoint = endpoint(server.port, host: kind == "by name" ? "localhost" : "127.0.0.1")
            let plain = try FakeUpstream(reactor)
            if kind == "plain" { endpoint.port = plain.port }
            let asked = endpoint
            let task = Task(executorPreference: reactor.executor) { await client.failure(asked) }
            if kind == "plain" {
                // To it a ClientHello is the beginning of a request: it is told to answer.
                try await reactor.until("it is connected to") { plain.openCount == 1 }
                plain.sendToAll("HTTP/1.1 400 Bad Request\r\n\r\n")
            }
            let failure = await task.value
            guard case .connectFailed(let text) = failure else {
                Issue.record("\(failure as Any)")
                return
            }
            #expect(text.hasSuffix(": \(reason)"), "\(text)")
            #expect(failure?.isUnsent == true)
            client.close()
            plain.close()
        }
    }

    @Test func `without verification any certificate will do, and without a context there is no https`() async throws {
        let server = try TLSTestServer(TestCertificates.shared.otherHost)
        let context = try context(.notChecked)
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor, tls: context)
            let got = try await client.get("/length/1", endpoint(server.port))
            #expect(got == (200, "x"))
            client.close()
            let bare = HTTPClient(reactor: reactor)
            #expect(await bare.failure(endpoint(server.port)) == .unsupported("https without a TLS context"))
        }
    }

    @Test func `other authorities are asked anew, whatever session there is`() async throws {
        let server = try TLSTestServer(TestCertificates.shared.server)
        let context = try context()
        let stranger = try TLSContext(authorities: .file(TestCertificates.shared.stranger.certificate))
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor, tls: context)
            let endpoint = endpoint(server.port)
            let got = try await client.get("/close/1", endpoint)
            #expect(got == (200, "x"))
            context.replace(by: stranger)
            guard case .connectFailed(let text) = await client.failure(endpoint) else {
                Issue.record("it was trusted")
                return
            }
            #expect(text.hasSuffix("unable to get local issuer certificate"))
            client.close()
        }
    }

    @Test func `a body that ends with the connection is whole only with a goodbye`() async throws {
        let server = try TLSTestServer(TestCertificates.shared.server)
        let context = try context()
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor, tls: context)
            let endpoint = endpoint(server.port)
            let whole = try await client.get("/close/100000", endpoint)
            #expect(whole.status == 200 && whole.body.utf8.count == 100_000)
            let response = try await client.send(HTTPClientRequest(.get, "/cut/100000", endpoints: [endpoint]))
            await #expect(throws: HTTPClientFailure.resetDuringResponse) {
                _ = try await response.collect(bytesMax: 1 << 20)
            }
            client.close()
        }
    }

    @Test func `a long body streams with bounded memory, at the reader's pace`() async throws {
        let server = try TLSTestServer(TestCertificates.shared.server)
        let context = try context()
        try await onReactor { reactor in
            let total = 20 << 20
            let client = HTTPClient(reactor: reactor, tls: context)
            let response = try await client.send(
                HTTPClientRequest(.get, "/length/\(total)", endpoints: [endpoint(server.port)]))
            var piece = ByteBuffer()
            var (received, longest) = (0, 0)
            while try await response.read(into: &piece) {
                received += piece.count
                longest = max(longest, piece.count)
                piece.clear()
                // Slower than the server: what waits shows what is held.
                await reactor.sleep(.milliseconds(1))
            }
            #expect(received == total)
            #expect(longest <= client.limits.waitingBytesMax + 64 * 1024 + TLSSession.recordBytesMax)
            #expect(client.connectionCount(of: endpoint(server.port)) == (1, 1))
            client.close()
        }
    }

    @Test func `a handshake that goes nowhere ends with the time to connect`() async throws {
        let context = try context()
        try await onReactor { reactor in
            let silent = try FakeUpstream(reactor)
            let client = HTTPClient(reactor: reactor, tls: context)
            var timeouts = HTTPClientTimeouts()
            timeouts.connect = .milliseconds(150)
            let failure = await client.failure(endpoint(Int(silent.port)), timeouts: timeouts)
            #expect(failure == .timedOut(.connect))
            #expect(silent.acceptCount == 1 && client.counts.connectsFailed == 1)
            silent.close()
            client.close()
        }
    }
}
