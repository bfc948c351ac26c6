// One TLS connection's state, between two runs of bytes: records and what they carry. Owned by its link, on one
// reactor's thread; knows no socket. Limits: the link's.

import CReactor

struct TLSSession: ~Copyable {
    enum Opened {
        /// What came has been read; more records are needed.
        case wantsMore
        /// The peer has said that it sends no more.
        case ended
        case failed(SystemError)
    }

    /// Bytes that a record carries at most.
    static let recordBytesMax = 16 * 1024

    private let tls: OpaquePointer

    /// nil: no memory.
    init?(acceptingBy context: TLSContext) {
        guard let tls = cr_tls_accept(context.pointer) else { return nil }
        self.tls = tls
    }

    /// - Parameter resumed: a session of this server, or nil.
    init?(connectingBy context: TLSContext, host: String, application: String?, resuming resumed: UnsafeRawPointer?) {
        guard let tls = cr_tls_connect(context.pointer, host, application, resumed) else { return nil }
        self.tls = tls
    }

    deinit { cr_tls_free(tls) }

    var isEstablished: Bool { cr_tls_is_established(tls) != 0 }
    var wasResumed: Bool { cr_tls_was_resumed(tls) != 0 }
    var hasPeerCertificate: Bool { cr_tls_has_peer_certificate(tls) != 0 }

    /// Takes records, appends what they carry. Without any it begins a client's handshake.
    func open(_ records: RawSpan, into plain: inout ByteBuffer) -> Opened {
        records.withUnsafeBytes { raw in
            cr_tls_feed(tls, raw.baseAddress, raw.count)
            while true {
                var outcome = 0
                plain.withRoom(Self.recordBytesMax) { room in
                    outcome = cr_tls_open(tls, room.baseAddress, room.count)
                    return max(0, outcome)
                }
                if outcome > 0 { continue }
                if outcome == 0 { return .wantsMore }
                return outcome == Int(CR_TLS_ENDED) ? .ended : .failed(SystemError(number: Int32(-outcome)))
            }
        }
    }

    /// Makes records of the first `count` bytes of `plain`; nil where that went well.
    func seal(_ plain: RawSpan, first count: Int) -> SystemError? {
        let status = plain.extracting(first: count).withUnsafeBytes { cr_tls_seal(tls, $0.baseAddress, $0.count) }
        return status < 0 ? SystemError(number: -status) : nil
    }

    /// Lets the first `count` bytes of `plain` pass as they are; nil where that went well.
    func pass(_ plain: RawSpan, first count: Int) -> SystemError? {
        let status = plain.extracting(first: count).withUnsafeBytes { cr_tls_pass(tls, $0.baseAddress, $0.count) }
        return status < 0 ? SystemError(number: -status) : nil
    }

    /// Adds the record that says that nothing more comes.
    func end() { cr_tls_end(tls) }

    /// Records to be sent; they stay in place until `sent` was told of all of them.
    var output: UnsafeRawBufferPointer {
        var bytes: UnsafeRawPointer?
        let count = cr_tls_output(tls, &bytes)
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }

    func sent(_ count: Int) { cr_tls_sent(tls, count) }

    var unsentBytes: Int { cr_tls_unsent(tls) }

    func dropOutput() { cr_tls_drop_output(tls) }

    /// What the connection may be resumed by, if the server gave it since this was last asked; the caller's to free.
    func takeResumption() -> UnsafeMutableRawPointer? { cr_tls_take_session(tls) }
}

extension SystemError {
    /// A client spoke plain HTTP where TLS was expected.
    var isPlainHTTP: Bool { cr_tls_is_plain_http(number) != 0 }

    /// TLS found it, not the kernel.
    public var isTLS: Bool { cr_tls_error_text(number) != nil }

    /// The connection ended without the peer's goodbye: what it sent may have been cut off by anybody.
    static let truncated = SystemError(number: CR_TLS_TRUNCATED)
    /// More records wait for the peer than may.
    static let outputFull = SystemError(number: ENOBUFS)
}
