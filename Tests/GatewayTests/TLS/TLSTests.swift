// The gateway over TLS, the built binary: whom each listener takes, and what it asks of those behind it.
// The HTTP contract, section 1: TLS on every TCP listener not marked plain, a client CA binds the worker ones.

import Foundation
import TestSupport
import Testing

@testable import Gateway

@Suite struct TLSTests {
    @Test func `a client CA binds workers, and nobody else`() throws {
        let fleet = try SecureGateway()
        let client = try TestCertificates.shared.client
        // One listener for all: what is not for workers needs no certificate.
        for target in ["/health", "/versions", "/metrics"] {
            let visit = try fleet.get(target, port: fleet.allPort)
            #expect(visit.status == 200, "\(target)")
            #expect(visit.text.contains("Strict-Transport-Security: max-age=31536000\r\n"))
        }
        for (target, headers) in [
            ("/internal/work", SecureGateway.worker), ("/internal/party/work", SecureGateway.worker),
            ("/internal/queue", SecureGateway.ops),
        ] {
            let bare = try fleet.get(target, port: fleet.allPort, headers: headers)
            #expect(bare.status == 403 && bare.text.contains("a client certificate is needed here"), "\(target)")
            #expect(try fleet.get(target, port: fleet.allPort, headers: headers, as: client).status == 200)
        }
        // A certificate is no token.
        #expect(try fleet.get("/internal/work", port: fleet.allPort, as: client).status == 401)
        // A listener for workers alone takes no connection without.
        let refused = try fleet.get("/health", port: fleet.workerPort)
        #expect(refused.status == nil && refused.error.contains("CERTIFICATE_REQUIRED"), "\(refused)")
        let stranger = try fleet.get(
            "/health", port: fleet.workerPort, as: TestCertificates.shared.strangersClient)
        #expect(stranger.status == nil && stranger.error.contains("UNKNOWN_CA"), "\(stranger)")
        let known = try fleet.get("/internal/work", port: fleet.workerPort, headers: SecureGateway.worker, as: client)
        #expect(known.status == 200)
        // Where a listener is marked plain, nothing of this holds.
        let plain = try fleet.gateway.exchange("GET", "/internal/queue", headers: SecureGateway.ops)
        #expect(plain.status == 200 && plain.header("strict-transport-security") == nil)
        #expect(try fleet.gateway.terminate() == .exited(0))
    }

    @Test func `an https upstream is asked if its certificate is good, and told that its client came by https`() throws
    {
        let upstream = try TLSTestServer(TestCertificates.shared.server)
        let fleet = try SecureGateway(["GATEWAY_PARSER_SERVICE_URL": "https://localhost:\(upstream.port)"])
        #expect(try fleet.get("/v1/properties/1", port: fleet.allPort).status == 200)
        let stranger = try TLSTestServer(TestCertificates.shared.strangersServer)
        let wary = try SecureGateway(["GATEWAY_PARSER_SERVICE_URL": "https://127.0.0.1:\(stranger.port)"])
        let refused = try wary.get("/v1/properties/1", port: wary.allPort)
        #expect(refused.status == 502 && refused.text.contains("UPSTREAM_ERROR"))
        #expect(refused.text.contains("unable to get local issuer certificate"), "\(refused.text)")
    }

    @Test func `a PROXY header comes before TLS, and says who the client is`() throws {
        let upstream = try TestUpstream { _ in .respond(200, headers: [], body: "{}") }
        let fleet = try SecureGateway([
            "GATEWAY_PARSER_SERVICE_URL": upstream.url, "GATEWAY_PROXY_PROTOCOL": "public",
            "GATEWAY_TRUSTED_PROXIES": "127.0.0.1",
        ])
        let header = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
        #expect(try fleet.get("/v1/properties/1", port: fleet.allPort, preface: header).status == 200)
        #expect(upstream.requests.last?.header("X-Forwarded-For") == "203.0.113.7")
        // A handshake in its place is no header, and costs its connection.
        #expect(try fleet.get("/v1/properties/2", port: fleet.allPort).status == nil)
        // A listener of workers alone expects none.
        let client = try TestCertificates.shared.client
        let known = try fleet.get(
            "/internal/work", port: fleet.workerPort, headers: SecureGateway.worker, as: client)
        #expect(known.status == 200)
        #expect(upstream.requestCount == 1)
    }

    @Test func `the published keys are fetched over https`() async throws {
        let mint = try await TokenMint("key-1")
        let folder = try TemporaryFolder()
        try folder.write(TokenMint.set([mint]), to: "keys")
        let server = try TLSTestServer(TestCertificates.shared.server)
        let path = folder.path("keys").replacingOccurrences(of: "/", with: "%2F")
        let fixture = try await CallerFixture(
            [
                "GATEWAY_FIREBASE_JWKS_URL": "https://127.0.0.1:\(server.port)/\(path)",
                "GATEWAY_UPSTREAM_CA_FILE": TestCertificates.shared.authority.certificate,
            ], tiers: CallerFixture.open)
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token()).status == 200)
    }

    @Test func `Redis is spoken to by TLS, by commands too`() throws {
        let redis = try TLSRedis()
        let fleet = try SecureGateway(redisURL: redis.url)
        let folder = try TemporaryFolder()
        try folder.write(#"{"task_id":"t-1","platform":"p","target":{}}"#, to: "tasks.ndjson")
        let queued = try GatewayProcess.run(
            ["enqueue", folder.path("tasks.ndjson")], redisURL: redis.url, postgresURL: Services.shared.postgresURL,
            environment: ["GATEWAY_UPSTREAM_CA_FILE": TestCertificates.shared.authority.certificate])
        #expect(queued.isSuccess, "\(queued.errors)")
        let pulled = try fleet.get(
            "/internal/work?wait=5", port: fleet.workerPort, headers: SecureGateway.worker,
            as: TestCertificates.shared.client)
        #expect(pulled.text.contains(#""task_id":"t-1""#), "\(pulled.text)")
    }

    @Test func `certificates that are not good stop the start with one line, and check-config says so`() throws {
        let all = try TestCertificates.shared
        for (key, file, line) in [
            (all.client.key, "GATEWAY_TLS_KEY_FILE", "key values mismatch"),
            (all.lockedKey, "GATEWAY_TLS_KEY_FILE", "the certificate's key in PEM, without a passphrase"),
        ] {
            for command in ["serve", "check-config"] {
                let output = try GatewayProcess.run(
                    [command],
                    environment: ["GATEWAY_TLS_CERT_FILE": all.server.certificate, "GATEWAY_TLS_KEY_FILE": key])
                #expect(output.status == .exited(78))
                let problems = output.errors.split(separator: "\n").filter { !$0.hasPrefix("warning: ") }
                #expect(problems.count == 1 && problems[0].contains("\(file)=\"\(key)\": "), "\(output.errors)")
                #expect(problems.first?.contains(line) == true, "\(output.errors)")
            }
        }
        let authorities = try GatewayProcess.run(
            ["check-config"], environment: ["GATEWAY_UPSTREAM_CA_FILE": all.server.key])
        #expect(authorities.errors.contains("GATEWAY_UPSTREAM_CA_FILE=\"\(all.server.key)\": "))
    }
}
