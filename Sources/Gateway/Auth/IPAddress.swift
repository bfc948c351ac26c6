// A client's address as one 16-byte number, so that matching is a mask and a comparison.
// A plain value; IPv4 is held in its IPv4-mapped form (::ffff:a.b.c.d), as a dual-stack socket reports it.
// Source: RFC 4291 section 2.2 for the text forms, 2.5.5.2 for the mapped form.

/// An IPv4 or IPv6 address, most significant byte first.
struct IPAddress: Equatable, Hashable, Sendable {
    var value: UInt128

    static let mappedPrefix: UInt128 = 0xFFFF << 32

    init(value: UInt128) { self.value = value }

    /// The 16 bytes of a `sockaddr_in6` address, as two integers in host order.
    init(high: UInt64, low: UInt64) { value = UInt128(high) << 64 | UInt128(low) }

    /// - Parameter v4: an IPv4 address in host order.
    init(v4: UInt32) { value = Self.mappedPrefix | UInt128(v4) }

    var isV4: Bool { value >> 32 == 0xFFFF }

    /// Reads dotted IPv4 or any IPv6 form, without brackets or zone; nil where it is neither.
    init?(_ text: some StringProtocol) {
        let text = String(text)
        if text.contains(":") {
            guard let value = Self.v6(text) else { return nil }
            self.init(value: value)
        } else {
            guard let v4 = Self.v4(text) else { return nil }
            self.init(v4: v4)
        }
    }

    private static func v4(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            // Leading zeros are refused: some readers take them for octal.
            let isNumber = part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
            guard isNumber, part.count == 1 || !part.hasPrefix("0"), let byte = UInt8(part) else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    private static func v6(_ text: String) -> UInt128? {
        guard let gap = text.firstRange(of: "::") else {
            guard let groups = groups(text[...]), groups.count == 8 else { return nil }
            return joined(groups)
        }
        let head = text[..<gap.lowerBound]
        let tail = text[gap.upperBound...]
        guard !tail.hasPrefix(":"), let front = groups(head), let back = groups(tail) else { return nil }
        // A dotted part may only end the address.
        guard !head.contains("."), front.count + back.count <= 7 else { return nil }
        return joined(front + Array(repeating: 0, count: 8 - front.count - back.count) + back)
    }

    private static func joined(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    /// The 16-bit groups between colons; a dotted IPv4 at the end counts as two.
    private static func groups(_ text: Substring) -> [UInt16]? {
        if text.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.contains(".") {
                guard index == parts.count - 1, let v4 = v4(String(part)) else { return nil }
                groups.append(UInt16(v4 >> 16))
                groups.append(UInt16(truncatingIfNeeded: v4))
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted for IPv4, else eight full groups: exact and unambiguous rather than shortest.
    var description: String {
        if isV4 {
            let v4 = UInt32(truncatingIfNeeded: value)
            return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
        }
        return (0..<8).map { group in
            String(UInt16(truncatingIfNeeded: value >> UInt128(112 - 16 * group)), radix: 16)
        }.joined(separator: ":")
    }
}
