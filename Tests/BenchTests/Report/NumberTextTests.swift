// How figures are written.

import Testing

@testable import Bench

@Suite struct NumberTextTests {
    @Test func `figures have few digits and a unit`() {
        #expect(fixedText(1.005, 0) == "1" && fixedText(2.5, 1) == "2.5" && fixedText(0.999, 2) == "1.00")
        #expect(fixedText(-0.001, 2) == "0.00" && fixedText(-1.25, 1) == "-1.3" && fixedText(.nan, 2) == "–")
        #expect(countText(7) == "7" && countText(1234) == "1,234" && countText(-1_234_567) == "-1,234,567")
        #expect(microsText(0.5) == "0.50 µs" && microsText(81.26) == "81.3 µs" && microsText(999.4) == "999 µs")
        #expect(microsText(999.6) == "1.00 ms" && microsText(54_321) == "54.3 ms" && microsText(2_000_000) == "2.00 s")
        #expect(rateText(0.456) == "0.46" && rateText(45.67) == "45.7" && rateText(123_456.7) == "123,457")
        #expect(percentText(0.0123) == "1.23 %" && percentText(0) == "0 %" && percentText(0.5) == "50 %")
        #expect(bytesText(5) == "5 B" && bytesText(1536) == "1.5 KiB" && bytesText(3 << 30) == "3.00 GiB")
    }
}
