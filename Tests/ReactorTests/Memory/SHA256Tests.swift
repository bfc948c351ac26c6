// Digests against the published examples: FIPS 180-4 (by NIST's example values), RFC 4231 for HMAC.

import Reactor
import Testing

@Suite struct SHA256Tests {
    @Test func `digests are those of NIST's examples`() {
        #expect(
            SHA256Digest.of("").hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            SHA256Digest.of("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256Digest.of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    }

    @Test func `bytes in pieces have the digest of the whole, and a finished hash starts anew`() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        let hash = SHA256()
        for piece in [bytes[..<1], bytes[1..<64], bytes[64..<64], bytes[64...]] { hash.update(Array(piece).rawBytes) }
        #expect(hash.finish() == SHA256Digest.of(bytes.rawBytes))
        #expect(hash.finish() == SHA256Digest.of(""))
    }

    @Test func `RFC 4231 test cases 1, 2 and 6`() {
        #expect(
            SHA256Digest.authenticating(Array("Hi There".utf8), key: [UInt8](repeating: 0x0B, count: 20)).hex
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            SHA256Digest.authenticating(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)).hex
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            SHA256Digest.authenticating(
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                key: [UInt8](repeating: 0xAA, count: 131)
            ).hex == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
