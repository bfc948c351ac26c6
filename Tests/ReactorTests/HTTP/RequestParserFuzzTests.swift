// Heads cut, split, written by a generator and mutated: the parser must agree with itself and never read too far.
// Seeded; a failure prints its seed. All bytes end at a guard page.

import Reactor
import TestSupport
import Testing

@Suite struct RequestParserFuzzTests {
    static let corpus = [
        RequestParserTests.worker,
        "\r\nGET http://h:80/a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nA: \(String(repeating: "long ", count: 60))\r\nB:\t\r\n\r\n",
    ]
    static let refused = [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n",
    ]

    @Test(arguments: corpus)
    func `every truncation needs more, and reads nothing past its end`(_ text: String) throws {
        let bytes = Array(text.utf8)
        let whole = try #require(verdict(of: bytes).head)
        for count in 0..<whole.byteCount { #expect(verdict(of: bytes[..<count]) == .more, "cut at \(count)") }
        for count in whole.byteCount...bytes.count { #expect(verdict(of: bytes[..<count]).head == whole) }
    }

    @Test(arguments: corpus + refused)
    func `every split comes to the verdict of the whole`(_ text: String) {
        let bytes = Array(text.utf8)
        let whole = verdict(of: bytes)
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: 7) {
                var progress = HeadProgress()
                var table = HeaderTable()
                var found = Verdict.more
                for count in [first, second, bytes.count] where found == .more {
                    found = verdict(of: bytes[..<count], limits: HeadLimits(), progress: &progress, table: &table)
                }
                #expect(found == whole, "split at \(first) and \(second)")
            }
        }
        var progress = HeadProgress()
        var table = HeaderTable()
        var found = Verdict.more
        for count in 0...bytes.count where found == .more {
            found = verdict(of: bytes[..<count], limits: HeadLimits(), progress: &progress, table: &table)
        }
        #expect(found == whole, "byte by byte")
    }

    @Test func `a head that trickles in ends at its limit and not before`() {
        let limits = HeadLimits(uriBytesMax: 20, headerBytesMax: 200)
        for text in ["GET / HTTP/1.1\r\nA: ", "GET /", "G", "\r\nGET / HTTP/1.1\r\nA: b\r\nC: "] {
            var progress = HeadProgress()
            var table = HeaderTable()
            var bytes = Array(text.utf8)
            var found = Verdict.more
            while found == .more, bytes.count <= limits.headBytesMax {
                bytes.append(UInt8(ascii: "a"))
                found = verdict(of: bytes, limits: limits, progress: &progress, table: &table)
            }
            #expect([.headersTooLarge, .targetTooLong, .methodTooLong].contains(found.reason))
        }
    }

    @Test(arguments: 1...20)
    func `what is written is what is read`(_ seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        for _ in 0..<100 {
            let (text, fields) = Self.write(&random)
            let head = try #require(verdict(of: text + "rest").head, "seed \(seed): \(text.debugDescription)")
            #expect(head.fields == fields && head.byteCount == text.utf8.count, "seed \(seed)")
            #expect(text.hasPrefix("\(head.methodName) \(head.target) HTTP/1."), "seed \(seed)")
        }
    }

    /// Mutations of good heads: what is still accepted must, written again from what was read, be framed the same.
    @Test(arguments: 1...40)
    func `a mutated head is refused or means one thing`(_ seed: UInt64) {
        var random = RandomSource(seed: seed)
        let alphabet =
            Array("\r\n\t :,;chunked0129ContentLength-TransferEncodingHTTP/1.\u{00}\u{7F}\u{0B}".utf8) + [0x80, 0xFF]
        for _ in 0..<500 {
            var bytes = Array(Self.corpus.randomElement(using: &random)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = alphabet.randomElement(using: &random)!
                case 1: bytes.insert(alphabet.randomElement(using: &random)!, at: at)
                case 2: bytes.remove(at: at)
                default: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            guard let head = verdict(of: bytes).head else { continue }
            let version = head.version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
            let lines = head.fields.map { $0 + "\r\n" }.joined()
            let again = verdict(of: "\(head.methodName) \(head.target) \(version)\r\n\(lines)\r\n").head
            #expect(again?.framing == head.framing && again?.keepAlive == head.keepAlive, "seed \(seed)")
            #expect(again?.known == head.known && again?.authority == head.authority, "seed \(seed)")
            // Nothing a laxer reader could take for another line end, or for another length.
            let text = bytes[..<head.byteCount].split(separator: 0x0A, omittingEmptySubsequences: false)
            #expect(text.dropLast().allSatisfy { $0.last == 0x0D && $0.dropLast().allSatisfy { $0 != 0x0D } })
            let names = head.fields.map { $0.prefix { $0 != ":" }.lowercased() }
            #expect(names.count { $0 == "content-length" || $0 == "transfer-encoding" } <= 1, "seed \(seed)")
        }
    }

    private static func write(_ random: inout RandomSource) -> (text: String, fields: [String]) {
        let token = Array("!#$%&'*+-.^_`|~09azAZ")
        let visible = Array(" \t!\"#:;,=\\{}~09azAZé")
        func make(_ characters: [Character], _ range: ClosedRange<Int>) -> String {
            String((0..<Int.random(in: range, using: &random)).map { _ in characters.randomElement(using: &random)! })
        }
        let method = make(token, 1...10)
        let target = "/" + make(Array("az09%/?&=+.~[]|"), 0...80)
        var text = "\(method == "CONNECT" ? "GET" : method) \(target) HTTP/1.1\r\n"
        var fields = ["Host: h"]
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            let value = make(visible, 0...90).trimmingBlanks
            fields.append("\(make(token, 1...40)): \(value)")
        }
        fields.shuffle(using: &random)
        for field in fields {
            let colon = field.firstIndex(of: ":")!
            let value = field[colon...].dropFirst(2)
            text += "\(field[..<colon]):\(make([" ", "\t"], 0...3))\(value)\(make([" ", "\t"], 0...3))\r\n"
        }
        return (text + "\r\n", fields)
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
