// What numbers are worth: exact integers, correctly rounded Doubles.

import Reactor
import TestSupport
import Testing

@Suite struct JSONNumberTests {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
    ])
    func `an integer that fits is read exactly`(text: String, value: Int) {
        let bytes = Array(text.utf8)
        let read = JSONNumber.integer(bytes.span.bytes)
        #expect(read == value)
    }

    @Test(arguments: [
        "", "-", "1.0", "1e2", "9223372036854775808", "-9223372036854775809", "99999999999999999999999", "a",
    ])
    func `what is no integer of 64 bits is none`(text: String) {
        let bytes = Array(text.utf8)
        let read = JSONNumber.integer(bytes.span.bytes)
        #expect(read == nil)
    }

    @Test(arguments: [
        "0", "-0.0", "1", "37.5", "61.2", "0.1", "0.3", "1e22", "1e23", "1E+5", "2.5e-7", "-12345.678",
        "9007199254740993",
        "9007199254740992", "123456789012345678901234567890", "0.000000000000000000000000000001",
        "1.7976931348623157e308",
        "2.2250738585072014e-308", "4.9e-324", "1e-400", "179.99999999999999999999999999", "1e-22", "123e-5",
        "100000000000000000000",
        "8.5e1000", "1e99999999999999999999",
    ])
    func `a number is the Double that the standard library reads`(text: String) {
        let ours = JSONNumber.double(Array(text.utf8).span.bytes)
        #expect(ours.bitPattern == (Double(text) ?? .infinity).bitPattern)
    }

    @Test func `random decimals are the Doubles that the standard library reads`() {
        var random = RandomSource()
        for _ in 0..<20_000 {
            let digits = UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0..<64, using: &random)
            let text =
                "\(digits).\(UInt32.random(in: 0...9999, using: &random))e\(Int.random(in: -30...30, using: &random))"
            let bytes = Array(text.utf8)
            let read = JSONNumber.double(bytes.span.bytes)
            #expect(read == Double(text)!, "\(text)")
        }
    }
}
