// Whose address a request comes from, behind proxies that may be believed (GATEWAY_TRUSTED_PROXIES; none by default).
// An immutable value, shared by all reactors. `X-Forwarded-For` is read from its end, as far as each hop is trusted;
// `hopsMax` are looked at. What the client itself wrote there is never reached. Source: the HTTP contract, section 3.

import Reactor

struct TrustedProxies: Sendable {
    static let hopsMax = 32

    private let networks: AddressAllowList

    init(_ networks: AddressAllowList) { self.networks = networks }

    private func trusts(_ address: IPAddress) -> Bool { !networks.networks.isEmpty && networks.allows(address) }

    /// Whether a connection's other end is one of them. Who can reach a Unix socket is a proxy of this machine.
    func includes(_ peer: PeerAddress) -> Bool {
        peer.isUnix || trusts(IPAddress(high: peer.high, low: peer.low))
    }

    /// The client's address; nil for a client of a Unix socket that names none.
    func client(of request: borrowing Request) -> IPAddress? {
        let peer = request.peer.isUnix ? nil : IPAddress(high: request.peer.high, low: request.peer.low)
        if networks.networks.isEmpty { return peer }
        // Who can reach a Unix socket is a proxy of this machine.
        if let peer, !trusts(peer) { return peer }
        var client = peer
        var hops = 0
        for index in stride(from: request.headerCount - 1, through: 0, by: -1)
        where request.headerName(at: index).equalsIgnoringCase("x-forwarded-for") {
            for entry in request.headerValue(at: index).string.split(separator: ",").reversed() {
                hops += 1
                guard hops <= Self.hopsMax, let address = Self.address(entry) else { return client }
                client = address
                if !trusts(address) { return client }
            }
        }
        return client
    }

    /// An address with or without brackets and port.
    static func address(_ text: Substring) -> IPAddress? {
        let text = trimmed(text)
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        if text.contains("."), let colon = text.firstIndex(of: ":"), !text[..<colon].isEmpty, !text.contains("::") {
            return IPAddress(text[..<colon])
        }
        return IPAddress(text)
    }
}
