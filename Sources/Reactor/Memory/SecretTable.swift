// A fixed set of secrets that a presented one is looked for in, in time that tells nothing about them.
// An immutable value, shared by all reactors; a look-up allocates nothing. Its cost is (secrets × presented bytes).
// Limits: 1 to `bytesMax` bytes a secret; the owner bounds their number.

import CReactor

public struct SecretTable: Sendable {
    /// Longest secret, and longest presented one that is looked at.
    public static let bytesMax = Int(CR_SECRET_STRIDE)

    private let slots: [UInt8]
    private let lengths: [UInt16]

    /// - Parameter secrets: an empty or too long one is a bug of the caller and traps.
    public init(_ secrets: [[UInt8]]) {
        var slots: [UInt8] = []
        slots.reserveCapacity(secrets.count * Self.bytesMax)
        for secret in secrets {
            precondition(
                !secret.isEmpty && secret.count <= Self.bytesMax, "a secret must be 1 to \(Self.bytesMax) bytes")
            slots.append(contentsOf: secret)
            slots.append(contentsOf: repeatElement(0, count: Self.bytesMax - secret.count))
        }
        self.slots = slots
        lengths = secrets.map { UInt16($0.count) }
    }

    public var count: Int { lengths.count }

    /// The index of the secret that equals `presented`, or nil.
    public func index(of presented: RawSpan) -> Int? {
        let found = presented.withUnsafeBytes { bytes in
            slots.withUnsafeBufferPointer { slots in
                lengths.withUnsafeBufferPointer { lengths in
                    // An empty span or table has no base address; its count of 0 keeps C from reading it.
                    cr_secret_find(
                        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count,
                        slots.baseAddress, lengths.baseAddress, lengths.count)
                }
            }
        }
        return found < 0 ? nil : found
    }
}

/// Random bytes of the kernel's generator.
/// - Parameter count: 1 to 256.
public func randomBytes(_ count: Int) -> [UInt8] {
    precondition(count > 0 && count <= 256, "1 to 256 random bytes at once")
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        // getrandom of so few bytes fails only on a kernel without it, where no secret can be made at all.
        precondition(cr_random_bytes(buffer.baseAddress, count) == 0, "the kernel gives no random bytes")
        filled = count
    }
}
