// PROXY headers, read from every split, against what the specification allows and forbids.

import TestSupport
import Testing

@testable import Reactor

@Suite struct ProxyHeaderTests {
    /// A header of version 2: command and family as given, then the length of what follows.
    static func v2(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], version: UInt8 = 2) -> [UInt8] {
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, version << 4 | command, family]
            + [UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
    }

    /// 203.0.113.7:4711 to 192.0.2.1:443.
    static let v4: [UInt8] = [203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xBB]
    /// [2001:db8::7]:4711 to [2001:db8::1]:443.
    static let v6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [0x12, 0x67, 0x01, 0xBB]

    private func parse(_ bytes: [UInt8]) throws(ProxyHeader.Malformed) -> ProxyHeader? {
        try ProxyHeader.parse(bytes.span.bytes)
    }

    private func expect(_ header: [UInt8], names client: String?, port: UInt16 = 4711) throws {
        for count in 0..<header.count { #expect(try parse(Array(header[..<count])) == nil, "after \(count) bytes") }
        let found = try #require(try parse(header + Array("GET / HTTP/1.1\r\n".utf8)))
        #expect(found.byteCount == header.count)
        #expect(found.client?.description == client)
        if client != nil { #expect(found.client?.port == port) }
    }

    @Test func `both versions name the client, in either family, whatever follows`() throws {
        try expect(Array("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n".utf8), names: "203.0.113.7")
        try expect(Array("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".utf8), names: "2001:db8::7")
        try expect(Self.v2(1, 0x11, Self.v4), names: "203.0.113.7")
        try expect(Self.v2(1, 0x21, Self.v6), names: "2001:db8::7")
        // What a proxy adds behind the addresses.
        try expect(Self.v2(1, 0x11, Self.v4 + [0x04, 0x00, 0x02, 0xAA, 0xBB]), names: "203.0.113.7")
    }

    @Test func `a proxy that speaks for itself, or of no TCP address, names nobody`() throws {
        try expect(Array("PROXY UNKNOWN\r\n".utf8), names: nil)
        try expect(Array("PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\n".utf8), names: nil)
        try expect(Self.v2(0, 0x00, []), names: nil)
        try expect(Self.v2(0, 0x11, Self.v4), names: nil)
        try expect(Self.v2(1, 0x00, []), names: nil)
        try expect(Self.v2(1, 0x12, Self.v4), names: nil)
        try expect(Self.v2(1, 0x31, [UInt8](repeating: 0, count: 216)), names: nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "\r\n\r\nx", "PROXY\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "PROXY TCP4 ::1 ::1 1 1\r\n", "PROXY TCP6 1.2.3.4 ::1 1 1\r\n",
        "PROXY TCP4 localhost 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
    ])
    func `what breaks the form is malformed`(_ text: String) {
        #expect(throws: ProxyHeader.Malformed.self) { try parse(Array(text.utf8)) }
    }

    @Test func `a version 2 of another number, command or too few bytes is malformed`() {
        for bytes in [
            Self.v2(1, 0x11, Self.v4, version: 1), Self.v2(2, 0x11, Self.v4),
            Self.v2(1, 0x11, Array(Self.v4.dropLast())),
            Self.v2(1, 0x21, Self.v4),
        ] {
            #expect(throws: ProxyHeader.Malformed.self) { try parse(bytes) }
        }
    }

    @Test func `a header has an end`() throws {
        let open = Array("PROXY UNKNOWN ".utf8)
        let long = open + [UInt8](repeating: 0x78, count: ProxyHeader.v1BytesMax - open.count)
        #expect(try parse(Array(long.dropLast())) == nil)
        #expect(throws: ProxyHeader.Malformed.self) { try parse(long) }
        let most = Self.v2(1, 0x11, Self.v4 + [UInt8](repeating: 0, count: ProxyHeader.v2BytesMax - 16 - 12))
        #expect(try parse(most)?.byteCount == ProxyHeader.v2BytesMax)
        // Refused by its length, before it has come.
        var more = Array(Self.v2(1, 0x11, Self.v4).prefix(16))
        (more[14], more[15]) = (0xFF, 0xFF)
        #expect(throws: ProxyHeader.Malformed.self) { try parse(more) }
    }

    @Test func `bytes changed at random never trap`() throws {
        var random = RandomSource(label: "PROXY headers")
        for header in [Array("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n".utf8), Self.v2(1, 0x21, Self.v6)] {
            for _ in 0..<20_000 {
                var bytes = header
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                // `try?`: malformed is what most of them are.
                let found = try? parse(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
                if let header = found { #expect(header.byteCount <= bytes.count) }
            }
        }
    }
}
