// The Date header of responses, made once a second. Owned by its reactor; time is passed in.
// Source: RFC 9110 section 5.6.7 (IMF-fixdate). Range: the years 1970 to 9999.

/// A cached `Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n`.
public struct HTTPDate: Sendable {
    static var lineByteCount: Int { 37 }
    private var second: Int
    private var line: InlineArray<37, UInt8>

    public init() {
        second = -1
        line = InlineArray(repeating: 0x20)
    }

    /// Appends the header line, CRLF included.
    /// - Parameter unixSeconds: since 1970, at least 0.
    public mutating func appendLine(unixSeconds: Int, to buffer: inout ByteBuffer) {
        if unixSeconds != second { render(unixSeconds) }
        buffer.append(line.span.bytes)
    }

    /// Appends the date alone, as other headers need it.
    public mutating func append(unixSeconds: Int, to buffer: inout ByteBuffer) {
        if unixSeconds != second { render(unixSeconds) }
        buffer.append(line.span.bytes.extracting(6..<35))
    }

    private mutating func render(_ unixSeconds: Int) {
        precondition(unixSeconds >= 0 && unixSeconds < 253_402_300_800, "a date before 1970 or after 9999")
        second = unixSeconds
        let days = unixSeconds / 86_400
        let rest = unixSeconds % 86_400
        let (year, month, day) = Self.civil(daysSince1970: days)
        put("Date: ", at: 0)
        put(Self.weekdays[(days + 4) % 7], at: 6)
        put(", ", at: 9)
        putTwo(day, at: 11)
        put(" ", at: 13)
        put(Self.months[month - 1], at: 14)
        put(" ", at: 17)
        putTwo(year / 100, at: 18)
        putTwo(year % 100, at: 20)
        put(" ", at: 22)
        putTwo(rest / 3600, at: 23)
        put(":", at: 25)
        putTwo(rest / 60 % 60, at: 26)
        put(":", at: 28)
        putTwo(rest % 60, at: 29)
        put(" GMT\r\n", at: 31)
    }

    /// Days to year, month and day of the Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static let weekdays: InlineArray<7, StaticString> = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months: InlineArray<12, StaticString> = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private mutating func put(_ text: StaticString, at offset: Int) {
        // The index runs over the literal's own length.
        for index in 0..<text.utf8CodeUnitCount { line[offset + index] = text.utf8Start[index] }
    }

    private mutating func putTwo(_ number: Int, at offset: Int) {
        line[offset] = UInt8(0x30 + number / 10)
        line[offset + 1] = UInt8(0x30 + number % 10)
    }
}
