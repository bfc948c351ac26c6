// Items out of a body that arrives in pieces: the same from every split.

import Reactor
import Testing

@testable import Gateway

@Suite struct ItemSplitterTests {
    /// What a body came to: its items as `number:text`, and the failure that ended it.
    private struct Outcome: Equatable {
        var items: [String] = []
        var failure: String?
    }

    private func split(
        _ chunks: [[UInt8]], _ format: ItemSplitter.Format, itemBytesMax: Int = ItemSplitter.defaultItemBytesMax
    ) -> Outcome {
        var splitter = ItemSplitter(format, itemBytesMax: itemBytesMax)
        var outcome = Outcome()
        do throws(JSONFailure) {
            for chunk in chunks {
                var position = 0
                feeding: while true {
                    switch try splitter.next(chunk.span.bytes, &position) {
                    case .item(let number): outcome.items.append("\(number):\(splitter.item.string)")
                    case .tooLong(let number): outcome.items.append("\(number):too long")
                    case .needsMore, .end: break feeding
                    }
                }
            }
            finishing: while true {
                switch try splitter.finish() {
                case .item(let number): outcome.items.append("\(number):\(splitter.item.string)")
                case .tooLong(let number): outcome.items.append("\(number):too long")
                case .needsMore, .end: break finishing
                }
            }
        } catch {
            outcome.failure = error.message
        }
        return outcome
    }

    private func split(_ text: String, _ format: ItemSplitter.Format, itemBytesMax: Int = 1 << 20) -> Outcome {
        split([Array(text.utf8)], format, itemBytesMax: itemBytesMax)
    }

    @Test func `an array gives its elements with their index`() {
        let text = " [ {\"a\":[1,{\"b\":\"]}\\\"\"}]} , 12,\"x,]\\\\\" ,[[]],true,{} ]\n"
        let expected = ["0:{\"a\":[1,{\"b\":\"]}\\\"\"}]}", "1:12", "2:\"x,]\\\\\"", "3:[[]]", "4:true", "5:{}"]
        #expect(split(text, .detect) == Outcome(items: expected))
        #expect(split(text, .array) == Outcome(items: expected))
    }

    @Test func `lines give their items with their number, blank ones aside`() {
        let text = "{\"a\":1}\r\n\n  \r\n{\"b\":\"é\"}\n[3]"
        #expect(split(text, .detect) == Outcome(items: ["1:{\"a\":1}\r", "4:{\"b\":\"é\"}", "5:[3]"]))
        #expect(split("\n\n{}\n", .detect) == Outcome(items: ["3:{}"]))
        #expect(split("[1]\n[2]\n", .lines) == Outcome(items: ["1:[1]", "2:[2]"]))
        #expect(split("nonsense\n{}\n", .lines) == Outcome(items: ["1:nonsense", "2:{}"]))
    }

    @Test(arguments: ["", " ", "\n\r\n", "\u{FEFF}", "\u{FEFF}\n"])
    func `nothing is no items, unless an array was promised`(text: String) {
        #expect(split(text, .detect) == Outcome())
        #expect(split(text, .lines) == Outcome())
        #expect(split(text, .array) == Outcome(failure: "byte \(text.utf8.count): expected the start of an array"))
    }

    @Test func `a byte order mark may come first`() {
        #expect(split("\u{FEFF}[1]", .detect) == Outcome(items: ["0:1"]))
        #expect(split("\u{FEFF}{}\n", .lines) == Outcome(items: ["1:{}"]))
        #expect(split([[0xEF, 0xBB], Array("{}".utf8)], .detect) == Outcome(failure: "byte 0: not UTF-8"))
        #expect(split(" \u{FEFF}[1]", .array).failure == "byte 1: expected the start of an array")
    }

    @Test(arguments: [
        ("[", [], "byte 1: the document ends too early"),
        ("[1", [], "byte 2: the document ends too early"),
        ("[1 ", ["0:1"], "byte 3: the document ends too early"),
        ("[1,", ["0:1"], "byte 3: the document ends too early"),
        ("[1,]", ["0:1"], "byte 3: expected a JSON value"),
        ("[,1]", [], "byte 1: expected a JSON value"),
        ("[1,,2]", ["0:1"], "byte 3: expected a JSON value"),
        ("[}", [], "byte 1: expected a JSON value"),
        ("[1 2]", ["0:1"], "byte 3: expected a comma or the end of the array"),
        ("[{}{}]", ["0:{}"], "byte 3: expected a comma or the end of the array"),
        ("[{}] x", ["0:{}"], "byte 5: bytes after the end of the JSON value"),
        ("[][", [], "byte 2: bytes after the end of the JSON value"),
        ("[{\"a\":1]", ["0:{\"a\":1]"], "byte 8: the document ends too early"),
        ("[\"a]", [], "byte 4: the document ends too early"),
        ("{}", [], "byte 0: expected the start of an array"),
    ])
    func `a broken array fails with its byte, after the items before it`(text: String, items: [String], failure: String)
    {
        #expect(split(text, .array) == Outcome(items: items, failure: failure))
    }

    @Test(arguments: [
        "\u{FEFF} [ {\"a\":[1,{\"b\":\"]}\\\"\\\\\"}]} , 12,\"x,]\\\\\" ,[[]],true,{\"é\":\"\\u00e9\"} ]\r\n",
        "\u{FEFF}{\"a\":1}\r\n\n  \r\n{\"b\":\"é\\n\"}\n[3]", "[1,2] x",
        "[{\"long\":\"0123456789abcdef0123456789abcdef\"},1]",
    ])
    func `the outcome is the same from every split`(text: String) {
        let bytes = Array(text.utf8)
        for limit in [8, 1 << 20] {
            let whole = split([bytes], .detect, itemBytesMax: limit)
            #expect(split(bytes.map { [$0] }, .detect, itemBytesMax: limit) == whole)
            for first in 0...bytes.count {
                for second in first...bytes.count {
                    let chunks = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                    #expect(split(chunks, .detect, itemBytesMax: limit) == whole, "cut at \(first) and \(second)")
                }
            }
        }
    }

    @Test func `an item over the limit is passed over alone`() {
        let long = "\"" + String(repeating: "x", count: 20) + "\""
        #expect(
            split("[1,\(long),[\(long)],2]", .array, itemBytesMax: 16)
                == Outcome(items: ["0:1", "1:too long", "2:too long", "3:2"]))
        #expect(
            split("1\n\(long)\n\n2\n\(long)", .lines, itemBytesMax: 16)
                == Outcome(items: ["1:1", "2:too long", "4:2", "5:too long"]))
        #expect(
            split(
                "[\(String(repeating: "7", count: 16)),\(String(repeating: "7", count: 17))]", .array, itemBytesMax: 16
            ).items.last == "1:too long")
    }

    @Test func `a hostile item of many megabytes is held no further than the limit`() throws {
        var splitter = ItemSplitter(.array, itemBytesMax: 1000)
        let piece = [UInt8](repeating: UInt8(ascii: "["), count: 4096)
        for _ in 0..<1000 {
            var position = 0
            guard case .needsMore = try splitter.next(piece.span.bytes, &position) else {
                Issue.record("an unfinished item was given out")
                return
            }
            #expect(splitter.item.byteCount <= 1000)
        }
        #expect(throws: JSONFailure.self) { _ = try splitter.finish() }
    }
}
