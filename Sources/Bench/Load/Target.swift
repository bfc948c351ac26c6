// Where the load goes: the URL's parts, and the numeric address behind its host. Plain data, made once at the start.
// A target that says https becomes a connection whose stream does TLS. Source: RFC 3986, RFC 9110 4.2.

import Reactor

/// A wrong option: the sentence says which and what was expected.
struct BadOption: Error, Equatable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct Target: Sendable {
    /// As it was given.
    let text: String
    let isSecure: Bool
    let host: String
    let port: UInt16
    /// Path and query, from the slash on.
    let path: String
    /// Numeric; empty until `resolve`.
    private(set) var address = ""
    /// What an https target's connections begin with.
    var tls: CurrentTLSContext?

    init(_ text: String) throws(BadOption) {
        self.text = text
        guard let mark = text.firstRange(of: "://") else {
            throw BadOption("\(text): expected http://HOST[:PORT][/PATH], or https://")
        }
        switch text[..<mark.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        case let scheme: throw BadOption("\(text): \(scheme) is not http")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw BadOption("\(text): holds a character that an URL must percent-encode")
        }
        let rest = text[mark.upperBound...].prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let tail = rest[end...]
        path = tail.isEmpty ? "/" : tail.hasPrefix("/") ? String(tail) : "/" + tail
        (host, port) = try Self.authority(rest[..<end], of: text, defaultPort: isSecure ? 443 : 80)
    }

    private static func authority(
        _ text: Substring, of url: String, defaultPort: UInt16
    ) throws(BadOption) -> (String, UInt16) {
        guard !text.contains("@") else { throw BadOption("\(url): credentials belong in --token or --header") }
        var host = text
        var portText: Substring?
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<close]
            let after = text[text.index(after: close)...]
            if !after.isEmpty { portText = after.dropFirst(after.hasPrefix(":") ? 1 : 0) }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw BadOption("\(url): has no host") }
        guard let portText else { return (String(host), defaultPort) }
        guard let port = UInt16(portText), port > 0 else { throw BadOption("\(url): \(portText) is no port") }
        return (String(host), port)
    }

    /// The Host header's value.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// Scheme and authority.
    var root: String { "\(isSecure ? "https" : "http")://\(authority)" }

    /// Looks the host up. Blocks.
    mutating func resolve() throws(BadOption) {
        do throws(SystemError) {
            address = try PeerAddress.resolve(host)
        } catch {
            throw BadOption("\(host): unknown host")
        }
    }

    var isLoopback: Bool { address.hasPrefix("127.") || address == "::1" }
}

extension Target {
    /// What a reactor's connections by TLS have in common; nil for a plain target.
    func makePeer() -> TLSPeer? { tls.map { TLSPeer($0, host: host, application: TLSPeer.http11) } }

    /// Opens a connection; `owner` is told with `slot` as the tag.
    /// - Parameters:
    ///   - sources: local addresses that slots take in turn; none lets the kernel choose.
    ///   - peer: this target's, of this reactor.
    func connect(
        _ slot: UInt32, from sources: [String], reactor: Reactor, owner: any StreamOwner, peer: TLSPeer?
    ) throws(SystemError) -> Stream {
        let source = sources.isEmpty ? nil : sources[Int(slot) % sources.count]
        let descriptor = try Descriptor.connect(host: address, port: port, from: source)
        let opened = Stream(
            descriptor, connecting: true, owner: owner, tag: slot, reactor: reactor, tls: peer.map { .client($0) })
        guard let stream = opened else { throw .tooManyConnections }
        return stream
    }
}
