// Addresses as operators write them, parsed: listeners, Redis, HTTP services, SOCKS5 proxies, raw storage.
// Plain values without an owner; parsing never resolves a name or touches the network.
// Source: operations.md section 1, RFC 3986 for the URL shapes.

import Reactor

/// Which endpoints a listener serves. `parcel` and `party` are the worker surface of one kind.
struct Surfaces: OptionSet, Sendable {
    let rawValue: UInt8

    static let parcel = Surfaces(rawValue: 1)
    static let party = Surfaces(rawValue: 2)
    static let `public` = Surfaces(rawValue: 4)
    static let ops = Surfaces(rawValue: 8)
    static let worker: Surfaces = [.parcel, .party]
    static let all: Surfaces = [.worker, .public, .ops]

    /// The names a listener can be given.
    static let names: [(name: String, surfaces: Surfaces)] = [
        ("all", .all), ("worker", .worker), ("parcel", .parcel), ("party", .party), ("public", .public), ("ops", .ops),
    ]
}

enum SocketAddress: Equatable, Sendable {
    /// `host` is a literal address or a name; an IPv6 literal carries no brackets.
    case tcp(host: String, port: Int)
    case unix(path: String)
}

struct ListenerSetting: Equatable, Sendable {
    var surfaces: Surfaces
    var address: SocketAddress
    /// No TLS here even where a certificate is configured (`+plain`).
    var isPlain: Bool
}

/// One HTTP service to connect to; `path` is a prefix without a trailing slash, empty for the root.
struct HTTPEndpoint: Equatable, Sendable {
    var isSecure: Bool
    var host: String
    var port: Int
    var path: String
}

struct SOCKSEndpoint: Equatable, Sendable {
    var host: String
    var port: Int
    var user: String?
    var password: String?
}

enum RawStorage: Equatable, Sendable {
    case file(path: String)
    case s3(bucket: String, prefix: String)
}

// MARK: - Parsing

extension ListenerSetting {
    static let allowed =
        "a comma-separated list of surface=host:port or surface=/socket/path, each with +plain at its end if wanted; "
        + "surface is one of all, worker, parcel, party, public, ops"

    /// Entries with the same address become one listener of several surfaces.
    static func list(_ text: String) throws(BadSetting) -> [ListenerSetting] {
        var list: [ListenerSetting] = []
        for entry in commaSeparated(text) {
            let setting = try ListenerSetting(entry)
            if let at = list.firstIndex(where: { $0.address == setting.address }) {
                list[at].surfaces.formUnion(setting.surfaces)
                list[at].isPlain = list[at].isPlain || setting.isPlain
            } else {
                list.append(setting)
            }
        }
        return list
    }

    init(_ entry: String) throws(BadSetting) {
        guard let equals = entry.firstIndex(of: "=") else {
            throw BadSetting("\"\(entry)\" has no surface= in front")
        }
        let name = String(entry[..<equals])
        guard let surfaces = Surfaces.names.first(where: { $0.name == name })?.surfaces else {
            throw BadSetting("\"\(name)\" is no surface")
        }
        var target = entry[entry.index(after: equals)...]
        let isPlain = target.hasSuffix("+plain")
        if isPlain { target = target.dropLast("+plain".count) }
        let address: SocketAddress
        if target.hasPrefix("/") {
            address = .unix(path: String(target))
        } else if target.hasPrefix("unix:///") {
            address = .unix(path: String(target.dropFirst("unix://".count)))
        } else if let (host, port) = splitHostPort(target), let port, !host.isEmpty {
            address = .tcp(host: host, port: port)
        } else {
            throw BadSetting("\"\(target)\" is neither host:port nor an absolute socket path")
        }
        self.init(surfaces: surfaces, address: address, isPlain: isPlain)
    }
}

extension RedisEndpoint {
    static let allowed = "redis://[user[:password]@]host[:port][/db], rediss:// likewise, or unix:///socket/path[?db=N]"
    static let databaseMax = 65_535

    init(_ text: String) throws(BadSetting) {
        let url = try URLParts(text)
        self.init(
            .unix(path: url.path), user: url.user.flatMap { $0.isEmpty ? nil : $0 }, password: url.password,
            usesTLS: url.scheme == "rediss")
        switch url.scheme {
        case "redis", "rediss":
            guard !url.host.isEmpty else { throw BadSetting("no host") }
            address = .tcp(host: url.host, port: UInt16(url.port ?? Int(Self.defaultPort)))
            if url.path.count > 1 { database = try Self.database(String(url.path.dropFirst())) }
        case "unix":
            guard url.host.isEmpty, url.port == nil, url.path.count > 1 else {
                throw BadSetting("the socket path must be absolute, as in unix:///run/redis.sock")
            }
        default:
            throw BadSetting("unknown scheme")
        }
        for (name, value) in url.query {
            switch name {
            case "db": database = try Self.database(value)
            case "user", "username": user = value
            case "password": password = value
            default: throw BadSetting("unknown parameter \"\(name)\"")
            }
        }
    }

    private static func database(_ text: String) throws(BadSetting) -> Int {
        guard let number = Int(text), (0...databaseMax).contains(number) else {
            throw BadSetting("the database must be a number from 0 to \(databaseMax)")
        }
        return number
    }

    /// As it would be written, password masked.
    var shown: String {
        var login = ""
        if user != nil || password != nil { login = "\(user ?? "")\(password == nil ? "" : ":***")@" }
        switch address {
        case .tcp(let host, let port):
            return "\(usesTLS ? "rediss" : "redis")://\(login)\(bracketed(host)):\(port)/\(database)"
        case .unix(let path):
            return "unix://\(login)\(path)?db=\(database)"
        }
    }
}

extension HTTPEndpoint {
    init(_ text: String) throws(BadSetting) {
        let url = try URLParts(text)
        guard url.scheme == "http" || url.scheme == "https" else { throw BadSetting("unknown scheme") }
        guard !url.host.isEmpty else { throw BadSetting("no host") }
        guard url.user == nil else { throw BadSetting("a user or password has no place here") }
        guard url.query.isEmpty else { throw BadSetting("a query has no place here") }
        var path = url.rawPath
        while path.hasSuffix("/") { path.removeLast() }
        let isSecure = url.scheme == "https"
        self.init(isSecure: isSecure, host: url.host, port: url.port ?? (isSecure ? 443 : 80), path: path)
    }

    var shown: String {
        let standard = port == (isSecure ? 443 : 80)
        return "\(isSecure ? "https" : "http")://\(bracketed(host))\(standard ? "" : ":\(port)")\(path)"
    }
}

extension SOCKSEndpoint {
    init(_ text: String) throws(BadSetting) {
        let url = try URLParts(text)
        guard url.scheme == "socks5" || url.scheme == "socks5h" else { throw BadSetting("unknown scheme") }
        guard !url.host.isEmpty, let port = url.port, port > 0 else { throw BadSetting("needs host:port") }
        guard url.path.isEmpty || url.path == "/", url.query.isEmpty else {
            throw BadSetting("a path or query has no place here")
        }
        self.init(host: url.host, port: port, user: url.user, password: url.password)
    }

    var shown: String {
        var login = ""
        if let user { login = "\(user)\(password == nil ? "" : ":***")@" }
        return "socks5://\(login)\(bracketed(host)):\(port)"
    }
}

extension RawStorage {
    init(_ text: String) throws(BadSetting) {
        let url = try URLParts(text)
        switch url.scheme {
        case "file":
            guard url.host.isEmpty, url.path.count > 1 else {
                throw BadSetting("the folder must be absolute, as in file:///var/lib/raw")
            }
            self = .file(path: url.path)
        case "s3":
            guard !url.host.isEmpty, url.port == nil, url.user == nil else { throw BadSetting("needs s3://bucket") }
            self = .s3(bucket: url.host, prefix: String(url.path.drop { $0 == "/" }))
        default:
            throw BadSetting("unknown scheme")
        }
    }

    var shown: String {
        switch self {
        case .file(let path): "file://\(path)"
        case .s3(let bucket, let prefix): "s3://\(bucket)\(prefix.isEmpty ? "" : "/\(prefix)")"
        }
    }
}

func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
