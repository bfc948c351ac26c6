// The time of day, as logs and documents write it. Timers and limits never use it: they take the monotonic clock.
// A plain value. Source: RFC 3339; the calendar arithmetic is Howard Hinnant's days_from_civil, inverted.

import CReactor

public struct WallTime: Equatable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public var msSinceEpoch: Int64

    public init(msSinceEpoch: Int64) { self.msSinceEpoch = msSinceEpoch }

    public static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(msSinceEpoch: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Appends `2026-02-04T10:00:00.000Z`. Years 0 to 9999.
    public func append(rfc3339 buffer: inout ByteBuffer) {
        let days = msSinceEpoch >= 0 ? msSinceEpoch / 86_400_000 : (msSinceEpoch - 86_399_999) / 86_400_000
        let msOfDay = Int(msSinceEpoch - days * 86_400_000)
        // Days are counted from 0000-03-01, so that leap days come last in their year and in their era of 400 years.
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        Self.append(year, digits: 4, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        Self.append(month, digits: 2, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        Self.append(day, digits: 2, to: &buffer)
        buffer.append(UInt8(ascii: "T"))
        Self.append(msOfDay / 3_600_000, digits: 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        Self.append(msOfDay / 60_000 % 60, digits: 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        Self.append(msOfDay / 1000 % 60, digits: 2, to: &buffer)
        buffer.append(UInt8(ascii: "."))
        Self.append(msOfDay % 1000, digits: 3, to: &buffer)
        buffer.append(UInt8(ascii: "Z"))
    }

    private static func append(_ value: Int, digits: Int, to buffer: inout ByteBuffer) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            buffer.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}
