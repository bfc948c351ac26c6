// Hashes identities (worker ids, addresses) so that a client cannot choose where it lands.
// A value made once a process and shared by all reactors; SipHash-1-3 of the standard library under a random seed of
// our own, which holds where SWIFT_DETERMINISTIC_HASHING takes away the library's. Allocates nothing.

public struct KeyedHash: Sendable {
    private let seed: UInt64

    /// With a seed from the kernel.
    public init() {
        self.init(seed: randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// With a known seed: for tests. Two processes still hash differently.
    public init(seed: UInt64) { self.seed = seed }

    /// - Parameter domain: tells kinds of identity apart that share a table.
    public func hash(_ bytes: RawSpan, domain: UInt8) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed ^ UInt64(domain))
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The same for a number of 16 bytes, such as an address.
    public func hash(_ number: UInt128, domain: UInt8) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed ^ UInt64(domain))
        hasher.combine(UInt64(truncatingIfNeeded: number >> 64))
        hasher.combine(UInt64(truncatingIfNeeded: number))
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
