// Secrets looked for in constant time, and random bytes.
import Testing

@testable import Reactor

@Suite struct SecretTableTests {
    private func index(_ secrets: [String], _ presented: [UInt8]) -> Int? {
        SecretTable(secrets.map { Array($0.utf8) }).index(of: presented.span.bytes)
    }

    @Test func `the index of the equal secret is found, whichever it is`() {
        let secrets = ["one", "two", "three", "o"]
        for (index, secret) in secrets.enumerated() { #expect(self.index(secrets, Array(secret.utf8)) == index) }
        #expect(SecretTable(secrets.map { Array($0.utf8) }).count == 4)
    }

    @Test func `every single-bit difference is a difference`() {
        let secret = (0..<UInt8(40)).map { $0 &* 7 &+ 33 & 0x7F | 1 }
        let table = SecretTable([secret])
        for at in secret.indices {
            for bit in 0..<8 {
                var other = secret
                other[at] ^= 1 << bit
                #expect(table.index(of: other.span.bytes) == nil)
            }
        }
        #expect(table.index(of: secret.span.bytes) == 0)
    }

    @Test func `neither a prefix nor zero bytes behind it are the secret`() {
        #expect(index(["secret"], Array("secre".utf8)) == nil)
        #expect(index(["secret"], Array("secret\0".utf8)) == nil)
        #expect(index(["secret"], [0]) == nil)
        #expect(index(["secret"], []) == nil)
        #expect(index([], [1]) == nil)
        #expect(index([], []) == nil)
    }

    @Test func `the greatest length is compared whole, more is never equal`() {
        let most = [UInt8](repeating: 7, count: SecretTable.bytesMax)
        let table = SecretTable([most])
        #expect(table.index(of: most.span.bytes) == 0)
        let more = most + [7]
        #expect(table.index(of: more.span.bytes) == nil)
        let other = most.dropLast() + [8]
        #expect(table.index(of: other.span.bytes) == nil)
    }

    @Test func `random bytes are as many as asked for, and not the same twice`() {
        #expect(randomBytes(1).count == 1)
        #expect(randomBytes(256).count == 256)
        #expect(randomBytes(32) != randomBytes(32))
    }
}
