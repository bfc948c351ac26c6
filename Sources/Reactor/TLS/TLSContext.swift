// What all TLS connections of one kind have in common: versions, ciphers, certificate and key, whom they trust. Made
// once, then read by every reactor; a new certificate is a new context (CurrentTLSContext.swift).
// Limits: TLS 1.2 and 1.3, ciphers with forward secrecy and authenticated encryption, no renegotiation, no early data;
// a key with a passphrase is refused. Source: RFC 8446, RFC 5246, RFC 9325.

import CReactor

/// `@unchecked Sendable`: OpenSSL's context is not changed after init, and counts its references atomically.
public final class TLSContext: @unchecked Sendable {
    /// What a server wants of its clients.
    public enum ClientCertificates: Sendable {
        case notAsked
        /// A client may show one, which must be good then.
        case asked
        case required

        fileprivate var mode: cr_tls_peers {
            switch self {
            case .notAsked: CR_TLS_NOT_ASKED
            case .asked: CR_TLS_ASKED
            case .required: CR_TLS_REQUIRED
            }
        }
    }

    /// Whose word a client takes for a server's certificate.
    public enum Authorities: Equatable, Sendable {
        case system
        /// Certificates in PEM.
        case file(String)
        /// Nobody's: any certificate will do, even for another host.
        case notChecked
    }

    let pointer: OpaquePointer

    /// A server's.
    /// - Parameters:
    ///   - certificateFile: PEM, the server's own certificate first, then those that lead to its authority.
    ///   - keyFile: PEM.
    ///   - clientAuthorityFile: PEM; needed where certificates are asked for.
    public init(
        certificateFile: String, keyFile: String, clientAuthorityFile: String? = nil,
        clientCertificates: ClientCertificates = .notAsked
    ) throws(TLSFailure) {
        precondition(clientCertificates == .notAsked || clientAuthorityFile != nil, "asked, and nobody vouches")
        var fault: Int32 = 0
        var error: Int32 = 0
        let made = cr_tls_server(
            certificateFile, keyFile, clientAuthorityFile, clientCertificates.mode, &fault, &error)
        guard let made else {
            let file: String? =
                switch fault {
                case 1: certificateFile
                case 2: keyFile
                case 3: clientAuthorityFile
                default: nil
                }
            throw TLSFailure(file: file, error: SystemError(number: error))
        }
        pointer = made
    }

    /// A client's.
    public init(authorities: Authorities) throws(TLSFailure) {
        var error: Int32 = 0
        let made: OpaquePointer?
        var file: String?
        switch authorities {
        case .system: made = cr_tls_client(nil, CR_TLS_REQUIRED, &error)
        case .file(let path):
            file = path
            made = cr_tls_client(path, CR_TLS_REQUIRED, &error)
        case .notChecked: made = cr_tls_client(nil, CR_TLS_NOT_ASKED, &error)
        }
        guard let made else { throw TLSFailure(file: file, error: SystemError(number: error)) }
        pointer = made
    }

    deinit { cr_tls_context_free(pointer) }

    /// When the server's certificate expires, in seconds since the Unix epoch; nil where it has none.
    public var expirySeconds: Int64? {
        let seconds = cr_tls_expiry(pointer)
        return seconds == 0 ? nil : seconds
    }
}

/// Why there is no context.
public struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file that is at fault, where one is.
    public let file: String?
    public let error: SystemError

    public var description: String { file.map { "\($0): \(error)" } ?? "\(error)" }
}
