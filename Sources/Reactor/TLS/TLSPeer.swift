// A server that a reactor's client connects to by TLS: the name that it must prove, and the session to go on with next
// time. Owned by one reactor's client. Limit: one session a server, the last that it gave.
// Source: RFC 8446 section 4.6.1 (tickets), RFC 7301 (ALPN).

import CReactor

public final class TLSPeer {
    /// What HTTP/1.1 is called in the handshake.
    public static let http11 = "http/1.1"

    private let contexts: CurrentTLSContext
    let host: String
    private let application: String?
    private var session: UnsafeMutableRawPointer?
    /// What the session's certificate was checked by: another context may trust others.
    private var sessionContext: TLSContext?

    /// - Parameters:
    ///   - host: a name, or a numeric address without brackets.
    ///   - application: the name of what is spoken inside; nil where it has none.
    public init(_ contexts: CurrentTLSContext, host: String, application: String? = nil) {
        self.contexts = contexts
        self.host = host
        self.application = application
    }

    deinit { if let session { cr_tls_session_free(session) } }

    var context: TLSContext { contexts.now }

    /// A session of a new connection; nil without memory.
    func makeSession(by context: TLSContext) -> TLSSession? {
        let resumed = sessionContext === context ? session.map { UnsafeRawPointer($0) } : nil
        return TLSSession(connectingBy: context, host: host, application: application, resuming: resumed)
    }

    /// Keeps what `session` may be resumed by.
    func keep(_ given: UnsafeMutableRawPointer, of context: TLSContext) {
        if let session { cr_tls_session_free(session) }
        session = given
        sessionContext = context
    }
}

/// How a stream begins to speak TLS.
public enum TLSRole {
    case server(TLSContext)
    case client(TLSPeer)
}
