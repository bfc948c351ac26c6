// RFC 8259 as a table of texts, in the manner of JSONTestSuite: y must be accepted, n refused, i is for us to say.

import Reactor
import Testing

@Suite struct JSONConformanceTests {
    @Test(arguments: [
        "[]", "{}", " [] ", "\t\n\r[]", "[ ]", "{ }", "null", "true", "false", "0", "-0", "-1", "\"\"", "\"a\"", " 1 ",
        "[1]", "[1,2]", "[ 1 , 2 ]", "[[]]", "[[],[]]", "[{}]", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"\":0}",
        "{\"a\":{\"b\":[]}}", "{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":1,\"a\":2}", "[null,true,false]", "[1,[2,[3]]]",
        "10", "123", "-123", "0.5", "-0.5", "1.25", "1e5", "1E5", "1e+5", "1e-5", "1.5e5", "0e1", "0e+1", "-0.0",
        "-0e-0",
        "1e0005", "123456789012345678901234567890", "0.1234567890123456789012345678901234567890", "1e400", "-1e-400",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\"", "\"\\u00e9\\u00E9\"", "\"\\ud834\\udd1e\"",
        "\"\\uD834\\uDD1E\"",
        "\"\u{7F}\"", "\"é\"", "\"€\"", "\"𝄞\"", "\"\u{10FFFF}\"", "\"\u{FFFF}\"", "\"\u{2028}\u{2029}\"", "\"/\"",
        "\"a long string of more than sixteen bytes, and then some\"", "\"0123456789abcdé\"", "\"0123456789abcde\\n\"",
        "\"\\u0022\"", "\"\\u005C\"", "\"\u{FEFF}\"",
    ])
    func `a text of the grammar is accepted`(text: String) {
        #expect(JSONVerdict.failure(text) == nil)
    }

    @Test(arguments: [
        "", " ", "[", "]", "{", "}", "[[]", "[]]", "[}", "{]", "[1", "[1,", "[1,]", "[,]", "[,1]", "[1,,2]", "[1 2]",
        "[1:2]",
        "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{1:2}", "{a:1}", "{'a':1}", "{\"a\",1}",
        "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{null:1}", "{\"a\":1]", "[\"a\":1]",
        "{[]:1}",
        "nul", "nulll", "Null", "tru", "True", "fals", "FALSE", "undefined", "n", "t", "f", "truefalse",
        "01", "-01", "00", "-", "+1", "-+1", ".5", "-.5", "1.", "1.e5", "1e", "1e+", "1e-", "1E", "1ee5", "1.2.3",
        "0x10", "1_0",
        "1 000", "--1", "1-", "1+1", "0.e1", "2.e+3", "-a", "1a", "[1a]", "١", "１", "[-]", "[1.]", "[1e]",
        "NaN", "[NaN]", "nan", "Infinity", "-Infinity", "[-Infinity]", "-NaN", "inf", "Inf",
        "\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\a\"", "\"\\'\"", "\"\\u\"", "\"\\u1\"", "\"\\u12\"",
        "\"\\u123\"",
        "\"\\u123g\"", "\"\\u 123\"", "\"\\U0041\"", "\"\\ud834\\u\"", "\"\\ud834\\uzzzz\"", "'a'", "a", "\"a\"b",
        "\"a\" \"b\"",
        "\"a\nb\"", "\"a\tb\"", "\"a\rb\"", "\"\u{0}\"", "\"\u{1F}\"", "\"0123456789abcdef\u{1}\"",
        "1 2", "{} []", "[] x", "{}}", "null,", "// c\n1", "1 // c", "/* c */ 1", "#1", "[1,#\n2]", "<null>", "[\u{C}]",
        "\u{A0}1", "\u{2060}1", "\u{FEFF}1", "\u{FEFF}", "*", "(1)", ";", ":", ",", "=", "@", "`1`", "\\n",
        "[\\u000A1]",
    ])
    func `a text outside the grammar is refused`(text: String) {
        #expect(JSONVerdict.failure(text) != nil)
    }

    @Test(
        arguments: [
            [0xC3], [0xC3, 0x28], [0xA0], [0x80], [0xBF], [0xFE], [0xFF], [0xC0, 0x80], [0xC1, 0xBF],
            [0xE0, 0x80, 0x80],
            [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1],
            [0xE2, 0x82, 0x28],
            [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0xF0, 0x28, 0x8C, 0xBC], [0xF0, 0x90, 0x28, 0xBC],
            [0xF0, 0x90, 0x8C, 0x28],
        ] as [[UInt8]])
    func `what is not UTF-8 is refused where it stands, as a value and as a name`(bad: [UInt8]) {
        for lead in ["[\"", "[\"é", "[\"0123456789abcdef", "{\"a\":0,\"b", "{\"a\":\"x"] {
            let bytes = Array(lead.utf8) + bad + Array("\"".utf8)
            #expect(JSONVerdict.failure(bytes) == SyntaxFailure(.invalidUTF8, at: lead.utf8.count))
        }
        #expect(JSONVerdict.failure(bad)?.reason == .invalidUTF8)
    }

    @Test func `every boundary of UTF-8 is accepted`() {
        for point: UInt32 in [
            0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0x10FFFF,
        ] {
            let text = String(Character(Unicode.Scalar(point)!))
            #expect(JSONVerdict.failure("\"\(text)\(text)x\(text)\"") == nil, "U+\(String(point, radix: 16))")
        }
    }

    @Test func `no prefix of a document is a document`() {
        let text = """
            {"a":[1,-2.5e+3,true,false,null,"\\u00e9\\ud834\\udd1e é𝄞 and more than sixteen bytes"],"b\\n":{"c":{}, "d": []}}
            """
        let bytes = Array(text.utf8)
        #expect(JSONVerdict.failure(bytes) == nil)
        for count in 0..<bytes.count {
            #expect(JSONVerdict.failure(Array(bytes[..<count])) != nil, "the first \(count) bytes")
        }
    }

    @Test func `a byte too many is named with its offset`() {
        let text = "{\"a\":[1,2]}"
        for byte: UInt8 in 0...255 where ![0x20, 0x09, 0x0A, 0x0D].contains(byte) {
            #expect(JSONVerdict.failure(Array(text.utf8) + [byte]) == SyntaxFailure(.trailingBytes, at: 11))
        }
    }

    @Test(arguments: [
        ("[1, NaN]", "byte 4: NaN is not JSON (Python: json.dumps(..., allow_nan=False))"),
        ("{\"a\":Infinity}", "byte 5: Infinity is not JSON (Python: json.dumps(..., allow_nan=False))"),
        ("{\"a\": -Infinity}", "byte 6: -Infinity is not JSON (Python: json.dumps(..., allow_nan=False))"),
        ("NaN", "byte 0: NaN is not JSON (Python: json.dumps(..., allow_nan=False))"),
        ("{} x", "byte 3: bytes after the end of the JSON value"),
        ("[1,2", "byte 4: the document ends too early"),
        ("\"abc", "byte 4: the document ends inside a string"),
        ("\"ab\\u00", "byte 7: the document ends inside a string"),
        ("[012]", "byte 1: a JSON number has no leading zeros"),
        ("[1.x]", "byte 3: not a JSON number"),
        ("[1.", "byte 3: the document ends too early"),
        ("[-x]", "byte 2: not a JSON number"),
        ("[nope]", "byte 1: expected true, false or null"),
        ("[?]", "byte 1: expected a JSON value"),
        ("{a:1}", "byte 1: expected a member name in double quotes"),
        ("{\"a\" 1}", "byte 5: expected a colon after the member name"),
        ("{\"a\":1;}", "byte 6: expected a comma or the end of the object"),
        ("[1;]", "byte 2: expected a comma or the end of the array"),
        ("\"a\u{1}\"", "byte 2: a control character in a string must be escaped"),
        ("\"a\\q\"", "byte 2: not a JSON escape sequence"),
    ])
    func `a failure names its byte and what is wrong with it`(text: String, message: String) {
        #expect(JSONVerdict.message(text) == message)
    }

    @Test func `numbers of any length pass`() {
        for count in [1, 15, 16, 17, 1000, 100_000] {
            let digits = String(repeating: "7", count: count)
            for number in [digits, "-\(digits)", "0.\(digits)", "\(digits).\(digits)", "\(digits)e7", "1e0\(digits)"] {
                #expect(JSONVerdict.failure("[\(number),\(number)]") == nil)
                #expect(JSONVerdict.failure("[\(number)x]") != nil)
            }
        }
    }

    @Test func `whitespace may stand between all tokens`() {
        let tokens = [
            "{", "\"a\"", ":", "[", "1", ",", "true", ",", "{", "}", ",", "[", "]", "]", ",", "\"b\"", ":", "\"\"", "}",
        ]
        for space in ["", " ", "\n", "\t\r\n ", String(repeating: " ", count: 40)] {
            #expect(JSONVerdict.failure(space + tokens.joined(separator: space) + space) == nil)
        }
    }
}
