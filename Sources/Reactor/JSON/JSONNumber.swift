// What a JSON number that was validated before is worth. Exact for integers of 64 bits, correctly rounded for Doubles.
// Without allocation up to 19 digits and small exponents, which is what clients send. Source: RFC 8259 section 6;
// W. D. Clinger, How to read floating point numbers accurately (1990), for the fast path.

public enum JSONNumber {
    /// The integer that `text` is; nil where it has a fraction or an exponent, or does not fit.
    public static func integer(_ text: RawSpan) -> Int? {
        let isNegative = text.byteCount > 0 && text.byte(at: 0) == UInt8(ascii: "-")
        var at = isNegative ? 1 : 0
        guard at < text.byteCount else { return nil }
        var value = 0
        while at < text.byteCount {
            let digit = text.byte(at: at) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            // Negative on the way: there is one more of them.
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, borrow) = tens.subtractingReportingOverflow(Int(digit))
            if overflow || borrow { return nil }
            value = next
            at += 1
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// The nearest Double; infinite where there is none.
    public static func double(_ text: RawSpan) -> Double {
        var mantissa: UInt64 = 0
        var exponent = 0
        var at = 0
        let isNegative = text.byteCount > 0 && text.byte(at: 0) == UInt8(ascii: "-")
        if isNegative { at = 1 }
        var isFraction = false
        scan: while at < text.byteCount {
            let byte = text.byte(at: at)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                // Below this bound another digit cannot overflow.
                guard mantissa < 1_000_000_000_000_000_000 else { return slowDouble(text) }
                mantissa = mantissa * 10 + UInt64(byte - UInt8(ascii: "0"))
                if isFraction { exponent -= 1 }
            case UInt8(ascii: "."):
                isFraction = true
            default:
                guard let written = writtenExponent(text.extracting((at + 1)...)), abs(written) < 1000
                else { return slowDouble(text) }
                exponent += written
                break scan
            }
            at += 1
        }
        // Both factors are exact, so the one operation rounds correctly.
        guard mantissa <= 1 << 53, abs(exponent) <= 22 else { return slowDouble(text) }
        let magnitude = exponent < 0 ? Double(mantissa) / power(-exponent) : Double(mantissa) * power(exponent)
        return isNegative ? -magnitude : magnitude
    }

    private static func writtenExponent(_ text: RawSpan) -> Int? {
        text.byteCount > 0 && text.byte(at: 0) == UInt8(ascii: "+") ? integer(text.extracting(1...)) : integer(text)
    }

    /// 10^`exponent`, exact for 0 to 22.
    private static func power(_ exponent: Int) -> Double {
        var power = 1.0
        for _ in 0..<exponent { power *= 10 }
        return power
    }

    @inline(never)
    private static func slowDouble(_ text: RawSpan) -> Double {
        Double(text.string) ?? .infinity
    }
}
