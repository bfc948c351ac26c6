// A connection of a helper thread to a server, plain or TLS. Every call may block, up to the timeout it was opened with.
// One thread at a time uses it. Source: RFC 8446 by OpenSSL.

import CReactor

/// Which certificate authorities vouch for a server.
///
/// `@unchecked Sendable`: OpenSSL's context is not changed after init and counts its references atomically.
public final class TrustedRoots: @unchecked Sendable {
    fileprivate let context: OpaquePointer

    /// - Parameter file: certificates in PEM; nil takes the system's.
    /// - Returns: nil where they cannot be read.
    public init?(file: String? = nil) {
        guard let context = cr_trust_create(file) else { return nil }
        self.context = context
    }

    deinit { cr_trust_free(context) }
}

public struct BlockingStream: ~Copyable {
    private let connection: OpaquePointer

    /// Connects, each address of `host` in turn.
    /// - Parameters:
    ///   - roots: nil for a plain connection.
    ///   - timeoutMs: for the connection, and for each read and write.
    public init(host: String, port: Int, roots: TrustedRoots?, timeoutMs: Int) throws(SystemError) {
        var connection: OpaquePointer?
        let status = cr_blocking_open(host, UInt16(port), roots?.context, Int32(timeoutMs), &connection)
        guard status == 0, let connection else { throw SystemError(number: -status) }
        self.connection = connection
    }

    /// The same over a Unix socket.
    public init(path: String, timeoutMs: Int) throws(SystemError) {
        var connection: OpaquePointer?
        let status = cr_blocking_open_unix(path, Int32(timeoutMs), &connection)
        guard status == 0, let connection else { throw SystemError(number: -status) }
        self.connection = connection
    }

    deinit { cr_blocking_close(connection) }

    /// Sends all bytes.
    public func write(_ bytes: RawSpan) throws(SystemError) {
        let status = bytes.withUnsafeBytes { cr_blocking_write(connection, $0.baseAddress, $0.count) }
        if status < 0 { throw SystemError(number: -status) }
    }

    /// Appends what arrives, at least one byte.
    /// - Returns: how many bytes; 0 at the end of the stream.
    public func read(into buffer: inout ByteBuffer, countMax: Int) throws(SystemError) -> Int {
        var status = 0
        buffer.withRoom(countMax) { room in
            status = cr_blocking_read(connection, room.baseAddress, min(countMax, room.count))
            return max(0, status)
        }
        if status < 0 { throw SystemError(number: Int32(-status)) }
        return status
    }
}

/// Has the calling helper thread wait, before it tries something again. Never on a reactor's thread.
public func blockThread(for interval: Interval) { cr_thread_pause(interval.nanoseconds) }
