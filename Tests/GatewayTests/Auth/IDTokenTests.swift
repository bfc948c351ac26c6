// ID tokens taken apart and believed or not, without a key. Source: api.md section 3; RFC 7515, RFC 7519.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct IDTokenTests {
    private static let now = 1_800_000_000

    private func token(
        _ claims: [String: Any?] = [:], header: [String: Any] = ["alg": "RS256", "kid": "k"], signature: String = "AAAA"
    ) throws -> [UInt8] {
        let claims = TokenMint.claims(claims, nowSeconds: Double(Self.now)).compactMapValues { $0 }
        return try Array("\(TokenMint.part(header)).\(TokenMint.part(claims)).\(signature)".utf8)
    }

    private func parse(_ bytes: [UInt8]) throws -> IDToken { try IDToken(bytes.rawBytes) }

    private func decode(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        return Base64URL.decode(bytes.rawBytes)
    }

    private func check(_ claims: [String: Any?]) throws -> Caller {
        try parse(token(claims)).check(project: TokenMint.project, nowSeconds: Self.now)
    }

    @Test func `a token is its claims, its key's name and what was signed`() throws {
        let bytes = try token(["tier": "starter"])
        let parsed = try parse(bytes)
        #expect(parsed.keyID == "k")
        #expect(parsed.claims.subject == "user-1" && parsed.claims.tier == "starter")
        #expect(parsed.signature == [0, 0, 0])
        #expect(parsed.signed == bytes.dropLast(5))
        let caller = try parsed.check(project: TokenMint.project, nowSeconds: Self.now)
        #expect(caller.userID == "user-1" && caller.tier == .starter && caller.account == "user:user-1")
    }

    @Test func `exp has no leeway, iat and auth_time have a minute`() throws {
        #expect(throws: BadToken.self) { try check(["exp": Self.now]) }
        _ = try check(["exp": Self.now + 1])
        _ = try check(["exp": Double(Self.now) + 1.5])
        _ = try check(["iat": Self.now + 60, "auth_time": Self.now + 60])
        #expect(throws: BadToken.self) { try check(["iat": Self.now + 61]) }
        #expect(throws: BadToken.self) { try check(["auth_time": Self.now + 61]) }
        _ = try check(["auth_time": nil])
    }

    @Test func `numbers that are no times, and words that are no names, are refused`() throws {
        let bad: [[String: Any?]] = [
            ["exp": "1900000000"], ["exp": 1e15], ["exp": -1], ["iat": nil], ["aud": [TokenMint.project]],
            ["sub": " u"], ["sub": "u "], ["sub": "\u{7F}"], ["sub": String(repeating: "u", count: 513)], ["sub": 1],
        ]
        for claims in bad { #expect(throws: BadToken.self, "\(claims)") { try check(claims) } }
    }

    @Test func `the header must ask for RS256 by a named key`() throws {
        let bad: [[String: Any]] = [
            ["alg": "none", "kid": "k"], ["alg": "HS256", "kid": "k"], ["alg": "rs256", "kid": "k"], ["kid": "k"],
            ["alg": "RS256"], ["alg": "RS256", "kid": ""], ["alg": "RS256", "kid": 1],
            ["alg": "RS256", "kid": String(repeating: "k", count: 257)], ["alg": "RS256", "kid": "k", "crit": []],
        ]
        for header in bad {
            let bytes = try token(header: header)
            #expect(throws: BadToken.self, "\(header)") { try parse(bytes) }
        }
    }

    @Test func `a token of every length short of its own is none`() throws {
        let bytes = try token()
        for count in 0..<bytes.count - 4 {
            #expect(throws: BadToken.self) { try parse(Array(bytes.prefix(count))) }
        }
        #expect(throws: BadToken.self) { try parse(bytes + [46]) }
        #expect(throws: BadToken.self) { try parse([UInt8](repeating: 65, count: IDToken.bytesMax + 1)) }
    }

    @Test func `bytes changed at random never trap`() throws {
        var random = RandomSource()
        let bytes = try token()
        for _ in 0..<20_000 {
            var changed = bytes
            changed[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            // `try?`: only that it returns.
            _ = try? parse(changed)
        }
    }

    @Test(
        arguments: [
            ("", ""), ("AA", "\u{0}"), ("aGk", "hi"), ("aGl-", "hi~"), ("_-8", nil), ("A", nil), ("AB", nil),
            ("aGk=", nil), ("a+k", nil), ("aG k", nil),
        ] as [(String, String?)])
    func `base64url is strict`(text: String, expected: String?) {
        let decoded = decode(text)
        if text == "_-8" {
            #expect(decoded == [0xFF, 0xEF])
        } else {
            #expect(decoded.map { String(decoding: $0, as: UTF8.self) } == expected)
        }
    }
}
