// What is JSON and storage cannot take: reported with the value, never refused by the reader.

import Reactor
import Testing

@Suite struct JSONStorageTests {
    @Test(arguments: [
        ("{\"a\":\"x\\u0000\"}", JSONStorageProblem.nulCharacter, 7),
        ("{\"\\u0000\":1}", .nulCharacter, 2),
        ("[\"\\ud800\"]", .loneSurrogate, 2),
        ("[\"\\udc00\"]", .loneSurrogate, 2),
        ("[\"\\ud800x\"]", .loneSurrogate, 2),
        ("[\"\\ud800\\n\"]", .loneSurrogate, 2),
        ("[\"\\ud800\\ud800\\udc00\"]", .loneSurrogate, 2),
        ("[\"\\ud800\\u0041\"]", .loneSurrogate, 2),
        ("[\"\\uDFFF\\uD800\"]", .loneSurrogate, 2),
        ("[\"\\u0000\",\"\\ud800\"]", .nulCharacter, 2),
        ("[\"\\ud834\\udd1e\\u0001\\\\u0000\"]", .none, 0),
    ])
    func `an escape that storage refuses is noted with its offset`(
        text: String, problem: JSONStorageProblem, offset: Int
    ) throws {
        let found = try JSONVerdict.problem(text)
        #expect(found.0 == problem)
        #expect(found.1 == offset)
    }

    @Test(arguments: [
        ("1e131071", true), ("1e131072", false), ("-9.9e131071", true), ("10e131071", false), ("0.1e131072", true),
        ("0.1e131073", false), ("0.001e131074", true), ("1e-16383", true), ("1e-16384", false), ("1.5e-16382", true),
        ("1.5e-16383", false), ("0e131072", true), ("0e-16384", false), ("0.0e500000", true), ("0e1073741822", true),
        ("0e1073741823", false),
        ("1e999999999999999999999", false),
        ("0e999999999999999999999", false), ("1E+00000000000000000005", true), ("1e1000", true), ("1000e-1000", true),
    ])
    func `a number is storable where PostgreSQL's numeric holds it`(text: String, isStorable: Bool) throws {
        #expect(try JSONVerdict.problem("[\(text)]").0 == (isStorable ? .none : .numberTooLarge))
    }

    @Test func `long runs of digits are storable up to the limits of numeric`() throws {
        func digits(_ count: Int) -> String { String(repeating: "9", count: count) }
        #expect(try JSONVerdict.problem(digits(131_072)).0 == .none)
        #expect(try JSONVerdict.problem(digits(131_073)).0 == .numberTooLarge)
        #expect(try JSONVerdict.problem("0.\(digits(16_383))").0 == .none)
        #expect(try JSONVerdict.problem("0.\(digits(16_384))").0 == .numberTooLarge)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 129, 191, 192, 193, 1000, 100_000])
    func `nesting of any depth is validated, and beyond 128 noted`(depth: Int) throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let levels = open.count == 6 ? depth * 2 : depth
            let text = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            #expect(try JSONVerdict.problem(text).0 == (levels > 128 ? .tooDeep : .none))
            #expect(JSONVerdict.failure(text + close) != nil)
            #expect(JSONVerdict.failure(String(text.dropLast())) != nil)
        }
    }

    @Test func `a bracket of the wrong kind is found at every depth`() {
        for depth in 1...200 {
            let opens = (0..<depth).map { $0 % 3 == 0 ? "{\"k\":" : "[" }
            var closes = opens.reversed().map { $0 == "[" ? "]" : "}" }
            #expect(JSONVerdict.failure(opens.joined() + "0" + closes.joined()) == nil)
            closes[depth / 2] = closes[depth / 2] == "]" ? "}" : "]"
            #expect(JSONVerdict.failure(opens.joined() + "0" + closes.joined()) != nil)
        }
    }

    @Test func `ten megabytes of brackets cost no stack`() {
        let open = [UInt8](repeating: UInt8(ascii: "["), count: 10 << 20)
        #expect(JSONVerdict.failure(open) == SyntaxFailure(.end, at: 10 << 20))
        var both = open
        for index in (5 << 20)..<(10 << 20) { both[index] = UInt8(ascii: "]") }
        #expect(JSONVerdict.failure(both) == nil)
    }
}
