// What is remembered of credentials, for how long, and how much of it. Source: api.md section 3.

import Reactor
import Testing

@testable import Gateway

@Suite struct CredentialMemoryTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private func key(_ name: String) -> CredentialKey { CredentialKey(kind: .apiKey, digest: .of(name)) }

    private func isKnown(_ memory: CredentialMemory, _ name: String, after seconds: Double, wall: Int = 0) -> Bool {
        if case .known = memory.find(key(name), now: start + .seconds(seconds), nowSeconds: wall) { return true }
        return false
    }

    private func isRefused(_ memory: CredentialMemory, _ name: String, after seconds: Double) -> Bool {
        if case .refused = memory.find(key(name), now: start + .seconds(seconds), nowSeconds: 0) { return true }
        return false
    }

    @Test func `a good one is known for the interval, and never past its own end`() {
        var memory = CredentialMemory(interval: .seconds(300))
        memory.know(key("a"), .site, now: start)
        memory.know(key("b"), .site, expiresSeconds: 100, now: start)
        #expect(isKnown(memory, "a", after: 299.9))
        #expect(!isKnown(memory, "a", after: 300))
        #expect(isKnown(memory, "b", after: 1, wall: 99))
        #expect(!isKnown(memory, "b", after: 1, wall: 100))
        #expect(!isKnown(memory, "c", after: 0))
    }

    @Test func `the same bytes as another kind of credential are not known`() {
        var memory = CredentialMemory(interval: .seconds(300))
        memory.know(key("a"), .site, now: start)
        let other = CredentialKey(kind: .bearer, digest: .of("a"))
        #expect(memory.find(other, now: start, nowSeconds: 0) == nil)
    }

    @Test func `a bad one is refused for ten seconds, until it turns good`() {
        var memory = CredentialMemory(interval: .seconds(300))
        memory.refuse(key("a"), "no", now: start)
        #expect(isRefused(memory, "a", after: 9.9))
        #expect(!isRefused(memory, "a", after: 10))
        memory.refuse(key("a"), "no", now: start)
        memory.know(key("a"), .site, now: start)
        #expect(isKnown(memory, "a", after: 0))
        memory.refuse(key("a"), "revoked", now: start)
        #expect(isRefused(memory, "a", after: 0))
    }

    @Test func `an interval of zero remembers nothing`() {
        var memory = CredentialMemory(interval: .zero)
        memory.know(key("a"), .site, now: start)
        memory.refuse(key("b"), "no", now: start)
        #expect(memory.count == 0)
    }

    @Test func `forged ones push out no good one, and both are bounded`() {
        var memory = CredentialMemory(interval: .seconds(300))
        memory.know(key("good"), .site, now: start)
        for number in 0..<CredentialMemory.refusedMax + 500 { memory.refuse(key("bad \(number)"), "no", now: start) }
        #expect(memory.count == CredentialMemory.refusedMax + 1)
        #expect(isKnown(memory, "good", after: 1))
        for number in 0..<CredentialMemory.knownMax { memory.know(key("more \(number)"), .site, now: start) }
        #expect(memory.count == CredentialMemory.refusedMax + CredentialMemory.knownMax)
        #expect(!isKnown(memory, "good", after: 1), "the oldest goes first")
    }
}
