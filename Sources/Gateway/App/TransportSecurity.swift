// TLS of the process: which listeners speak it, who must show a certificate, whom clients of ours trust. Made once at
// start and shared by all reactors; `reload` reads the files again, for connections that are made from then on.
// Source: the HTTP contract, section 1; operations.md section 1.

import FoundationEssentials
import Logging
import Reactor

final class TransportSecurity: Sendable {
    /// A file of certificates is at fault; one line that names setting, file and reason.
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// A certificate that expires within this time is warned of.
    static let expiryWarningSeconds: Int64 = 14 * 24 * 3600

    private let configuration: GatewayConfiguration
    /// By listener; nil speaks plainly.
    private let wanted: [TLSContext.ClientCertificates?]
    /// By listener; those that want the same share one.
    let listeners: [CurrentTLSContext?]
    /// Of clients of ours: upstreams, the key set, Redis.
    let upstreams: CurrentTLSContext
    /// By listener: `/internal/` is for clients that have shown a certificate.
    let bindsWorkers: [Bool]
    private let logger = Logger(label: "gateway.tls")

    init(_ configuration: GatewayConfiguration) throws(Fault) {
        self.configuration = configuration
        wanted = configuration.effectiveListeners.map { Self.clientCertificates(of: $0, configuration) }
        bindsWorkers = wanted.map { $0 == .asked || $0 == .required }
        upstreams = CurrentTLSContext(try Self.clientContext(configuration))
        var made: [TLSContext.ClientCertificates: CurrentTLSContext] = [:]
        for kind in wanted.compactMap({ $0 }) where made[kind] == nil {
            made[kind] = CurrentTLSContext(try Self.serverContext(configuration, kind))
        }
        let contexts = made
        listeners = wanted.map { kind in kind.flatMap { contexts[$0] } }
    }

    /// TLS is on every TCP listener that is not marked plain. A listener that serves workers and nothing else takes no
    /// connection without a certificate; one that serves others too asks for it, and refuses `/internal/` without.
    private static func clientCertificates(
        of listener: ListenerSetting, _ configuration: GatewayConfiguration
    ) -> TLSContext.ClientCertificates? {
        guard configuration.tlsCertFile != nil, !listener.isPlain, case .tcp = listener.address else { return nil }
        guard configuration.tlsClientCAFile != nil, !listener.surfaces.isDisjoint(with: .worker) else {
            return .notAsked
        }
        return listener.surfaces.isSubset(of: .worker) ? .required : .asked
    }

    func isSecure(listener: UInt32) -> Bool { wanted[Int(listener)] != nil }

    // MARK: Contexts

    private static func serverContext(
        _ configuration: GatewayConfiguration, _ kind: TLSContext.ClientCertificates
    ) throws(Fault) -> TLSContext {
        guard let certificate = configuration.tlsCertFile, let key = configuration.tlsKeyFile else {
            preconditionFailure("a TLS listener without a certificate")
        }
        do throws(TLSFailure) {
            return try TLSContext(
                certificateFile: certificate, keyFile: key,
                clientAuthorityFile: kind == .notAsked ? nil : configuration.tlsClientCAFile, clientCertificates: kind)
        } catch {
            throw fault(
                error,
                [
                    ("GATEWAY_TLS_CERT_FILE", certificate), ("GATEWAY_TLS_KEY_FILE", key),
                    ("GATEWAY_TLS_CLIENT_CA_FILE", configuration.tlsClientCAFile),
                ])
        }
    }

    /// What clients of ours trust.
    static func clientContext(_ configuration: GatewayConfiguration) throws(Fault) -> TLSContext {
        do throws(TLSFailure) {
            return try TLSContext(authorities: configuration.upstreamCAFile.map { .file($0) } ?? .system)
        } catch {
            throw fault(error, [("GATEWAY_UPSTREAM_CA_FILE", configuration.upstreamCAFile)])
        }
    }

    private static func fault(_ failure: TLSFailure, _ settings: [(name: String, path: String?)]) -> Fault {
        let name = settings.first { $0.path == failure.file }?.name ?? "TLS"
        let allowed =
            name == "GATEWAY_TLS_KEY_FILE"
            ? "the certificate's key in PEM, without a passphrase" : "certificates in PEM"
        let path = failure.file.map { "=\(String(reflecting: $0))" } ?? ""
        return Fault(description: "\(name)\(path): \(failure.error); allowed is \(allowed)")
    }

    // MARK: Again

    /// Reads all certificates and keys again. What is bad is logged and changes nothing.
    /// - Returns: the problems.
    @discardableResult
    func reload() -> [String] {
        var problems: [String] = []
        do throws(Fault) {
            // All before any: listeners shall not differ in their certificate.
            var fresh: [(CurrentTLSContext, TLSContext)] = []
            for (current, kind) in zip(listeners, wanted) {
                guard let current, let kind, !fresh.contains(where: { $0.0 === current }) else { continue }
                fresh.append((current, try Self.serverContext(configuration, kind)))
            }
            for (current, context) in fresh { current.replace(by: context) }
        } catch {
            problems.append(error.description)
        }
        do throws(Fault) {
            upstreams.replace(by: try Self.clientContext(configuration))
        } catch {
            problems.append(error.description)
        }
        for problem in problems {
            logger.error("the certificates stay as they were", metadata: ["reason": "\(problem)"])
        }
        if problems.isEmpty { logger.notice("read the certificates again") }
        warnOfExpiry()
        return problems
    }

    /// Logs a certificate that has expired or is about to.
    func warnOfExpiry() {
        guard let context = listeners.lazy.compactMap({ $0 }).first?.now, let expiry = context.expirySeconds else {
            return
        }
        let left = expiry - Int64(Date().timeIntervalSince1970)
        guard left < Self.expiryWarningSeconds else { return }
        logger.warning(
            left < 0 ? "the certificate has expired" : "the certificate is about to expire",
            metadata: ["days": "\(left / 86_400)", "file": "\(configuration.tlsCertFile ?? "")"])
    }
}

extension GatewayConfiguration {
    /// What is wrong with the certificates; nil where nothing is.
    var certificateProblem: String? {
        do throws(TransportSecurity.Fault) {
            _ = try TransportSecurity(self)
            return nil
        } catch {
            return error.description
        }
    }

    /// The Redis of a command, which has no process around it.
    func commandRedis() throws -> RedisEndpoint {
        var endpoint = redis
        if endpoint.usesTLS { endpoint.tls = CurrentTLSContext(try TransportSecurity.clientContext(self)) }
        return endpoint
    }
}
