// Random texts, most of them broken somewhere: the reader must say what Foundation says.
// Seeded; a failure prints its seed, and JSON_SEED=n repeats it. Where the two differ on purpose: Foundation refuses lone
// surrogates, numbers beyond Double and nesting beyond 512, which are JSON; it takes a comma before a closing bracket and
// other encodings than UTF-8, which are not.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct JSONDifferentialTests {
    private static let strings = [
        "", "a", "key", "0123456789abcdef", "0123456789abcde\\\"", "\\n\\t\\\\\\/", "é", "€uro", "𝄞", "\\u0041",
        "\\ud834\\udd1e",
        "a somewhat longer string with spaces, commas and {brackets}", "\u{7F}", "\\u00e9\\b\\f\\r",
    ]
    private static let numbers = ["0", "-0", "1", "-1", "12.5", "1e5", "1E-7", "-0.25e+3", "9007199254740993", "0.1"]

    private func document(_ depth: Int, _ random: inout RandomSource) -> String {
        let space = Bool.random(using: &random) ? "" : [" ", "\n", "\t", "\r\n "].randomElement(using: &random)!
        switch Int.random(in: 0..<(depth > 4 ? 4 : 8), using: &random) {
        case 0: return Self.numbers.randomElement(using: &random)! + space
        case 1: return ["true", "false", "null"].randomElement(using: &random)! + space
        case 2, 3: return "\"\(Self.strings.randomElement(using: &random)!)\"" + space
        case 4, 5:
            let items = (0..<Int.random(in: 0...4, using: &random)).map { _ in document(depth + 1, &random) }
            return "[" + space + items.joined(separator: "," + space) + "]"
        default:
            let items = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                "\"\(Self.strings.randomElement(using: &random)!)\":" + space + document(depth + 1, &random)
            }
            return "{" + space + items.joined(separator: space + ",") + space + "}"
        }
    }

    /// Breaks a text, perhaps: a byte changed, dropped, doubled or put in, or the text cut.
    private func mutate(_ bytes: inout [UInt8], _ random: inout RandomSource) {
        let alphabet = Array("{}[]:,\"\\ \n01-+.eEutrfalsn/\u{1}".utf8) + [0x80, 0xC3, 0xE2, 0xF0, 0xFF, 0xED]
        for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[at] = alphabet.randomElement(using: &random)!
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(bytes[at], at: at)
            case 3: bytes.insert(alphabet.randomElement(using: &random)!, at: at)
            default: bytes.removeSubrange(at...)
            }
        }
    }

    @Test func `the reader and Foundation agree on 40,000 random texts`() throws {
        let seed =
            ProcessInfo.processInfo.environment["JSON_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64.max)
        var random = RandomSource(seed: seed)
        var accepted = 0
        for round in 0..<40_000 {
            var bytes = Array(document(0, &random).utf8)
            mutate(&bytes, &random)
            let foundation = (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
            var ours = false
            if let value = try? JSONReader.document(bytes.span.bytes) {
                if value.problem == .loneSurrogate { continue }
                ours = true
                accepted += 1
            }
            if ours == foundation || hasHugeNumber(bytes) || (!ours && endsAtComma(bytes)) { continue }
            Issue.record(
                "seed \(seed), round \(round): we say \(ours), Foundation \(foundation): \(String(decoding: bytes, as: UTF8.self)) \(bytes)"
            )
            return
        }
        // Neither all broken nor all whole, else this would prove little.
        #expect((5000..<35_000).contains(accepted), "seed \(seed)")
    }

    /// The reader stopped at a closing bracket after a comma.
    private func endsAtComma(_ bytes: [UInt8]) -> Bool {
        guard let failure = JSONVerdict.failure(bytes), failure.offset < bytes.count else { return false }
        let before = bytes[..<failure.offset].last { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }
        return before == UInt8(ascii: ",") && [UInt8(ascii: "]"), UInt8(ascii: "}")].contains(bytes[failure.offset])
    }

    /// Three digits of exponent or more: perhaps beyond Double.
    private func hasHugeNumber(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(/[eE][+-]?\d{3}/)
    }

    @Test func `strings that are read mean what Foundation says`() throws {
        let seed =
            ProcessInfo.processInfo.environment["JSON_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64.max)
        var random = RandomSource(seed: seed)
        for _ in 0..<5000 {
            let raw = (0..<Int.random(in: 0...6, using: &random)).map { _ in Self.strings.randomElement(using: &random)!
            }
            let bytes = Array("\"\(raw.joined())\"".utf8)
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? String
            let value = try JSONReader.document(bytes.span.bytes)
            let string = try #require(value.string)
            var out = ByteBuffer()
            out.append(string, from: bytes.span.bytes)
            #expect(out.bytes.string == theirs, "seed \(seed)")
            var written = ByteBuffer()
            written.append(jsonString: out.bytes)
            let back = written.bytes.string
            #expect(
                try JSONSerialization.jsonObject(with: Data(back.utf8), options: .fragmentsAllowed) as? String
                    == theirs,
                "seed \(seed)")
        }
    }
}
