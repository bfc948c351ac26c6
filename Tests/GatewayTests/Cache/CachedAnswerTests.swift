// One cached answer: its string in Redis, its tag, its age; and the near cache's bounds.

import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct CachedAnswerTests {
    private let terms = CacheTerms(
        lifetimeSeconds: 100, freshMs: 90_000, staleMs: 100_000, ageSeconds: 10, vary: ["accept", "accept-language"])

    private func answer(etag: String? = nil, body: String = "body") -> CachedAnswer {
        CachedAnswer(
            terms, nowMs: 1_000_000, etag: etag.map { Array($0.utf8) }, lines: Array("A: 1\r\n".utf8),
            body: Array(body.utf8))
    }

    @Test func `it knows when it was made and until when it serves`() {
        let answer = answer()
        #expect(answer.bornMs == 990_000)
        #expect(answer.freshUntilMs == 1_090_000)
        #expect(answer.staleUntilMs == 1_190_000)
        #expect(answer.ageSeconds(nowMs: 1_005_400) == 15)
        #expect(answer.ageSeconds(nowMs: 999_990) == 10, "another reactor's clock")
        #expect(answer.ageSeconds(nowMs: 0) == 0)
    }

    @Test func `its string is read as what was written, and anything else as nothing`() {
        let answer = answer(body: "line\nother 1 2 3\0")
        let encoded = answer.encoded
        #expect(CachedAnswer(encoded: encoded) == answer)
        #expect(CachedAnswer(encoded: self.answer(body: "").encoded)?.body == [])
        let headEnd = encoded.count - answer.body.count
        for end in 0..<headEnd { #expect(CachedAnswer(encoded: Array(encoded[..<end])) == nil) }
        var random = RandomSource(seed: 11)
        for _ in 0..<5_000 {
            var broken = encoded
            broken[Int.random(in: 0..<60, using: &random)] = UInt8.random(in: 0...255, using: &random)
            // Read or not, it must not trap.
            _ = CachedAnswer(encoded: broken)
        }
    }

    @Test func `a body without a tag gets one of its own`() {
        #expect(answer().etag == answer().etag)
        #expect(answer().etag != answer(body: "other").etag)
        #expect(answer().etag.first == UInt8(ascii: "\"") && answer().etag.last == UInt8(ascii: "\""))
        #expect(answer(etag: "W/\"1\"").etag == Array("W/\"1\"".utf8))
    }

    @Test func `If-None-Match compares weakly, in lists`() {
        func isNamed(_ list: String, _ etag: String) -> Bool { answer(etag: etag).isNamed(by: Array(list.utf8)) }
        #expect(isNamed("\"a\"", "\"a\"") && isNamed("W/\"a\"", "\"a\"") && isNamed("\"a\"", "W/\"a\""))
        #expect(isNamed("\"x,y\" , \"a\"", "\"a\"") && isNamed("*", "\"a\""))
        #expect(
            !isNamed("\"b\"", "\"a\"") && !isNamed("a", "\"a\"") && !isNamed("", "\"a\"") && !isNamed("\"a", "\"a\""))
        #expect(!isNamed("\"*\"", "\"a\""))
        #expect(!answer().isNamed(by: nil))
    }
}

@Suite struct NearCacheTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func key(_ number: Int) -> CacheKey { CacheKey(bytes: Array("\(number)".utf8)) }

    private func answer(_ bytes: Int) -> NearCache.Entry {
        let terms = CacheTerms(lifetimeSeconds: 1, freshMs: 1, staleMs: 1, ageSeconds: 0, vary: [])
        return .answer(
            CachedAnswer(terms, nowMs: 0, etag: [1], lines: [], body: [UInt8](repeating: 0, count: bytes)))
    }

    @Test func `nothing is older than a second`() {
        var near = NearCache()
        near.put(key(1), .passes, now: start)
        #expect(near.find(key(1), now: start + .milliseconds(999)) != nil)
        #expect(near.find(key(1), now: start + .seconds(1)) == nil)
    }

    @Test func `it keeps to its entries and bytes, and lets the oldest go`() {
        var near = NearCache()
        for number in 0..<NearCache.entriesMax + 100 { near.put(key(number), .passes, now: start) }
        #expect(near.count == NearCache.entriesMax)
        #expect(near.find(key(99), now: start) == nil && near.find(key(100), now: start) != nil)
        near.removeAll()
        #expect(near.byteCount == 0)
        for number in 0..<100 { near.put(key(number), answer(1 << 20), now: start) }
        #expect(near.byteCount <= NearCache.bytesMax && near.count >= 30)
        #expect(near.find(key(99), now: start) != nil && near.find(key(0), now: start) == nil)
    }

    @Test func `what is put again counts once, and lives anew`() {
        var near = NearCache()
        for step in 0..<100_000 { near.put(key(step % 3), answer(100), now: start + .milliseconds(Int64(step))) }
        #expect(near.count == 3)
        #expect(near.byteCount < 3 * 1000)
        #expect(near.find(key(0), now: start + .milliseconds(100_500)) != nil)
    }

    @Test func `old entries go when new ones come`() {
        var near = NearCache()
        for number in 0..<100 { near.put(key(number), .passes, now: start) }
        near.put(key(1000), .passes, now: start + .seconds(2))
        #expect(near.count == 1)
    }
}
