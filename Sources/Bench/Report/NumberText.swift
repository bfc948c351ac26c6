// How figures are written: few digits, a unit, thousands apart. Pure.

/// `value` with so many digits behind the point, rounded.
func fixedText(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return value.isFinite ? "\(value)" : "–" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    let whole = scaled / Int(scale)
    if digits == 0 { return "\(sign)\(whole)" }
    let fraction = String(scaled % Int(scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// 1234567 as 1,234,567.
func countText(_ value: Int) -> String {
    var digits = String(value.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits = String(digits.dropLast(3))
    }
    return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

/// A time with three digits that count and a unit.
func microsText(_ micros: Double) -> String {
    func three(_ value: Double) -> String { fixedText(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0) }
    if micros < 999.5 { return three(micros) + " µs" }
    if micros < 999_500 { return three(micros / 1000) + " ms" }
    return three(micros / 1_000_000) + " s"
}

/// A rate a second: fewer digits the larger it is.
func rateText(_ rate: Double) -> String {
    if rate == 0 { return "0" }
    return rate < 100 ? fixedText(rate, rate < 10 ? 2 : 1) : countText(Int(rate.rounded()))
}

func percentText(_ share: Double) -> String {
    let percent = share * 100
    if percent > 0, percent < 0.005 { return "< 0.01 %" }
    return fixedText(percent, percent < 10 && percent > 0 ? 2 : 0) + " %"
}

func bytesText(_ bytes: Int) -> String {
    let size = abs(Double(bytes))
    if size < 1024 { return "\(bytes) B" }
    if size < 1024 * 1024 { return fixedText(Double(bytes) / 1024, 1) + " KiB" }
    if size < 1024 * 1024 * 1024 { return fixedText(Double(bytes) / 1024 / 1024, 1) + " MiB" }
    return fixedText(Double(bytes) / 1024 / 1024 / 1024, 2) + " GiB"
}

extension String {
    /// Blanks in front, up to so many characters.
    func leftPadded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
    /// Blanks behind.
    func rightPadded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
