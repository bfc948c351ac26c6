// A SOCKS5 proxy as it is lent to a worker. Plain data. Source: ProxyInfo in the HTTP contract, section 2.

import Reactor

/// Where a proxy is; what Redis knows it by.
struct ProxyAddress: Hashable, Sendable {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `HOST:PORT`; the host may be an IPv6 address, so the last colon counts.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port), colon != text.startIndex
        else { return nil }
        self.init(host: String(text[..<colon]), port: port)
    }

    var text: String { "\(host):\(port)" }
}

/// A proxy that a worker may use for a platform until it expires.
struct ProxyInfo: Sendable {
    var address: ProxyAddress
    var user: String?
    var password: String?
    /// Milliseconds since the Unix epoch.
    var expiresMs: Int

    func write(_ json: inout JSONWriter, _ out: inout ByteBuffer) {
        json.openObject(&out)
        json.key("host", &out)
        json.string(text: address.host, &out)
        json.key("port", &out)
        json.number(address.port, &out)
        json.key("type", &out)
        json.string("socks5", &out)
        if let user {
            json.key("username", &out)
            json.string(text: user, &out)
        }
        if let password {
            json.key("password", &out)
            json.string(text: password, &out)
        }
        json.key("expires_at", &out)
        json.timestamp(Timestamp(microsSinceEpoch: Int64(expiresMs) * 1000), &out)
        json.closeObject(&out)
    }
}
