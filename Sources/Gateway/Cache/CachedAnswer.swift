// One answer as the cache keeps it: header lines, body, and when it was made. A value; in Redis it is one string.
// Limit: `bodyBytesMax`; longer bodies pass by. Source: the HTTP contract, section 3; RFC 9110 sections 8.8 and 13.1.2.

import Reactor

struct CachedAnswer: Equatable, Sendable {
    static let bodyBytesMax = 1 << 20
    /// Changes with `encoded`: entries of different layouts have different keys.
    static let layout = 1

    /// When its upstream made it, by the fleet's clock.
    var bornMs: Int
    var freshUntilMs: Int
    /// Served as stale before this.
    var staleUntilMs: Int
    var lifetimeSeconds: Int
    /// What it was told apart by.
    var vary: [String]
    /// With its quotes.
    var etag: [UInt8]
    /// `Name: value CR LF` each: what clients get besides what the gateway makes anew.
    var lines: [UInt8]
    var body: [UInt8]

    init(_ terms: CacheTerms, nowMs: Int, etag: [UInt8]?, lines: [UInt8], body: [UInt8]) {
        bornMs = nowMs - terms.ageSeconds * 1000
        freshUntilMs = nowMs + terms.freshMs
        staleUntilMs = freshUntilMs + terms.staleMs
        lifetimeSeconds = terms.lifetimeSeconds
        vary = terms.vary
        self.etag = etag ?? Array("\"\(SHA256Digest.of(body.rawBytes).hex.prefix(32))\"".utf8)
        self.lines = lines
        self.body = body
    }

    /// To the nearest second: reactors' ideas of the fleet's clock differ by some milliseconds.
    func ageSeconds(nowMs: Int) -> Int { (max(0, nowMs - bornMs) + 500) / 1000 }

    /// What it takes of a budget of bytes.
    var byteCount: Int { body.count + lines.count + etag.count + 256 }

    /// Whether `If-None-Match` names it: weakly, as a GET compares.
    func isNamed(by ifNoneMatch: [UInt8]?) -> Bool {
        guard let ifNoneMatch else { return false }
        return ETagList.contains(etag, in: ifNoneMatch)
    }

    // MARK: As one string

    /// One line of numbers, then the parts.
    var encoded: [UInt8] {
        let names = Array(vary.joined(separator: ",").utf8)
        let numbers = [
            Self.layout, bornMs, freshUntilMs, staleUntilMs, lifetimeSeconds, names.count, etag.count, lines.count,
        ]
        var out = Array((numbers.map { "\($0)" }.joined(separator: " ") + "\n").utf8)
        out.reserveCapacity(out.count + names.count + etag.count + lines.count + body.count)
        out += names
        out += etag
        out += lines
        out += body
        return out
    }

    /// nil for what `encoded` did not make.
    init?(encoded: [UInt8]) {
        guard let end = encoded.prefix(200).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let numbers = encoded[..<end].split(separator: UInt8(ascii: " ")).compactMap {
            Int(String(decoding: $0, as: UTF8.self))
        }
        guard numbers.count == 8, numbers[0] == Self.layout, numbers.allSatisfy({ $0 >= 0 }),
            numbers[5...].allSatisfy({ $0 <= encoded.count })
        else { return nil }
        var at = end + 1
        guard at + numbers[5] + numbers[6] + numbers[7] <= encoded.count else { return nil }
        func take(_ count: Int) -> [UInt8] {
            defer { at += count }
            return Array(encoded[at..<at + count])
        }
        (bornMs, freshUntilMs, staleUntilMs, lifetimeSeconds) = (numbers[1], numbers[2], numbers[3], numbers[4])
        vary = String(decoding: take(numbers[5]), as: UTF8.self).split(separator: ",").map(String.init)
        etag = take(numbers[6])
        lines = take(numbers[7])
        body = Array(encoded[at...])
    }
}

/// A list of entity tags. Source: RFC 9110 sections 8.8.3 and 13.1.2.
enum ETagList {
    /// - Parameter tag: with its quotes, weak or strong.
    static func contains(_ tag: [UInt8], in list: [UInt8]) -> Bool {
        let opaque = withoutWeakness(tag[...])
        var at = list.startIndex
        while at < list.endIndex {
            let byte = list[at]
            if byte == UInt8(ascii: "*") { return true }
            guard byte == UInt8(ascii: "\"") else {
                at += 1
                continue
            }
            guard let end = list[(at + 1)...].firstIndex(of: byte) else { return false }
            if list[at...end] == opaque { return true }
            at = end + 1
        }
        return false
    }

    private static func withoutWeakness(_ tag: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        tag.starts(with: Array("W/".utf8)) ? tag.dropFirst(2) : tag
    }
}
