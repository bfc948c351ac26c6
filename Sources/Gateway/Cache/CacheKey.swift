// Names of cached answers: path and query in a normal form, then the tier, then what the answer varies by.
// Pure. The path comes first so that a prefix of it finds all entries below. Limit: twice the request target.
// Source: RFC 3986 section 6.2.2 (normal forms), RFC 9111 sections 2 and 4.1.

import Reactor

/// `path?query NUL tier NUL variant`; bytes, not text.
struct CacheKey: Hashable, Sendable {
    private(set) var bytes: [UInt8]

    static let separator: UInt8 = 0

    /// A key that was one before.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// - Parameters:
    ///   - path, query: as they were sent.
    ///   - tier: callers of different tiers never share an answer.
    init(path: RawSpan, query: RawSpan, tier: Tier) {
        var out = ByteBuffer(capacity: path.byteCount + query.byteCount + 16)
        Self.normalise(path, into: &out)
        Self.appendQuery(query, to: &out)
        out.append(Self.separator)
        out.append(tier.name)
        out.append(Self.separator)
        bytes = out.bytes.array
    }

    /// The key of the variant that a request selects.
    /// - Parameters:
    ///   - names: of header fields, in lower case, as the answer's `Vary` had them.
    ///   - values: the request's, see `VariantFields`.
    func varying(by names: [String], _ values: VariantFields) -> CacheKey {
        var key = self
        for name in names {
            key.bytes += name.utf8
            key.bytes.append(UInt8(ascii: "="))
            key.bytes += values[name] ?? []
            key.bytes.append(Self.separator)
        }
        return key
    }

    /// The normal form of a path that entries are dropped by.
    static func normalisedPath(_ path: RawSpan) -> [UInt8] {
        var out = ByteBuffer(capacity: path.byteCount)
        normalise(path, into: &out)
        return out.bytes.array
    }

    /// Appends with escapes in upper case, and undone where they stand for unreserved characters.
    private static func normalise(_ text: RawSpan, into out: inout ByteBuffer) {
        var at = 0
        while at < text.byteCount {
            let byte = text.byte(at: at)
            if byte == UInt8(ascii: "%"), at + 2 < text.byteCount, let high = digit(text.byte(at: at + 1)),
                let low = digit(text.byte(at: at + 2))
            {
                let decoded = high << 4 | low
                if isUnreserved(decoded) {
                    out.append(decoded)
                } else {
                    out.append(byte)
                    out.append(upper(text.byte(at: at + 1)))
                    out.append(upper(text.byte(at: at + 2)))
                }
                at += 3
            } else {
                out.append(byte)
                at += 1
            }
        }
    }

    /// Items ordered by name, those of one name as they came; empty ones left out.
    private static func appendQuery(_ query: RawSpan, to out: inout ByteBuffer) {
        if query.byteCount == 0 { return }
        var normal = ByteBuffer(capacity: query.byteCount)
        normalise(query, into: &normal)
        let bytes = normal.bytes.array
        var found: [QueryItem] = []
        var items = QueryItems(bytes.rawBytes.range)
        while let item = items.next(in: bytes.rawBytes) { found.append(item) }
        func name(_ item: QueryItem) -> ArraySlice<UInt8> { bytes[Int(item.name.offset)..<item.name.end] }
        // Stable: equal names keep their order, which may mean something.
        let ordered = found.enumerated().sorted { left, right in
            let (one, other) = (name(left.element), name(right.element))
            return one == other ? left.offset < right.offset : one.lexicographicallyPrecedes(other)
        }
        var separator = UInt8(ascii: "?")
        for (_, item) in ordered {
            out.append(separator)
            let end = max(item.name.end, item.value.end)
            out.append(bytes.rawBytes.extracting(Int(item.name.offset)..<end))
            separator = UInt8(ascii: "&")
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func upper(_ byte: UInt8) -> UInt8 { byte >= UInt8(ascii: "a") ? byte & 0xDF : byte }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

/// The fields of one request that answers may vary by: all whose name begins with `Accept`.
struct VariantFields: Equatable, Sendable {
    private var fields: [(name: String, value: [UInt8])] = []

    static func == (left: VariantFields, right: VariantFields) -> Bool {
        left.fields.map(\.name) == right.fields.map(\.name) && left.fields.map(\.value) == right.fields.map(\.value)
    }

    init() {}

    init(_ request: borrowing Request) {
        for index in 0..<request.headerCount {
            let name = request.headerName(at: index)
            guard name.byteCount >= 6, name.extracting(first: 6).equalsIgnoringCase("accept") else { continue }
            add(name.string, request.headerValue(at: index).array)
        }
    }

    /// Several lines of a name are one list (RFC 9110 section 5.3). Blanks mean nothing.
    mutating func add(_ name: String, _ value: [UInt8]) {
        let name = name.lowercased()
        let value = value.filter { $0 != 0x20 && $0 != 0x09 && $0 != CacheKey.separator }
        if let index = fields.firstIndex(where: { $0.name == name }) {
            fields[index].value += [UInt8(ascii: ",")] + value
        } else {
            fields.append((name, value))
        }
    }

    subscript(name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
}
