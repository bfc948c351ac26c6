// Splits the URLs of the configuration into their parts; hides the passwords in them.
// Runs at the start only and owns nothing. Stricter than a browser: what it does not understand it refuses.
// Source: RFC 3986 section 3.

/// scheme://[user[:password]@]host[:port][/path][?query], percent-decoded except for `rawPath`.
struct URLParts {
    /// Longest text looked at.
    static let bytesMax = 4096

    var scheme = ""
    var user: String?
    var password: String?
    /// Without the brackets of an IPv6 literal.
    var host = ""
    var port: Int?
    /// Empty, or from the first slash on.
    var path = ""
    var rawPath = ""
    var query: [(name: String, value: String)] = []

    init(_ text: String) throws(BadSetting) {
        guard text.utf8.count <= Self.bytesMax else { throw BadSetting("longer than \(Self.bytesMax) bytes") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw BadSetting("holds a character that an URL must percent-encode")
        }
        guard let separator = text.firstRange(of: "://") else { throw BadSetting("has no ://") }
        scheme = text[..<separator.lowerBound].lowercased()
        var rest = text[separator.upperBound...]
        guard !rest.contains("#") else { throw BadSetting("a fragment (#) has no place here; write %23") }

        if let mark = rest.firstIndex(of: "?") {
            query = try Self.query(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        if let slash = rest.firstIndex(of: "/") {
            rawPath = String(rest[slash...])
            path = try Self.decoded(rest[slash...])
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at]
            if let colon = login.firstIndex(of: ":") {
                user = try Self.decoded(login[..<colon])
                password = try Self.decoded(login[login.index(after: colon)...])
            } else {
                user = try Self.decoded(login)
            }
            rest = rest[rest.index(after: at)...]
        }
        if !rest.isEmpty {
            guard let parts = splitHostPort(rest) else { throw BadSetting("bad host or port") }
            host = try Self.decoded(parts.host[...])
            port = parts.port
        }
    }

    private static func query(_ text: Substring) throws(BadSetting) -> [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        for item in text.split(separator: "&") {
            let equals = item.firstIndex(of: "=") ?? item.endIndex
            let value = item[equals...].dropFirst()
            items.append((name: try decoded(item[..<equals]), value: try decoded(value)))
        }
        return items
    }

    private static func decoded(_ text: Substring) throws(BadSetting) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
                    throw BadSetting("a % must be followed by two hex digits")
                }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        guard !bytes.contains(0), let string = String(validating: bytes, as: UTF8.self) else {
            throw BadSetting("percent-encoding is not UTF-8 text")
        }
        return string
    }
}

private func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; nil where it is none of them.
func splitHostPort(_ text: Substring) -> (host: String, port: Int?)? {
    var host = text
    var portText: Substring?
    if text.hasPrefix("[") {
        guard let close = text.firstIndex(of: "]") else { return nil }
        host = text[text.index(after: text.startIndex)..<close]
        guard IPAddress(host) != nil, host.contains(":") else { return nil }
        let after = text[text.index(after: close)...]
        if !after.isEmpty {
            guard after.hasPrefix(":") else { return nil }
            portText = after.dropFirst()
        }
    } else if let colon = text.firstIndex(of: ":") {
        host = text[..<colon]
        portText = text[text.index(after: colon)...]
    }
    guard let portText else { return (String(host), nil) }
    guard portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(portText), port <= 65_535 else {
        return nil
    }
    return (String(host), port)
}

/// Replaces the password of a URL, and of its query, by `***`. Works on malformed text too and then hides rather more.
func maskURLPasswords(_ text: String) -> String {
    var masked = text
    let start = masked.firstRange(of: "://")?.upperBound ?? masked.startIndex
    if let at = masked.lastIndex(of: "@"), start < at {
        let wellFormed = start > masked.startIndex
        if let colon = wellFormed ? masked[start..<at].firstIndex(of: ":") : start {
            let from = wellFormed ? masked.index(after: colon) : start
            masked.replaceSubrange(from..<at, with: "***")
        }
    }
    guard let mark = masked.firstIndex(of: "?") else { return masked }
    let items = masked[masked.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
    let query = items.map { item -> String in
        guard let equals = item.firstIndex(of: "="), item[..<equals].lowercased().contains("password") else {
            return String(item)
        }
        return item[...equals] + "***"
    }
    return masked[...mark] + query.joined(separator: "&")
}

/// The entries between commas, without the white space around them; empty ones are dropped.
func commaSeparated(_ text: String) -> [String] {
    text.split(whereSeparator: { $0 == "," || $0.isNewline }).map { trimmed($0) }.filter { !$0.isEmpty }
}

func trimmed(_ text: some StringProtocol) -> String {
    let start = text.drop { $0.isWhitespace }
    var end = start.endIndex
    while end > start.startIndex, start[start.index(before: end)].isWhitespace { end = start.index(before: end) }
    return String(start[..<end])
}
