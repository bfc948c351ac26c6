// Texts by number: kept, replaced, cleared, cut.

import Testing

@testable import Reactor

@Suite struct ShortTextsTests {
    private func set(_ texts: ShortTexts, _ index: UInt32, _ text: String) {
        let bytes = Array(text.utf8)
        texts.set(index, bytes.rawBytes)
    }

    @Test func `each number keeps the text that was set last, and none before`() {
        let texts = ShortTexts()
        #expect(texts.text(0) == "")
        for index: UInt32 in [0, 1, 255, 256, 10_000] { set(texts, index, "worker-\(index)") }
        set(texts, 1, "shorter")
        for index: UInt32 in [0, 255, 256, 10_000] { #expect(texts.text(index) == "worker-\(index)") }
        #expect(texts.text(1) == "shorter")
        #expect(texts.text(2) == "")
        texts.clear(256)
        #expect(texts.text(256) == "")
        #expect(texts.text(255) == "worker-255")
    }

    @Test func `a text is cut after its bound and reaches no neighbour`() {
        let texts = ShortTexts()
        set(texts, 6, "next")
        set(texts, 5, String(repeating: "x", count: ShortTexts.bytesMax + 50))
        #expect(texts.text(5) == String(repeating: "x", count: ShortTexts.bytesMax))
        #expect(texts.text(6) == "next")
        set(texts, 5, "")
        #expect(texts.text(5) == "")
    }
}
