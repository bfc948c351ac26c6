// Days and months of UTC, as quotas count them. Pure; the time is passed in, microseconds since the Unix epoch.
// Source: the HTTP contract, section 3; H. Hinnant, "chrono-compatible low-level date algorithms", for the months.

import Reactor

/// The day or month in which something is counted.
struct QuotaWindow: Equatable, Sendable {
    /// As keys spell it: 2026-02-04 or 2026-02.
    var name: String
    /// The first second of the next one, since the Unix epoch.
    var endSeconds: Int

    private static let daySeconds = 86_400

    init(_ period: QuotaPeriod, atMicroseconds now: Int64) {
        let day = Int((now / 1_000_000)) / Self.daySeconds
        let (year, month, dayOfMonth) = Self.date(day)
        let monthName = "\(year)-\(Self.twoDigits(month))"
        switch period {
        case .day:
            name = "\(monthName)-\(Self.twoDigits(dayOfMonth))"
            endSeconds = (day + 1) * Self.daySeconds
        case .month:
            name = monthName
            // Thirty-one days on is the next month; its first day ends this one.
            let later = day - dayOfMonth + 1 + 31
            endSeconds = (later - Self.date(later).day + 1) * Self.daySeconds
        }
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// - Parameter days: since 1970-01-01, not negative.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Months count from March, so that a leap day is the last of its year.
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
