// The id that follows one request through answers, logs and upstreams. Plain data of fixed size: no allocation.

import CReactor

/// 1 to 128 characters of `[A-Za-z0-9._-]`, stored inline.
public struct RequestID: Sendable {
    public static let bytesMax = 128

    private var storage = InlineArray<128, UInt8>(repeating: 0)
    private var count: UInt8 = 0

    /// Takes a client's id; nil if it is not of the permitted form.
    init?(_ text: RawSpan) {
        guard text.byteCount > 0, text.byteCount <= Self.bytesMax else { return nil }
        for index in 0..<text.byteCount where !Self.isPermitted(text.byte(at: index)) { return nil }
        for index in 0..<text.byteCount { storage[index] = text.byte(at: index) }
        count = UInt8(text.byteCount)
    }

    private static func isPermitted(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    /// "req_" and 26 characters of Crockford's base 32 for 128 bits.
    init(high: UInt64, low: UInt64) {
        let prefix: StaticString = "req_"
        for index in 0..<4 { storage[index] = prefix.utf8Start[index] }
        var (high, low) = (high, low)
        var index = 4 + 25
        while index >= 4 {
            storage[index] = Self.digit(Int(low & 31))
            low = low >> 5 | high << 59
            high >>= 5
            index -= 1
        }
        count = 30
    }

    private static func digit(_ value: Int) -> UInt8 {
        let digits: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"
        return digits.utf8Start[value]
    }

    /// Appends the characters.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(storage.span.bytes.extracting(0..<Int(count)))
    }

    public var description: String { storage.span.bytes.extracting(0..<Int(count)).string }
}

/// Makes ids that no other reactor or process makes: a random start and a count.
struct RequestIDSource {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    init() {
        let status = withUnsafeMutableBytes(of: &high) { cr_random($0.baseAddress, $0.count) }
        precondition(status == 0, "no random bytes: error \(-status)")
        _ = withUnsafeMutableBytes(of: &low) { cr_random($0.baseAddress, $0.count) }
    }

    mutating func next() -> RequestID {
        low &+= 1
        return RequestID(high: high, low: low)
    }
}
