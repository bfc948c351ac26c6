// What a load balancer says before a connection's first byte: whose connection it passes on. Both versions. Pure.
// Limits: `v1BytesMax`, `v2BytesMax`. Source: the PROXY protocol's specification (haproxy.org, versions 1 and 2).

/// A PROXY header, complete.
public struct ProxyHeader: Equatable, Sendable {
    /// Bytes that are none: the connection cannot be understood.
    public struct Malformed: Error, Equatable {}

    /// As the specification has it.
    public static let v1BytesMax = 107
    /// Addresses and what a proxy may add to them (TLVs).
    public static let v2BytesMax = 4096

    /// Whose connection it is; nil where the proxy speaks for itself, or names no TCP address.
    public var client: PeerAddress?
    public var byteCount: Int

    /// Reads the header that `bytes` begin with.
    /// - Returns: nil where more bytes are needed.
    public static func parse(_ bytes: RawSpan) throws(Malformed) -> ProxyHeader? {
        let count = min(bytes.byteCount, v2Signature.count)
        if begins(bytes, with: v2Signature, count) { return count < v2Signature.count ? nil : try parseV2(bytes) }
        let wordCount = min(bytes.byteCount, v1Word.count)
        guard begins(bytes, with: v1Word, wordCount) else { throw Malformed() }
        return wordCount < v1Word.count ? nil : try parseV1(bytes)
    }

    private static let v1Word = Array("PROXY ".utf8)
    private static let v2Signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    private static func begins(_ bytes: RawSpan, with word: [UInt8], _ count: Int) -> Bool {
        for at in 0..<count where bytes.byte(at: at) != word[at] { return false }
        return true
    }

    // MARK: Version 1

    /// `PROXY TCP4 203.0.113.7 192.0.2.1 56324 443 CR LF`
    private static func parseV1(_ bytes: RawSpan) throws(Malformed) -> ProxyHeader? {
        let limit = min(bytes.byteCount, v1BytesMax)
        var end = 0
        while end < limit, bytes.byte(at: end) != 0x0A { end += 1 }
        if end == limit {
            if bytes.byteCount >= v1BytesMax { throw Malformed() }
            return nil
        }
        guard bytes.byte(at: end - 1) == 0x0D else { throw Malformed() }
        let line = bytes.extracting(0..<end - 1).string
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        if words[1] == "UNKNOWN" { return ProxyHeader(client: nil, byteCount: end + 1) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
            var client = PeerAddress(String(words[2])), let server = PeerAddress(String(words[3])),
            let port = port(words[4]), Self.port(words[5]) != nil
        else { throw Malformed() }
        // An address of version 4 has a dot, one of version 6 a colon, whatever else.
        for (word, address) in [(words[2], client), (words[3], server)] {
            let isV4 = !word.contains(":")
            guard isV4 == (words[1] == "TCP4"), !address.isUnix else { throw Malformed() }
        }
        client.port = port
        return ProxyHeader(client: client, byteCount: end + 1)
    }

    private static func port(_ text: Substring) -> UInt16? {
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), text.count == 1 || !text.hasPrefix("0") else {
            return nil
        }
        return UInt16(text)
    }

    // MARK: Version 2

    private static let v2HeadBytes = 16

    private static func parseV2(_ bytes: RawSpan) throws(Malformed) -> ProxyHeader? {
        guard bytes.byteCount >= v2HeadBytes else { return nil }
        let (version, command) = (bytes.byte(at: 12) >> 4, bytes.byte(at: 12) & 15)
        let length = Int(number(bytes, 14, 2))
        guard version == 2, command <= 1, v2HeadBytes + length <= v2BytesMax else { throw Malformed() }
        guard bytes.byteCount >= v2HeadBytes + length else { return nil }
        var header = ProxyHeader(client: nil, byteCount: v2HeadBytes + length)
        // 0: the proxy's own connection, to see whether we live.
        if command == 0 { return header }
        switch bytes.byte(at: 13) {
        case 0x11:
            guard length >= 12 else { throw Malformed() }
            header.client = PeerAddress(
                high: 0, low: 0xFFFF << 32 | number(bytes, 16, 4), port: UInt16(number(bytes, 24, 2)))
        case 0x21:
            guard length >= 36 else { throw Malformed() }
            header.client = PeerAddress(
                high: number(bytes, 16, 8), low: number(bytes, 24, 8), port: UInt16(number(bytes, 48, 2)))
        // Other families name no address that we could use.
        default: break
        }
        return header
    }

    private static func number(_ bytes: RawSpan, _ start: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for at in start..<start + count { value = value << 8 | UInt64(bytes.byte(at: at)) }
        return value
    }
}
