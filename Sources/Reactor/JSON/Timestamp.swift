// A moment as RFC 3339 writes it, in microseconds since 1970-01-01T00:00:00Z (the proleptic Gregorian calendar, years
// 0000 to 9999, leap seconds counted as the next second's start). Plain data; parsing and printing allocate nothing.
// Source: RFC 3339 section 5.6; H. Hinnant, chrono-compatible low-level date algorithms.

public struct Timestamp: Equatable, Hashable, Comparable, Sendable {
    public var microsSinceEpoch: Int64

    @inlinable
    public init(microsSinceEpoch: Int64) {
        self.microsSinceEpoch = microsSinceEpoch
    }

    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsSinceEpoch < right.microsSinceEpoch
    }

    /// Parses `2026-02-04T10:00:00.5+01:00`: `T` and `Z` in either case, a space in place of `T`, no zone for UTC, digits
    /// beyond microseconds cut off. Nil for everything else.
    public init?(_ text: RawSpan) {
        var fields = TimeFields(text)
        guard let year = fields.number(4, 0...9999), fields.skip("-", "-"),
            let month = fields.number(2, 1...12), fields.skip("-", "-"),
            let day = fields.number(2, 1...Self.daysInMonth(month, of: year)), fields.skip("T", " "),
            let hour = fields.number(2, 0...23), fields.skip(":", ":"),
            let minute = fields.number(2, 0...59), fields.skip(":", ":"),
            let second = fields.number(2, 0...60),
            let micros = fields.fraction(), let zoneMinutes = fields.zone(), fields.isAtEnd
        else { return nil }
        let minutes = (Self.days(year, month, day) * 24 + hour) * 60 + minute - zoneMinutes
        microsSinceEpoch = Int64((minutes * 60 + second) * 1_000_000 + micros)
    }

    /// Parses a string of a JSON text that was written with escapes. Allocates: nobody writes times so.
    init?(escaped string: JSONString, in body: RawSpan) {
        var text = ByteBuffer(capacity: Int(string.range.count))
        text.append(string, from: body)
        self.init(text.bytes)
    }

    static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 to a date. Years start in March here, so that the leap day is the last.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The date that lies `days` after 1970-01-01.
    static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

/// Reads the fixed fields of a time from left to right.
private struct TimeFields: ~Escapable {
    let text: RawSpan
    var at = 0

    @_lifetime(copy text)
    init(_ text: RawSpan) { self.text = text }

    var isAtEnd: Bool { at == text.byteCount }

    @_lifetime(self: copy self)
    mutating func number(_ digits: Int, _ bounds: ClosedRange<Int>) -> Int? {
        guard at + digits <= text.byteCount else { return nil }
        var value = 0
        for index in at..<(at + digits) {
            let digit = text.byte(at: index) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        at += digits
        return bounds.contains(value) ? value : nil
    }

    /// Passes one of two separators (letters in either case).
    @_lifetime(self: copy self)
    mutating func skip(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Bool {
        guard let next = peek(), next == UInt8(ascii: first) || next == UInt8(ascii: second) || isLetter(next, first)
        else { return false }
        at += 1
        return true
    }

    func isLetter(_ byte: UInt8, _ upper: Unicode.Scalar) -> Bool {
        UInt8(ascii: upper) > UInt8(ascii: "A") && byte == UInt8(ascii: upper) | 0x20
    }

    func peek() -> UInt8? { at < text.byteCount ? text.byte(at: at) : nil }

    /// Microseconds; 0 without a fraction, nil for a point without digits.
    @_lifetime(self: copy self)
    mutating func fraction() -> Int? {
        guard peek() == UInt8(ascii: ".") else { return 0 }
        at += 1
        let start = at
        var micros = 0
        while let next = peek(), next &- UInt8(ascii: "0") < 10 {
            if at - start < 6 { micros = micros * 10 + Int(next - UInt8(ascii: "0")) }
            at += 1
        }
        if at == start { return nil }
        for _ in min(at - start, 6)..<6 { micros *= 10 }
        return micros
    }

    /// Minutes east of UTC; 0 without a zone.
    @_lifetime(self: copy self)
    mutating func zone() -> Int? {
        guard let sign = peek() else { return 0 }
        at += 1
        if sign | 0x20 == UInt8(ascii: "z") { return 0 }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            let hours = number(2, 0...23), skip(":", ":"), let minutes = number(2, 0...59)
        else { return nil }
        return (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
    }
}

extension ByteBuffer {
    /// Appends `2026-02-04T10:00:00Z`, with six digits of a fraction where there is one.
    public mutating func append(_ timestamp: Timestamp) {
        let dayMicros: Int64 = 86_400_000_000
        let micros = timestamp.microsSinceEpoch
        let days = (micros >= 0 ? micros : micros - dayMicros + 1) / dayMicros
        let ofDay = Int(micros - days * dayMicros)
        let seconds = ofDay / 1_000_000
        let date = Timestamp.date(Int(days))
        reserve(32)
        append(date.year, digits: 4, before: "-")
        append(date.month, digits: 2, before: "-")
        append(date.day, digits: 2, before: "T")
        append(seconds / 3600, digits: 2, before: ":")
        append(seconds / 60 % 60, digits: 2, before: ":")
        let fraction = ofDay % 1_000_000
        append(seconds % 60, digits: 2, before: fraction == 0 ? "Z" : ".")
        if fraction != 0 { append(fraction, digits: 6, before: "Z") }
    }

    private mutating func append(_ value: Int, digits: Int, before next: StaticString) {
        append(value, digits: digits)
        append(next)
    }
}
