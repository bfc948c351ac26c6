// What the writer writes is JSON, commas and escapes included.

import Reactor
import Testing

@Suite struct JSONWriterTests {
    @Test func `commas stand between elements and members and nowhere else`() {
        var out = ByteBuffer()
        var json = JSONWriter()
        json.openObject(&out)
        json.key("a", &out)
        json.openArray(&out)
        json.closeArray(&out)
        json.key("b", &out)
        json.openArray(&out)
        json.number(1, &out)
        json.number(-2.5, &out)
        json.openObject(&out)
        json.closeObject(&out)
        json.null(&out)
        json.bool(true, &out)
        json.bool(false, &out)
        json.string("x", &out)
        json.string(text: "y\"", &out)
        json.raw(Array("[7]".utf8).span.bytes, &out)
        json.closeArray(&out)
        json.key(text: Array("c\n".utf8).span.bytes, &out)
        json.timestamp(Timestamp(microsSinceEpoch: 0), &out)
        json.closeObject(&out)
        #expect(
            out.bytes.string
                == #"{"a":[],"b":[1,-2.5,{},null,true,false,"x","y\"",[7]],"c\n":"1970-01-01T00:00:00Z"}"#)
        #expect(JSONVerdict.failure(out.bytes.string) == nil)
    }

    @Test func `every ASCII character and every length survives writing and reading`() throws {
        for byte: UInt8 in 0...127 {
            for before in [0, 1, 15, 16, 17, 33] {
                let text = [UInt8](repeating: 0x61, count: before) + [byte, 0x62]
                var out = ByteBuffer()
                out.append(jsonString: text.span.bytes)
                let value = try JSONReader.document(out.bytes)
                let string = try #require(value.string)
                var back = ByteBuffer()
                back.append(string, from: out.bytes)
                #expect(back.bytes.string == String(decoding: text, as: UTF8.self))
            }
        }
    }

    @Test func `control characters are written in the short form where there is one`() {
        var out = ByteBuffer()
        out.append(jsonString: "\u{0}\u{8}\t\n\u{B}\u{C}\r\u{1F}\u{7F}/é")
        #expect(out.bytes.string == "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\u{7F}/é\"")
    }

    @Test func `what is not UTF-8 is replaced, so that the answer stays JSON`() {
        var out = ByteBuffer()
        let text: [UInt8] = [0x61, 0xFF, 0xC3, 0x28, 0xE2, 0x82]
        out.append(jsonString: text.span.bytes)
        #expect(out.bytes.string == "\"a\u{FFFD}\u{FFFD}(\u{FFFD}\u{FFFD}\"")
    }

    @Test(arguments: [
        (0.0, "0"), (0.1, "0.1"), (-2.5, "-2.5"), (1e20, "1e+20"), (1.0 / 3, "0.3333333333333333"),
        (123456.0, "123456"),
        (.infinity, "null"), (-.infinity, "null"), (.nan, "null"),
        (Double.greatestFiniteMagnitude, "1.7976931348623157e+308"),
    ])
    func `numbers are written shortest, and what JSON lacks as null`(value: Double, text: String) {
        var out = ByteBuffer()
        out.append(jsonNumber: value)
        #expect(out.bytes.string == text)
    }

    @Test func `a string of another text keeps its escapes`() throws {
        let bytes = Array("\"a\\u00e9\\n\"".utf8)
        let value = try JSONReader.document(bytes.span.bytes)
        let string = try #require(value.string)
        var out = ByteBuffer()
        var json = JSONWriter()
        json.openArray(&out)
        json.string(string, from: bytes.span.bytes, &out)
        json.string(string, from: bytes.span.bytes, &out)
        json.closeArray(&out)
        #expect(out.bytes.string == "[\"a\\u00e9\\n\",\"a\\u00e9\\n\"]")
    }
}
