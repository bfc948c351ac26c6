// Asks a tor-socks-proxy service for proxies: `GET URL/create?platform=P` and `POST URL/rotate/PORT?platform=P&reason=R`,
// both answered by `{"host","port","type"}`. Owned by a reactor, over its HTTP client.
// Limits: `timeouts`, `answerBytesMax`, `reasonBytesMax` of a reason. Source: operations.md section 1.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class TorProxyService: ProxySource, @unchecked Sendable {
    static let answerBytesMax = 16 * 1024
    static let reasonBytesMax = 128
    /// A new circuit takes a while; a worker waits for it.
    static let timeouts = HTTPClientTimeouts(
        connect: .seconds(2), firstByte: .seconds(10), idle: .seconds(5), total: .seconds(15))

    private let client: HTTPClient
    private let endpoint: HTTPClientEndpoint
    private let pathPrefix: String

    init(client: HTTPClient, service: HTTPEndpoint) {
        self.client = client
        endpoint = HTTPClientEndpoint(service)
        pathPrefix = service.path
    }

    func create(platform: String) async throws(Problem) -> ProxyAddress {
        try await ask(.get, "\(pathPrefix)/create?platform=\(Self.escaped(platform))")
    }

    func rotate(port: Int, platform: String, reason: String) async throws(Problem) -> ProxyAddress {
        let reason = Self.escaped(String(reason.prefix(Self.reasonBytesMax)))
        return try await ask(.post, "\(pathPrefix)/rotate/\(port)?platform=\(Self.escaped(platform))&reason=\(reason)")
    }

    private func ask(_ method: HTTPMethod, _ target: String) async throws(Problem) -> ProxyAddress {
        let status: Int
        let body: [UInt8]
        do throws(HTTPClientFailure) {
            var request = HTTPClientRequest(method, target, endpoints: [endpoint], timeouts: Self.timeouts)
            // To rotate twice does no harm.
            request.isRepeatable = true
            let response = try await client.send(request)
            status = response.status
            body = try await response.collect(bytesMax: Self.answerBytesMax)
        } catch {
            throw Problem(error, of: "the proxy service")
        }
        switch status {
        case 200..<300: break
        case 429, 503: throw .unavailable("the proxy service has no proxy to lend", retryAfterSeconds: 30)
        default: throw .upstreamFailed("the proxy service answered \(status)")
        }
        guard let address = Self.address(in: body) else {
            throw .upstreamFailed("the proxy service's answer names no SOCKS5 proxy")
        }
        return address
    }

    /// The proxy in an answer; nil where there is none that a worker could use.
    static func address(in answer: [UInt8]) -> ProxyAddress? {
        // `try?`: whatever is wrong with the answer, it names no proxy.
        try? read(answer.rawBytes)
    }

    private static func read(_ bytes: RawSpan) throws(JSONFailure) -> ProxyAddress? {
        let members = try JSONMembers<3>(bytes, ["host", "port", "type"])
        if let type = try members[2].optionalString("type"), !type.equals("socks5", in: bytes) { return nil }
        let name = try members[0].requiredName("host")
        let number = try members[1].requiredInteger("port", in: bytes, 1...65_535, "expected a port from 1 to 65535")
        var text = ByteBuffer(capacity: Int(name.range.count))
        text.append(name, from: bytes)
        return ProxyAddress(serviceHost: text.bytes, port: number)
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                escaped += byte < 16 ? "%0" : "%"
                escaped += String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}

extension ProxyAddress {
    static let hostBytesMax = 253

    /// A host that somebody else names: a name or an address, nothing that would be read as something else in Redis.
    init?(serviceHost host: RawSpan, port: Int) {
        guard (1...Self.hostBytesMax).contains(host.byteCount) else { return nil }
        for at in 0..<host.byteCount {
            switch host.byte(at: at) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: ":"):
                continue
            default: return nil
            }
        }
        self.init(host: host.string, port: port)
    }
}

extension HTTPClientEndpoint {
    init(_ service: HTTPEndpoint) {
        self.init(isSecure: service.isSecure, host: service.host, port: UInt16(service.port))
    }
}
