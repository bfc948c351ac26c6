// Pulling values out: keys, ranges, escapes, and what a schema asks.

import Reactor
import Testing

@Suite struct JSONReaderTests {
    @Test func `members come in order with their raw ranges`() throws {
        let bytes = Array("  { \"a\" : [1, 2] , \"b\":\"x\\ny\",\"c\":-1.50 } ".utf8)
        let body = bytes.span.bytes
        var reader = JSONReader(body)
        var found: [String] = []
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            found.append("\(body.slice(key.range).string)=\(value.kind):\(body.slice(value.range).string)")
            more = try reader.moreMembers()
        }
        try reader.end()
        #expect(found == ["a=array:[1, 2]", "b=string:\"x\\ny\"", "c=number:-1.50"])
    }

    @Test func `empty containers have nothing to iterate`() throws {
        for text in ["[{},[]]", "[ { } , [ ] ]"] {
            let bytes = Array(text.utf8)
            var reader = JSONReader(bytes.span.bytes)
            let answers = [
                try reader.openArray(), try reader.openObject(), try reader.moreElements(), try reader.openArray(),
                try reader.moreElements(),
            ]
            try reader.end()
            #expect(answers == [true, false, true, false, false])
        }
    }

    @Test(arguments: [
        ("{\"a\":1,}", 7), ("{\"a\":1", 6), ("{\"a\":1]", 6), ("{\"a\"", 4), ("{", 1), ("{\"a\":1,\"b\":}", 11),
    ])
    func `walking an object by hand finds the same errors as skipping it`(text: String, offset: Int) {
        let bytes = Array(text.utf8)
        var found: Int?
        do throws(JSONFailure) {
            var reader = JSONReader(bytes.span.bytes)
            var more = try reader.openObject()
            while more {
                _ = try reader.key()
                _ = try reader.value()
                more = try reader.moreMembers()
            }
            try reader.end()
        } catch {
            if case .syntax(let failure) = error { found = failure.offset }
        }
        #expect(found == offset)
        #expect(JSONVerdict.failure(text)?.offset == offset)
    }

    @Test(arguments: ["\"task_id\"", "\"\\u0074ask_id\"", "\"\\u0074\\u0061\\u0073\\u006B\\u005f\\u0069\\u0064\""])
    func `a name is recognised with and without escapes`(name: String) throws {
        let bytes = Array("{\(name):1}".utf8)
        var reader = JSONReader(bytes.span.bytes)
        _ = try reader.openObject()
        let key = try reader.key()
        let answers = [
            reader.key(key, is: "task_id"), reader.key(key, is: "task_ie"), reader.key(key, is: "task_i"),
            reader.key(key, is: "task_id_"),
        ]
        #expect(answers == [true, false, false, false])
    }

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\u{8}\u{C}\n\r\t"),
        ("\\u0041\\u00e9\\u20AC", "Aé€"),
        ("x\\ud834\\udd1ey", "x𝄞y"), ("\\ud800", "\u{FFFD}"), ("\\udc00\\ud834\\udd1e", "\u{FFFD}𝄞"),
        ("\\u0000", "\u{0}"),
        ("é\\né", "é\né"), ("\\ud83d\\ude00\\uffff", "😀\u{FFFF}"), ("\\u07ff\\u0800", "\u{7FF}\u{800}"),
    ])
    func `escapes are resolved on request`(raw: String, text: String) throws {
        let bytes = Array("[\"\(raw)\"]".utf8)
        var reader = JSONReader(bytes.span.bytes)
        _ = try reader.openArray()
        let value = try reader.value()
        let string = try #require(value.string)
        #expect(string.hasEscapes == raw.contains("\\"))
        var out = ByteBuffer()
        out.append(string, from: bytes.span.bytes)
        #expect(out.bytes.string == text)
        let count = string.textByteCount(in: bytes.span.bytes)
        #expect(count == text.utf8.count)
    }

    @Test func `a value tells its kind before it is read`() throws {
        let bytes = Array("[null,true,false,1,-1,\"s\",[],{}]".utf8)
        var reader = JSONReader(bytes.span.bytes)
        var kinds: [JSONValue.Kind] = []
        var more = try reader.openArray()
        while more {
            let kind = try reader.peek()
            let value = try reader.value()
            #expect(value.kind == kind)
            kinds.append(kind)
            more = try reader.moreElements()
        }
        #expect(kinds == [.null, .bool, .bool, .number, .number, .string, .array, .object])
        for text in ["", " ", "NaN", "]", "x"] {
            let bytes = Array(text.utf8)
            var reader = JSONReader(bytes.span.bytes)
            let kind = try? reader.peek()
            #expect(kind == nil)
        }
    }

    @Test func `the strings of a validated array can be walked and counted`() {
        func strings(_ text: String) -> [String] {
            let bytes = Array(text.utf8)
            let body = bytes.span.bytes
            var walk = JSONStrings(body, ByteRange(offset: 0, count: bytes.count))
            var found: [String] = []
            while let string = walk.next() { found.append(body.slice(string.range).string) }
            return found
        }
        func count(_ text: String) -> String {
            let bytes = Array(text.utf8)
            let (count, areAll) = JSONStrings.count(bytes.span.bytes, ByteRange(offset: 0, count: bytes.count))
            return areAll ? "\(count)" : "no string at \(count)"
        }
        #expect(strings("[]") == [])
        #expect(strings("[ \"a\" , \"b\\\"c\",\"\" ]") == ["a", "b\\\"c", ""])
        #expect(strings("[\"a\",1,\"b\"]") == ["a"])
        #expect(count("[ ]") == "0")
        #expect(count("[ \"a\" , \"b\\\"c]\",\"é\" ]") == "3")
        #expect(count("[\"a\", 1, \"b\"]") == "no string at 1")
        #expect(count("[[\"a\"]]") == "no string at 0")
        let empty: [UInt8] = []
        var none = JSONStrings(empty.span.bytes, .empty)
        let first = none.next()
        #expect(first == nil)
    }

    @Test func `a body that is no JSON is that first, wherever its schema fails`() {
        let schema = JSONFailure.schema("a", "expected a string")
        for (text, status) in [("{\"a\":1}", 422), ("{\"a\":1,\"b\":NaN}", 400)] {
            let bytes = Array(text.utf8)
            let failure = JSONReader.failure(schema, of: bytes.span.bytes)
            #expect(failure.status == status)
        }
    }

    @Test func `a failure tells its path, code and details`() {
        func details(_ failure: JSONFailure) -> String {
            var out = ByteBuffer()
            failure.appendDetails(to: &out)
            return out.bytes.string
        }
        let plain = JSONFailure.schema("", "expected a string")
        let inside = plain.named("state").inside("results", at: 3)
        #expect(inside.message == "results[3].state: expected a string")
        #expect(details(inside) == "{\"index\":3,\"field\":\"state\"}")
        #expect(inside.status == 422)
        #expect(inside.code.description == "VALIDATION_ERROR")
        #expect(plain.message == "expected a string")
        #expect(details(plain) == "{}")
        #expect(plain.inside("results", at: 0).message == "results[0]: expected a string")
        let element = JSONFailure.schema("platforms", "expected a string", element: 2)
        #expect(element.message == "platforms[2]: expected a string")
        #expect(details(element) == "{\"field\":\"platforms[2]\"}")
        let syntax = JSONFailure.syntax(SyntaxFailure(.nan, at: 12))
        #expect(details(syntax) == "{\"offset\":12}")
        #expect(syntax.status == 400)
        #expect(syntax.code.description == "INVALID_REQUEST")
    }

    @Test func `every reason has a sentence that can stand in a JSON string`() {
        var sentences: Set<String> = []
        for reason in SyntaxFailure.Reason.allCases {
            let message = JSONFailure.syntax(SyntaxFailure(reason, at: 0)).message
            var out = ByteBuffer()
            out.append(jsonString: message)
            #expect(out.bytes.string == "\"\(message)\"")
            sentences.insert(message)
        }
        #expect(sentences.count == SyntaxFailure.Reason.allCases.count)
    }
}
