// Who is at the other end: a 16-byte address (IPv4 mapped into IPv6) and a port. Plain data.

import CReactor

/// A peer's address. Unix sockets have none: theirs says so.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address in network order, as two words read in network order: `::ffff:a.b.c.d` for IPv4.
    public var high: UInt64
    public var low: UInt64
    public var port: UInt16
    public var isUnix: Bool

    public init(high: UInt64, low: UInt64, port: UInt16, isUnix: Bool = false) {
        self.high = high
        self.low = low
        self.port = port
        self.isUnix = isUnix
    }

    init(_ address: cr_address) {
        self.init(high: address.high, low: address.low, port: address.port, isUnix: address.is_unix != 0)
    }

    /// Parses a numeric IPv4 or IPv6 address.
    public init?(_ text: String) {
        var address = cr_address()
        guard cr_address_parse(text, &address) == 0 else { return nil }
        self.init(address)
    }

    /// The address without its port, as people write it.
    public var description: String {
        var address = cr_address(high: high, low: low, port: port, is_unix: isUnix ? 1 : 0)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            cr_address_text(&address, text.baseAddress, text.count) < 0 ? "?" : String(cString: text.baseAddress!)
        }
    }

    /// Resolves a name (or numeric address) to a numeric address, blocking: for start-up and helper threads only.
    public static func resolve(_ host: String) throws(SystemError) -> String {
        var numeric = [CChar](repeating: 0, count: 64)
        let status = cr_resolve(host, &numeric, numeric.count)
        guard status == 0 else { throw SystemError(number: -status) }
        return numeric.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}
