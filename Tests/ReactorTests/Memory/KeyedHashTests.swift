// Hashes that clients cannot aim.
import Testing

@testable import Reactor

@Suite struct KeyedHashTests {
    @Test func `one seed gives one hash, another seed or domain another`() {
        let bytes = Array("worker-1".utf8)
        let other = Array("worker-2".utf8)
        let hash = KeyedHash(seed: 1)
        #expect(hash.hash(bytes.span.bytes, domain: 0) == KeyedHash(seed: 1).hash(bytes.span.bytes, domain: 0))
        #expect(hash.hash(bytes.span.bytes, domain: 0) != hash.hash(other.span.bytes, domain: 0))
        #expect(hash.hash(bytes.span.bytes, domain: 0) != hash.hash(bytes.span.bytes, domain: 1))
        #expect(hash.hash(bytes.span.bytes, domain: 0) != KeyedHash(seed: 2).hash(bytes.span.bytes, domain: 0))
        #expect(KeyedHash().hash(bytes.span.bytes, domain: 0) != KeyedHash().hash(bytes.span.bytes, domain: 0))
    }

    @Test func `numbers of sixteen bytes count in both halves`() {
        let hash = KeyedHash(seed: 1)
        let hashes = Set([0, 1, 1 << 64, 1 << 64 | 1, UInt128.max].map { hash.hash($0, domain: 0) })
        #expect(hashes.count == 5)
        #expect(hash.hash(UInt128(1), domain: 0) != hash.hash(UInt128(1), domain: 1))
    }
}
