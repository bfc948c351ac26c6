// The rate's state in one word, and the headers it becomes.

import Reactor
import Testing

@testable import Gateway

@Suite struct RateNoteTests {
    @Test(arguments: [(0, 1_795_506_547), (199, 1_795_506_547), (0xFF_FFFF, 0xFF_FFFF_FFFF), (1, 1)])
    func `remaining and reset come out of the word as they went in`(remaining: Int, reset: Int) throws {
        let note = try #require(RateNote(word: RateNote(remaining: remaining, resetSeconds: reset).word))
        #expect(note.remaining == remaining)
        #expect(note.resetSeconds == reset)
    }

    @Test func `a word of zero is no limit`() {
        #expect(RateNote(word: 0) == nil)
    }

    @Test func `more than the word holds is cut, not wrapped`() throws {
        let note = try #require(RateNote(word: RateNote(remaining: 1 << 30, resetSeconds: 7).word))
        #expect(note.remaining == 0xFF_FFFF)
        #expect(note.resetSeconds == 7)
    }

    @Test func `the headers are those of the contract`() {
        var out = ByteBuffer()
        RateNote(remaining: 12, resetSeconds: 1_795_506_547).write(limitPerMinute: 1000, to: &out)
        #expect(
            out.bytes.string
                == "X-RateLimit-Limit: 1000\r\nX-RateLimit-Remaining: 12\r\nX-RateLimit-Reset: 1795506547\r\n")
    }
}
