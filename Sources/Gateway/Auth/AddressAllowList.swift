// The networks that may use the worker surface (GATEWAY_INTERNAL_IP_ALLOWLIST).
// An immutable value that every reactor reads; a check is one mask and compare per network and allocates nothing.
// Limit: `networksMax` entries. Source: api.md section 2; RFC 4632 and RFC 4291 section 2.3 for the notation.

/// CIDR networks of IPv4 and IPv6. An empty list allows everybody.
struct AddressAllowList: Equatable, Sendable {
    static let networksMax = 256

    struct Network: Equatable, Sendable {
        var address: UInt128
        var mask: UInt128
        /// As it was written.
        var text: String
    }

    private(set) var networks: [Network] = []
    /// The same, as plain numbers: the check touches no String.
    private var ranges: [Range] = []

    private struct Range: Equatable, Sendable {
        var address: UInt128
        var mask: UInt128
    }

    static let allowed = "a comma-separated list of addresses or networks such as 10.0.0.0/8 or 2001:db8::/32"

    init() {}

    init(_ text: String) throws(BadSetting) {
        for entry in commaSeparated(text) {
            let network = try Network(entry)
            networks.append(network)
            ranges.append(Range(address: network.address, mask: network.mask))
        }
        guard networks.count <= Self.networksMax else {
            throw BadSetting("more than \(Self.networksMax) networks")
        }
    }

    /// Whether `address` lies in one of the networks, or there are none.
    func allows(_ address: IPAddress) -> Bool {
        if ranges.isEmpty { return true }
        for range in ranges where address.value & range.mask == range.address { return true }
        return false
    }
}

extension AddressAllowList.Network {
    init(_ text: String) throws(BadSetting) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        guard let address = IPAddress(text[..<slash]) else {
            throw BadSetting("\"\(text[..<slash])\" is no IPv4 or IPv6 address")
        }
        // The prefix counts the bits as written: 32 for a dotted address, 128 for one with colons.
        let width = text[..<slash].contains(":") ? 128 : 32
        var length = width
        if slash != text.endIndex {
            let digits = text[slash...].dropFirst()
            guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(digits), number <= width else {
                throw BadSetting("\"\(text)\": the prefix length must be a number from 0 to \(width)")
            }
            length = number
        }
        let hostBits = width - length
        let mask = hostBits == 128 ? 0 : UInt128.max << UInt128(hostBits)
        guard address.value & ~mask == 0 else {
            let network = IPAddress(value: address.value & mask)
            throw BadSetting("\"\(text)\" has bits set past its prefix; the network is \(network)/\(length)")
        }
        self.init(address: address.value, mask: mask, text: text)
    }
}
