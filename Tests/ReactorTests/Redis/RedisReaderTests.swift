import Testing

@testable import Reactor

@Suite struct RedisReaderTests {
    private static let every =
        "+OK\r\n-ERR no\r\n:42\r\n:-7\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n+x\r\n"
    private static let everyValue: [ValueUnderTest] = [
        .status("OK"), .error("ERR no"), .integer(42), .integer(-7), .string(Array("hello".utf8)), .string([]), .null,
        .null, .array([]),
        .array([.integer(1), .array([.string(Array("a".utf8)), .null]), .status("x")]),
    ]

    /// Feeds `text` in pieces and returns every reply, and the failure that ended it.
    private func read(_ text: [UInt8], pieces: [Int], _ reader: RedisReader) -> ([ValueUnderTest], String?) {
        var values: [ValueUnderTest] = []
        var start = 0
        for piece in pieces {
            reader.feed(text[start..<start + piece].span.bytes)
            start += piece
            var outcome = reader.next()
            while outcome == .reply {
                values.append(valueOf(reader))
                outcome = reader.next()
            }
            if case .failed(let reason) = outcome { return (values, reason) }
        }
        return (values, nil)
    }

    private func valueOf(_ reader: RedisReader) -> ValueUnderTest { reader.reply.value }

    @Test func `every type of reply is read, whole and cut at each byte`() {
        let text = Array(Self.every.utf8)
        let reader = RedisReader()
        #expect(read(text, pieces: [text.count], reader) == (Self.everyValue, nil))
        for cut in 1..<text.count {
            #expect(read(text, pieces: [cut, text.count - cut], reader) == (Self.everyValue, nil), "cut at \(cut)")
        }
        #expect(read(text, pieces: Array(repeating: 1, count: text.count), reader) == (Self.everyValue, nil))
    }

    @Test func `elements of flat and of nested arrays are found by position`() {
        let reader = RedisReader()
        reader.feed(Array("*3\r\n*2\r\n:1\r\n:2\r\n*1\r\n*1\r\n:3\r\n$2\r\nhi\r\n".utf8).span.bytes)
        #expect(reader.next() == .reply)
        #expect(reader.reply.count == 3)
        #expect(reader.reply[0][1].integer == 2)
        #expect(reader.reply[1][0][0].integer == 3)
        #expect(reader.reply[2].bytes.string == "hi")
        #expect(reader.reply[2].kind == .string)
        #expect(reader.reply.integer == nil)
    }

    @Test func `a string that spells an integer is one`() {
        for (text, value) in [("12", 12), ("-9223372036854775808", Int.min), ("9223372036854775807", Int.max)] {
            #expect(ValueUnderTest.string(Array(text.utf8)).number == value)
        }
        for text in ["", "-", "1x", "9223372036854775808", "+1", " 1", "-9223372036854775809"] {
            #expect(ValueUnderTest.string(Array(text.utf8)).number == nil, "\(text)")
        }
    }

    @Test(arguments: ["hello\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "*x\r\n", "$-2\r\n", "\0\0\0\0", "*-2\r\n"])
    func `what is not RESP is told so, and a reset starts anew`(text: String) {
        let reader = RedisReader()
        #expect(read(Array(text.utf8), pieces: [text.utf8.count], reader) == ([], "bytes that are not RESP"))
        reader.reset()
        #expect(read(Array(":1\r\n".utf8), pieces: [4], reader) == ([.integer(1)], nil))
    }

    @Test func `seven arrays may nest, more are refused`() {
        let seven = String(repeating: "*1\r\n", count: 7) + ":1\r\n"
        #expect(read(Array(seven.utf8), pieces: [seven.utf8.count], RedisReader()).1 == nil)
        let many = String(repeating: "*1\r\n", count: 9) + ":1\r\n"
        #expect(read(Array(many.utf8), pieces: [many.utf8.count], RedisReader()).1 == "bytes that are not RESP")
    }

    @Test func `a reply beyond the limit is refused before it is all there`() {
        let tooLarge = "a reply larger than the limit"
        let string = Array("$3000\r\n".utf8) + Array(repeating: 97, count: 2000)
        #expect(read(string, pieces: [string.count], RedisReader(replyBytesMax: 1000)).1 == tooLarge)
        let strings = Array(
            ("*3\r\n" + String(repeating: "$400\r\n" + String(repeating: "b", count: 400) + "\r\n", count: 3)).utf8)
        #expect(read(strings, pieces: [strings.count], RedisReader(replyBytesMax: 1000)).1 == tooLarge)
        let nodes = Array("*100\r\n".utf8) + Array(String(repeating: ":1\r\n", count: 99).utf8)
        #expect(read(nodes, pieces: [nodes.count], RedisReader(replyBytesMax: 1000)).1 == tooLarge)
        // A claim of many elements costs nothing until they come.
        let claim = Array("*2147483647\r\n:1\r\n".utf8)
        #expect(read(claim, pieces: [claim.count], RedisReader(replyBytesMax: 1000)).1 == nil)
    }

    @Test func `the arena keeps its size while replies are alike, and shrinks after a giant`() {
        let reader = RedisReader()
        let small = Array(Self.every.utf8)
        _ = read(small, pieces: [small.count], reader)
        let working = reader.arenaBytes
        for _ in 0..<1000 { _ = read(small, pieces: [small.count], reader) }
        #expect(reader.arenaBytes == working)
        let giant = Array("$4000000\r\n".utf8) + Array(repeating: 120, count: 4_000_000) + Array("\r\n".utf8)
        #expect(read(giant, pieces: [giant.count], reader).0.count == 1)
        _ = read(small, pieces: [small.count], reader)
        #expect(reader.arenaBytes < 1024 * 1024)
    }
}
