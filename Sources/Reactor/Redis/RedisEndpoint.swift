// Where a Redis is and who we are there. Plain data, made from configuration at start-up.
// Source: the `redis` and `rediss` URI schemes as registered with IANA.

/// An address of Redis with credentials and database.
public struct RedisEndpoint: Equatable, Sendable {
    public enum Address: Equatable, Sendable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    public var address: Address
    public var user: String?
    public var password: String?
    public var database: Int
    public var usesTLS: Bool
    /// What `CLIENT LIST` shows.
    public var clientName: String

    public init(
        _ address: Address, user: String? = nil, password: String? = nil, database: Int = 0, usesTLS: Bool = false,
        clientName: String = "taxlien-gateway"
    ) {
        self.address = address
        self.user = user
        self.password = password
        self.database = database
        self.usesTLS = usesTLS
        self.clientName = clientName
    }

    /// Parses `redis://[user][:password@]host[:port][/database]`, `rediss://…` and `unix://[user:password@]/path[?db=N]`.
    /// Percent-encoding is decoded in user, password and path. nil where the text is none of these.
    public init?(url: String) {
        guard let mark = url.range(of: "://") else { return nil }
        let scheme = url[..<mark.lowerBound].lowercased()
        guard ["redis", "rediss", "unix"].contains(scheme) else { return nil }
        var rest = url[mark.upperBound...]
        var query = Substring()
        if let question = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: question)...]
            rest = rest[..<question]
        }
        self.init(.unix(path: ""), usesTLS: scheme == "rediss")
        if let at = rest.lastIndex(of: "@") {
            guard readCredentials(rest[..<at]) else { return nil }
            rest = rest[rest.index(after: at)...]
        }
        guard scheme == "unix" ? readPath(rest) : readHost(rest), readQuery(query) else { return nil }
    }

    private mutating func readCredentials(_ text: Substring) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = Self.decoded(parts[0]) else { return false }
        user = first.isEmpty ? nil : first
        if parts.count == 2 {
            guard let second = Self.decoded(parts[1]) else { return false }
            password = second.isEmpty ? nil : second
        }
        return true
    }

    private mutating func readPath(_ text: Substring) -> Bool {
        guard text.hasPrefix("/"), let path = Self.decoded(text) else { return false }
        address = .unix(path: path)
        return true
    }

    private mutating func readHost(_ text: Substring) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var host = parts.first ?? ""
        var portText: Substring?
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            let after = host[host.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { return false }
            if !after.isEmpty { portText = after.dropFirst() }
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.lastIndex(of: ":") {
            portText = host[host.index(after: colon)...]
            host = host[..<colon]
        }
        var port: UInt16 = 6379
        if let portText {
            guard let number = UInt16(portText), number > 0 else { return false }
            port = number
        }
        if parts.count == 2, !parts[1].isEmpty {
            guard let number = Int(parts[1]), number >= 0 else { return false }
            database = number
        }
        guard !host.isEmpty else { return false }
        address = .tcp(host: String(host), port: port)
        return true
    }

    private mutating func readQuery(_ text: Substring) -> Bool {
        for pair in text.split(separator: "&") where pair.hasPrefix("db=") {
            guard let number = Int(pair.dropFirst(3)), number >= 0 else { return false }
            database = number
        }
        return true
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension RedisEndpoint: CustomStringConvertible {
    /// For logs: without the password.
    public var description: String {
        switch address {
        case .tcp(let host, let port): "\(usesTLS ? "rediss" : "redis")://\(host):\(port)/\(database)"
        case .unix(let path): "unix://\(path)?db=\(database)"
        }
    }
}

extension String {
    /// The first place of `text`, found without Foundation.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            at = index(after: at)
        }
        return nil
    }
}
