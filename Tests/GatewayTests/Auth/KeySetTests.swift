// JWK sets: which keys are of use, and what they have signed.

import Reactor
import Testing

@testable import Gateway

@Suite struct KeySetTests {
    @Test func `only RSA keys for signatures by RS256 are kept`() async throws {
        let mint = try await TokenMint("good")
        let key = mint.published
        let entries = [
            key, key.replacing("good", with: "by-other").replacing("RS256", with: "RS512"),
            key.replacing("good", with: "encrypts").replacing("\"sig\"", with: "\"enc\""),
            "{\"kid\":\"ec\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
            "{\"kid\":\"short\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "{\"kty\":\"RSA\"}", "7",
        ]
        let set = try await KeySet(Array("{\"x\":[],\"keys\":[\(entries.joined(separator: ","))]}".utf8))
        #expect(set.names == ["good"])
    }

    @Test(arguments: ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[", "not JSON"])
    func `what holds no key is no set`(body: String) async {
        await #expect(throws: BadKeySet.self) { try await KeySet(Array(body.utf8)) }
    }

    private func parse(_ token: String) throws -> IDToken {
        let bytes = Array(token.utf8)
        return try IDToken(bytes.rawBytes)
    }

    @Test func `a signature holds for its token and its key`() async throws {
        let (mint, other) = (try await TokenMint("a"), try await TokenMint("b"))
        let set = try await KeySet(Array(TokenMint.set([mint, other]).utf8))
        let token = try parse(mint.token())
        #expect(set.hasSigned(token))
        var changed = token
        changed.keyID = "b"
        #expect(!set.hasSigned(changed))
        changed.keyID = "c"
        #expect(!set.hasSigned(changed))
        changed = token
        changed.signature[10] ^= 1
        #expect(!set.hasSigned(changed))
        changed = token
        changed.signed[40] ^= 1
        #expect(!set.hasSigned(changed))
        changed = token
        changed.signature = [0, 0, 0]
        #expect(!set.hasSigned(changed))
    }
}
