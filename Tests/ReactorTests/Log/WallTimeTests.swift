// The time of day as text.
import Foundation
import Testing

@testable import Reactor

@Suite struct WallTimeTests {
    private func text(_ ms: Int64) -> String {
        var buffer = ByteBuffer()
        WallTime(msSinceEpoch: ms).append(rfc3339: &buffer)
        return buffer.bytes.string
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `known moments are written as RFC 3339`(_ ms: Int64, _ expected: String) {
        #expect(text(ms) == expected)
    }

    @Test func `every day of 400 years agrees with Foundation`() {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // Three quarters of a second are exact in a Double.
        for day in stride(from: -73_000, through: 73_097, by: 1) {
            let ms = Int64(day) * 86_400_000 + 45_296_750
            #expect(text(ms) == Date(timeIntervalSince1970: Double(ms) / 1000).formatted(style))
        }
    }

    @Test func `now is now`() {
        let before = Date().timeIntervalSince1970
        let now = Double(WallTime.now().msSinceEpoch) / 1000
        #expect(now >= before - 0.001 && now <= Date().timeIntervalSince1970)
    }
}
