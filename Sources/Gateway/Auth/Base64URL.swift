// Base64url without padding, decoded strictly: one text for one value. Pure. Source: RFC 4648 section 5, RFC 7515
// section 2.

import Reactor

enum Base64URL {
    /// Appends what `text` stands for.
    /// - Returns: false where it is none: a foreign character, a lone one at the end, or bits set past the end.
    static func decode(_ text: RawSpan, into out: inout [UInt8]) -> Bool {
        if text.byteCount % 4 == 1 { return false }
        out.reserveCapacity(out.count + text.byteCount * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for at in 0..<text.byteCount {
            guard let value = value(text.byte(at: at)) else { return false }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bits == 0
    }

    static func decode(_ text: RawSpan) -> [UInt8]? {
        var out: [UInt8] = []
        return decode(text, into: &out) ? out : nil
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
