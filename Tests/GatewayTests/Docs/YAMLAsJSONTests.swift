// YAML as JSON: what a plain text is, and that order and aliases survive.

import Reactor
import Testing

@testable import Gateway

@Suite struct YAMLAsJSONTests {
    private func json(_ yaml: String) throws -> String {
        let node = try #require(try composeYAML(yaml))
        var out = ByteBuffer()
        var json = JSONWriter()
        json.value(node, &out)
        return out.bytes.string
    }

    @Test(arguments: [
        ("true", "true"), ("false", "false"), ("null", "null"), ("~", "null"), ("12", "12"), ("-1.5e3", "-1.5e3"),
        ("9223372036854775807", "9223372036854775807"), ("3.1.0", "\"3.1.0\""), ("01", "\"01\""), (".5", "\".5\""),
        ("+1", "\"+1\""), ("1.", "\"1.\""), ("-", "\"-\""), ("-x", "\"-x\""), ("1.e3", "\"1.e3\""), ("yes", "\"yes\""),
        ("True", "\"True\""), ("2026-02-04T10:00:00Z", "\"2026-02-04T10:00:00Z\""), ("0", "0"), ("-0.5", "-0.5"),
    ])
    func `a plain text is a word of JSON or a number as JSON writes it, else a string`(plain: String, expected: String)
        throws
    {
        #expect(try json("[\(plain)]") == "[\(expected)]")
    }

    @Test func `a quoted text is always a string`() throws {
        #expect(try json("['1', \"true\", 'null', '']") == "[\"1\",\"true\",\"null\",\"\"]")
    }

    @Test func `members keep their order, aliases stand for what they name, texts are escaped`() throws {
        #expect(
            try json("z: &one {b: 1, a: [2]}\ny: *one\n'200': \"a\\\"\\n\"\n")
                == "{\"z\":{\"b\":1,\"a\":[2]},\"y\":{\"b\":1,\"a\":[2]},\"200\":\"a\\\"\\n\"}")
    }
}
