// The leaf for numbers: their grammar, and whether PostgreSQL's `numeric` can hold them.
// Numbers may be of any length; nothing is converted here. Source: RFC 8259 section 6; numeric.h of PostgreSQL 15.

extension JSONScanner {
    /// Digits before the point and after it that `numeric` holds.
    static let numericWeightMax = 131_072
    static let numericScaleMax = 16_383
    /// Written exponents from here on are refused, even of zero.
    static let numericExponentMax = Int(Int32.max) / 2

    /// - Parameter start: index of the minus sign or the first digit.
    /// - Returns: index after the number.
    @inline(__always)
    func number(_ start: Int, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        var at = start
        if byte(at) == UInt8(ascii: "-") { at += 1 }
        let integer = at
        at = digits(at)
        guard at > integer else { throw badNumber(start, at) }
        if byte(integer) == UInt8(ascii: "0"), at > integer + 1 { throw SyntaxFailure(.leadingZero, at: integer) }
        if at < count, byte(at) == UInt8(ascii: ".") {
            let fraction = at + 1
            at = digits(fraction)
            guard at > fraction else { throw badNumber(start, at) }
        }
        var isUnusual = at - start > 1000
        if at < count, byte(at) | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < count, byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
            let exponent = at
            at = digits(at)
            guard at > exponent else { throw badNumber(start, at) }
            isUnusual = isUnusual || at - exponent > 3
        }
        if isUnusual { checkStorable(start, at, &findings) }
        return at
    }

    @inline(__always)
    private func digits(_ start: Int) -> Int {
        var at = start
        while at < count, byte(at) &- UInt8(ascii: "0") < 10 { at += 1 }
        return at
    }

    @inline(never)
    private func badNumber(_ start: Int, _ at: Int) -> SyntaxFailure {
        if at < count, at == start + 1, follows(at, "Infinity") { return SyntaxFailure(.negativeInfinity, at: start) }
        return at < count ? SyntaxFailure(.badNumber, at: at) : SyntaxFailure(.end, at: count)
    }

    /// Notes a (valid) number whose first digit or last decimal place lies outside `numeric`.
    @inline(never)
    private func checkStorable(_ start: Int, _ end: Int, _ findings: inout JSONFindings) {
        var at = byte(start) == UInt8(ascii: "-") ? start + 1 : start
        let integer = at
        at = digits(at)
        let integerDigits = at - integer
        var isZero = byte(integer) == UInt8(ascii: "0")
        // Position of the first digit that is not 0: 0 is the units, negative is behind the point.
        var leading = integerDigits - 1
        var fractionDigits = 0
        if at < end, byte(at) == UInt8(ascii: ".") {
            let fraction = at + 1
            at = digits(fraction)
            fractionDigits = at - fraction
            if isZero, let first = (fraction..<at).first(where: { byte($0) != UInt8(ascii: "0") }) {
                isZero = false
                leading = -(first - fraction) - 1
            }
        }
        var exponent = 0
        if at < end {
            at += 1
            let isNegative = byte(at) == UInt8(ascii: "-")
            if isNegative || byte(at) == UInt8(ascii: "+") { at += 1 }
            while at < end {
                // Saturates: more than 10 digits are out of range whatever they are.
                exponent = min(exponent * 10 + Int(byte(at) - UInt8(ascii: "0")), 10_000_000_000)
                at += 1
            }
            if isNegative { exponent = -exponent }
        }
        let isTooLarge = !isZero && leading + exponent >= Self.numericWeightMax
        let isTooFine = fractionDigits - exponent > Self.numericScaleMax
        if isTooLarge || isTooFine || abs(exponent) >= Self.numericExponentMax {
            findings.note(.numberTooLarge, at: start)
        }
    }
}
