// RFC 3339 both ways.

import Foundation
import Reactor
import Testing

@Suite struct TimestampTests {
    private func micros(_ text: String) -> Int64? { Timestamp(Array(text.utf8).span.bytes)?.microsSinceEpoch }

    private func text(_ micros: Int64) -> String {
        var out = ByteBuffer()
        out.append(Timestamp(microsSinceEpoch: micros))
        return out.bytes.string
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", Int64(0)), ("2026-02-04T10:00:00Z", 1_770_199_200_000_000),
        ("2026-02-04t10:00:00z", 1_770_199_200_000_000), ("2026-02-04 10:00:00", 1_770_199_200_000_000),
        ("2026-02-04T10:00:00", 1_770_199_200_000_000), ("2026-02-04T10:00:00.5", 1_770_199_200_500_000),
        ("2026-02-04T10:00:00.123456789Z", 1_770_199_200_123_456),
        ("2026-02-04T10:00:00.000001Z", 1_770_199_200_000_001),
        ("2026-02-04T11:30:00+01:30", 1_770_199_200_000_000), ("2026-02-04T05:00:00-05:00", 1_770_199_200_000_000),
        ("2026-02-04T10:00:00-00:00", 1_770_199_200_000_000), ("1969-12-31T23:59:59.999999Z", -1),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ("0000-03-01T00:00:00Z", -62_162_035_200_000_000),
    ])
    func `a time of RFC 3339 is read, UTC where it has no zone`(text: String, expected: Int64) {
        #expect(micros(text) == expected)
    }

    @Test(arguments: [
        "", "2026", "2026-02-04", "2026-02-04T10", "2026-02-04T10:00", "2026-02-04T10:00:00.", "2026-02-04T10:00:00.Z",
        "2026-02-30T10:00:00Z", "2025-02-29T10:00:00Z", "1900-02-29T10:00:00Z", "2026-13-04T10:00:00Z",
        "2026-00-04T10:00:00Z",
        "2026-02-00T10:00:00Z", "2026-04-31T10:00:00Z", "2026-02-04T24:00:00Z", "2026-02-04T10:60:00Z",
        "2026-02-04T10:00:61Z",
        "2026-02-04T10:00:00+1:00", "2026-02-04T10:00:00+0100", "2026-02-04T10:00:00+24:00",
        "2026-02-04T10:00:00+01:60",
        "2026-02-04T10:00:00ZZ", "2026-02-04T10:00:00Z ", " 2026-02-04T10:00:00Z", "2026/02/04T10:00:00Z",
        "2026-02-04_10:00:00Z",
        "2026-02-04T10-00-00Z", "+026-02-04T10:00:00Z", "20260204T100000Z", "2026-02-04T10:00:00,5Z", "now",
        "1770199200",
    ])
    func `what is no time of RFC 3339 is none`(text: String) {
        #expect(micros(text) == nil)
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (1_770_199_200_000_000, "2026-02-04T10:00:00Z"),
        (1_770_199_200_500_000, "2026-02-04T10:00:00.500000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"), (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
    ])
    func `a time is printed in UTC, with a fraction only where there is one`(micros: Int64, expected: String) {
        #expect(text(micros) == expected)
    }

    @Test func `every day from 1890 to 2110 is read as it is printed`() {
        for day in Int64(-29_220)...51_134 {
            let moment = day * 86_400_000_000 + 43_261_000_000
            #expect(micros(text(moment)) == moment)
        }
    }

    @Test func `days agree with Foundation's calendar`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for day in stride(from: -20_000, through: 60_000, by: 37) {
            let parts = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: Double(day) * 86_400))
            let printed = text(Int64(day) * 86_400_000_000).prefix(10).split(separator: "-").compactMap { Int($0) }
            #expect(printed == [parts.year, parts.month, parts.day])
        }
    }
}
