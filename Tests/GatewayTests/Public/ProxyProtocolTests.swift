// Clients behind a load balancer that speaks the PROXY protocol: who they are, and who may say so.

import Foundation
import TestSupport
import Testing

@Suite struct ProxyProtocolTests {
    private static let named = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
    /// 203.0.113.9, version 2.
    private static let binary: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
        + [203, 0, 113, 9, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xBB]
    private static let local: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x20, 0x00, 0, 0]

    private static func fixture(
        _ more: [String: String] = [:], trusted: String = "127.0.0.1", tiers: String? = PublicFixture.unlimited
    ) throws -> ProxiedFixture { try ProxiedFixture(more, trusted: trusted, tiers: tiers) }

    /// A gateway whose public listener expects the header, and whose worker one does not.
    private final class ProxiedFixture {
        let fixture: PublicFixture
        let publicPort: Int

        init(_ more: [String: String], trusted: String, tiers: String?) throws {
            let (port, publicPort) = (try FreePort.next(), try FreePort.next())
            self.publicPort = publicPort
            var variables = [
                "GATEWAY_LISTENERS": "worker=127.0.0.1:\(port),ops=127.0.0.1:\(port),public=127.0.0.1:\(publicPort)",
                "GATEWAY_PROXY_PROTOCOL": "public", "GATEWAY_TRUSTED_PROXIES": trusted,
            ]
            variables.merge(more) { _, given in given }
            fixture = try PublicFixture(variables, tiers: tiers, port: port)
        }

        /// The answer to one request behind `header`; each time another parcel, which no cache has.
        func get(_ header: [UInt8], _ headers: [(String, String)] = []) throws -> HTTPResponse {
            let client = try RawHTTP(port: publicPort)
            try client.send(
                header + RawHTTP.request("GET", "/v1/properties/\(Int.random(in: 0..<1 << 60))", headers: headers))
            return try client.readResponse()
        }

        func way() throws -> String? { try fixture.lastRequest().header("X-Forwarded-For") }
    }

    @Test func `a header of either version says who the client is, split anywhere`() throws {
        let fixture = try Self.fixture()
        #expect(try fixture.get(Array(Self.named.utf8)).status == 200)
        #expect(try fixture.way() == "203.0.113.7")
        #expect(try fixture.get(Self.binary).status == 200)
        #expect(try fixture.way() == "203.0.113.9")
        for split in [1, 5, 13, 20, Self.binary.count - 1] {
            let client = try RawHTTP(port: fixture.publicPort)
            try client.send(Array(Self.binary[..<split]))
            try throughout(seconds: 0.02, "it says nothing yet") { !client.socket.hasInput }
            try client.send(Array(Self.binary[split...]) + RawHTTP.request("GET", "/v1/properties/\(split)"))
            #expect(try client.readResponse().status == 200)
            #expect(try fixture.way() == "203.0.113.9")
            // It holds for the connection.
            #expect(try client.exchange("GET", "/v1/properties/again\(split)").status == 200)
            #expect(try fixture.way() == "203.0.113.9")
        }
    }

    @Test func `a proxy that speaks for itself is the client`() throws {
        let fixture = try Self.fixture()
        #expect(try fixture.get(Self.local).status == 200)
        #expect(try fixture.way() == "127.0.0.1")
        #expect(try fixture.get(Array("PROXY UNKNOWN\r\n".utf8)).status == 200)
        #expect(try fixture.way() == "127.0.0.1")
    }

    @Test func `whom the header names is limited, and cannot name another in X-Forwarded-For`() throws {
        let tiers = "tiers: {anonymous: {rate_per_minute: 1, burst: 2, quotas: {details: {day: -1}}}}"
        let fixture = try Self.fixture(tiers: tiers)
        let statuses = try (0..<4).map { number in
            try fixture.get(Array(Self.named.utf8), [("X-Forwarded-For", "198.51.100.\(number)")]).status
        }
        #expect(statuses == [200, 200, 429, 429])
        #expect(try fixture.get(Self.binary).status == 200, "another client has a bucket of its own")
    }

    @Test(arguments: ["GET /v1/properties/1 HTTP/1.1\r\nHost: x\r\n\r\n", "PROXY TCP4 nonsense\r\n", "\r\n\r\n"])
    func `from a trusted proxy nothing but a good header is taken, and a bad one costs its connection`(
        _ text: String
    ) throws {
        let fixture = try Self.fixture()
        let good = try RawHTTP(port: fixture.publicPort)
        try good.send(Self.named)
        let bad = try RawHTTP(port: fixture.publicPort)
        try bad.send(text)
        // `try?`: it may be closed by now.
        try? bad.send("\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        try bad.expectClosed()
        #expect(fixture.fixture.parser.requestCount == 0)
        #expect(try good.exchange("GET", "/v1/properties/1").status == 200)
    }

    @Test func `from anybody else a header is a bad request`() throws {
        let fixture = try Self.fixture(trusted: "10.0.0.1")
        for header in [Array(Self.named.utf8), Self.binary] {
            #expect(try fixture.get(header).status == 400)
        }
        #expect(fixture.fixture.parser.requestCount == 0)
        #expect(try fixture.get([]).status == 200)
        #expect(try fixture.way() == "127.0.0.1")
    }

    @Test func `listeners of other surfaces, and gateways that are not told so, expect none`() throws {
        let fixture = try Self.fixture()
        #expect(try fixture.fixture.gateway.exchange("GET", "/health").status == 200)
        let other = try PublicFixture(["GATEWAY_TRUSTED_PROXIES": "127.0.0.1"])
        let client = try RawHTTP(port: other.gateway.port)
        try client.send(Self.named + "GET /v1/properties/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.readResponse().status == 400)
    }

    @Test func `a header must come in time`() throws {
        let fixture = try Self.fixture(["GATEWAY_HEADER_TIMEOUT_SECONDS": "0.2"])
        let client = try RawHTTP(port: fixture.publicPort)
        try client.send("PROXY TCP4")
        try client.expectClosed()
    }

    @Test func `connections count for the client that is named`() throws {
        let fixture = try Self.fixture(["GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": "8"])
        func open(_ header: [UInt8], _ number: Int) throws -> (RawHTTP, Int) {
            let client = try RawHTTP(port: fixture.publicPort)
            try client.send(header + RawHTTP.request("GET", "/v1/properties/\(number)"))
            return (client, try client.readResponse().status)
        }
        // More than eight in all from the proxy's address.
        var held = try (0..<8).map { try open(Array(Self.named.utf8), $0) }
        held += try (0..<4).map { try open(Self.binary, $0) }
        #expect(held.allSatisfy { $0.1 == 200 })
        let refused = try open(Array(Self.named.utf8), 9)
        #expect(refused.1 == 503)
        try refused.0.expectClosed()
        held.removeFirst()
        try eventually("there is room again") { try open(Array(Self.named.utf8), 10).1 == 200 }
    }

    @Test func `it takes trusted proxies, and surfaces that there are`() throws {
        let without = try GatewayProcess.run(["check-config"], environment: ["GATEWAY_PROXY_PROTOCOL": "public"])
        #expect(without.status == .exited(78))
        #expect(without.errors.contains("GATEWAY_PROXY_PROTOCOL is set without GATEWAY_TRUSTED_PROXIES"))
        let unknown = try GatewayProcess.run(["check-config"], environment: ["GATEWAY_PROXY_PROTOCOL": "everything"])
        #expect(unknown.errors.contains("GATEWAY_PROXY_PROTOCOL=\"everything\": \"everything\" is no surface"))
        let good = try GatewayProcess.run(
            ["check-config"],
            environment: ["GATEWAY_PROXY_PROTOCOL": "ops,public", "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8"])
        #expect(good.isSuccess && good.output.contains("GATEWAY_PROXY_PROTOCOL=public,ops"))
    }
}
