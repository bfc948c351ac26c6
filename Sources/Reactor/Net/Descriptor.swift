// An open file descriptor as a value with one owner: closed exactly once, by its deinit or by nobody after `release`.

import CReactor

/// Owns a descriptor.
public struct Descriptor: ~Copyable {
    public let number: Int32

    public init(_ number: Int32) { self.number = number }

    deinit { cr_close(number) }

    /// Hands the number to an owner who closes it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}

/// An error number of the kernel; above those, what TLS found wrong (see creactor/tls.h).
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Positive errno, or a code of TLS.
    public let number: Int32

    public init(number: Int32) { self.number = number }

    public var description: String { String(cString: cr_tls_error_text(number) ?? UnsafePointer(strerror(number))) }

    public static let connectionReset = SystemError(number: ECONNRESET)
    public static let timedOut = SystemError(number: ETIMEDOUT)
    public static let tooManyConnections = SystemError(number: EMFILE)
}

extension Descriptor {
    /// Listens on a numeric IPv4 or IPv6 address; port 0 lets the kernel choose (see `boundPort`).
    /// With `sharedPort` every reactor can have a listener of its own on one port.
    public static func listen(
        host: String, port: UInt16, backlog: Int32 = 4096, sharedPort: Bool
    ) throws(SystemError) -> Descriptor {
        try opened(cr_listen_tcp(host, port, backlog, sharedPort ? 1 : 0))
    }

    /// The TCP port a listener has; 0 where it has none.
    public var boundPort: UInt16 { cr_bound_port(number) }

    /// Listens on a Unix socket, whose file is made with `mode`; one that nobody listens on is replaced.
    public static func listen(
        path: String, mode: UInt32 = 0o660, backlog: Int32 = 4096
    ) throws(SystemError) -> Descriptor {
        try opened(cr_listen_unix(path, backlog, mode))
    }

    /// Starts a connection to a numeric address, from `local` (numeric too) where it is given.
    public static func connect(
        host: String, port: UInt16, from local: String? = nil
    ) throws(SystemError) -> Descriptor {
        try opened(local.map { cr_connect_tcp_from($0, host, port) } ?? cr_connect_tcp(host, port))
    }

    /// Connects to a Unix socket.
    public static func connect(path: String) throws(SystemError) -> Descriptor {
        try opened(cr_connect_unix(path))
    }

    private static func opened(_ status: Int32) throws(SystemError) -> Descriptor {
        guard status >= 0 else { throw SystemError(number: -status) }
        return Descriptor(status)
    }
}
