// Days and months of UTC.

import Foundation
import Testing

@testable import Gateway

@Suite struct QuotaCalendarTests {
    private static func seconds(_ text: String) -> Int {
        Int(ISO8601DateFormatter().date(from: text)?.timeIntervalSince1970 ?? -1)
    }

    @Test(arguments: [
        ("2026-02-04T10:00:00Z", "2026-02-04", "2026-02-05T00:00:00Z", "2026-02", "2026-03-01T00:00:00Z"),
        ("2026-12-31T23:59:59Z", "2026-12-31", "2027-01-01T00:00:00Z", "2026-12", "2027-01-01T00:00:00Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29", "2028-03-01T00:00:00Z", "2028-02", "2028-03-01T00:00:00Z"),
        ("2027-01-31T12:00:00Z", "2027-01-31", "2027-02-01T00:00:00Z", "2027-01", "2027-02-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01", "1970-01-02T00:00:00Z", "1970-01", "1970-02-01T00:00:00Z"),
    ])
    func `a time lies in its day and its month`(
        at: String, day: String, dayEnd: String, month: String, monthEnd: String
    ) {
        let now = Int64(Self.seconds(at)) * 1_000_000
        let inDay = QuotaWindow(.day, atMicroseconds: now)
        #expect(inDay.name == day && inDay.endSeconds == Self.seconds(dayEnd))
        let inMonth = QuotaWindow(.month, atMicroseconds: now + 999_999)
        #expect(inMonth.name == month && inMonth.endSeconds == Self.seconds(monthEnd))
    }

    @Test func `every day of four hundred years ends where the calendar says`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        for day in stride(from: 0, to: 146_097, by: 13) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let month = QuotaWindow(.month, atMicroseconds: Int64(day) * 86_400_000_000)
            let end = try #require(calendar.dateInterval(of: .month, for: date)?.end)
            #expect(month.endSeconds == Int(end.timeIntervalSince1970))
            let name = try #require(Int(QuotaWindow(.day, atMicroseconds: Int64(day) * 86_400_000_000).name.suffix(2)))
            #expect(name == parts.day)
        }
    }
}
