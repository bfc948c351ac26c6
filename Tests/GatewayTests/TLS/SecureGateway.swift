// A gateway with a certificate and a client CA, on three listeners: all surfaces over TLS, workers alone over TLS, and
// operations without.

import Foundation
import TestSupport

final class SecureGateway: Sendable {
    let gateway: GatewayProcess
    let allPort: Int
    let workerPort: Int

    init(_ environment: [String: String] = [:], redisURL: String? = nil) throws {
        let certificates = try TestCertificates.shared
        let port = try FreePort.next()
        allPort = try FreePort.next()
        workerPort = try FreePort.next()
        var variables = [
            "GATEWAY_LISTENERS":
                "ops=127.0.0.1:\(port)+plain,all=127.0.0.1:\(allPort),worker=127.0.0.1:\(workerPort)",
            "GATEWAY_TLS_CERT_FILE": certificates.server.certificate,
            "GATEWAY_TLS_KEY_FILE": certificates.server.key,
            "GATEWAY_TLS_CLIENT_CA_FILE": certificates.authority.certificate,
            "GATEWAY_UPSTREAM_CA_FILE": certificates.authority.certificate, "GATEWAY_REACTORS": "1",
        ]
        variables.merge(environment) { _, given in given }
        gateway = try GatewayProcess(redisURL: redisURL, environment: variables, port: port)
        try eventually("it is ready", deadlineSeconds: 30) {
            try gateway.exchange("GET", "/health/ready").status == 200
        }
    }

    /// A GET over TLS, with a certificate where one is given.
    /// - Parameter preface: sent before TLS begins.
    func get(
        _ target: String, port: Int, headers: [(String, String)] = [], as client: TestCertificates.Pair? = nil,
        preface: String? = nil
    ) throws -> TLSVisit {
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        var options = TLSVisitOptions(
            port: port, ca: try TestCertificates.shared.authority.certificate,
            request: "GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(lines)\r\n")
        if let client { options.present(client) }
        options.preface = preface
        return try TLSPeers.visit(options)
    }

    static let worker = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "w")]
    static let ops = [("X-Ops-Token", GatewayProcess.opsToken)]
}
