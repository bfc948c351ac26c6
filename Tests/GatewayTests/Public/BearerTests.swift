// Firebase ID tokens over real sockets, with a key server that rotates and fails: api.md section 3, "Who is asking".

import Foundation
import JWTKit
import TestSupport
import Testing

@Suite struct BearerTests {
    @Test func `a valid JWT passes as its user and tier, and an invalid one fails`() async throws {
        let fixture = try await CallerFixture(tiers: CallerFixture.open)
        let mint = fixture.mint
        #expect(try fixture.caller(bearer: mint.token()) == ["user-1", "free"])
        #expect(try fixture.caller(bearer: mint.token(["tier": "premium", "sub": "ü 2"])) == ["ü 2", "premium"])
        for tier in ["internal", "worker", "anonymous", "king"] {
            #expect(try fixture.caller(bearer: mint.token(["tier": tier])) == ["user-1", "free"], "\(tier)")
        }
        #expect(try fixture.caller(bearer: mint.token(["tier": 7])) == ["user-1", "free"])
        #expect(try fixture.caller([("Authorization", "bearer \(mint.token())")]) == ["user-1", "free"])
        let before = (fixture.fixture.parser.requestCount, fixture.keyServer.requestCount)
        let now = Int(wallSeconds())
        let bad: [(String, [String: Any?])] = [
            ("expired", ["exp": now - 1]), ("future", ["iat": now + 90]), ("future", ["auth_time": now + 90]),
            ("another project", ["aud": "other"]), ("another issuer", ["iss": "https://securetoken.google.com/other"]),
            ("nobody", ["sub": ""]), ("sub", ["sub": nil]), ("exp", ["exp": nil]), ("iat", ["iat": nil]),
            ("nobody", ["sub": "anonymous"]), ("nobody", ["sub": "ssr-service"]), ("nobody", ["sub": "a\nb"]),
        ]
        for (reason, claims) in bad {
            let response = try fixture.get("/v1/properties/1", bearer: mint.token(claims))
            try expectProblem(response, 401, "UNAUTHORIZED", ProblemDetails(says: reason))
        }
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token(["iat": now + 50])).status == 200)
        #expect(fixture.fixture.parser.requestCount == before.0 + 1)
        #expect(fixture.keyServer.requestCount == before.1)
    }

    @Test func `only RS256 by a published key is a signature`() async throws {
        let fixture = try await CallerFixture(tiers: CallerFixture.open)
        let forger = try await TokenMint("key-1")
        let claims = try TokenMint.part(TokenMint.claims())
        let none = try TokenMint.part(["alg": "none", "kid": "key-1"])
        let symmetric = try TokenMint.part(["alg": "HS256", "kid": "key-1"])
        let good = try fixture.mint.token()
        #expect(try fixture.get("/v1/properties/1", bearer: good).status == 200)
        let parts = good.split(separator: ".").map(String.init)
        let other = try TokenMint.part(TokenMint.claims(["sub": "user-2"]))
        let bad = [
            try forger.token(), "\(none).\(claims).", "\(none).\(claims).AAAA", "\(symmetric).\(claims).AAAA",
            "\(parts[0]).\(other).\(parts[2])", "\(good)A", "\(parts[0]).\(parts[1])", "x", "..", "a.b.c",
            try fixture.mint.token(header: ["alg": "RS512"]), try fixture.mint.token(header: ["crit": ["exp"]]),
        ]
        for token in bad {
            try expectProblem(try fixture.get("/v1/properties/1", bearer: token), 401, "UNAUTHORIZED")
        }
        for header in ["Bearer", "Bearer ", "Basic dTpw", ""] {
            let response = try fixture.get("/v1/properties/1", [("Authorization", header)])
            try expectProblem(response, 401, "UNAUTHORIZED")
        }
        let twice = [("Authorization", "Bearer \(good)"), ("Authorization", "Bearer \(good)")]
        try expectProblem(try fixture.get("/v1/properties/1", twice), 401, "UNAUTHORIZED")
    }

    @Test func `a rotated key is fetched when it is first seen, once however many ask`() async throws {
        let fixture = try await CallerFixture(
            ["GATEWAY_FIREBASE_JWKS_REFETCH_SECONDS": "3600"], tiers: CallerFixture.open)
        #expect(try fixture.get("/v1/properties/1", bearer: fixture.mint.token()).status == 200)
        let next = try await TokenMint("key-2")
        let mint = fixture.mint
        let gate = TestGate()
        fixture.keyServer.handle { _ in .hold(gate, CallerFixture.keys([mint, next])) }
        let before = fixture.keyServer.requestCount
        let clients = try (0..<24).map { index in
            let client = try RawHTTP(port: fixture.fixture.gateway.port, timeoutSeconds: 30)
            let token = try next.token(["sub": "user-\(index)"])
            try client.send(
                RawHTTP.request("GET", "/v1/properties/1", headers: [("Authorization", "Bearer \(token)")]))
            return client
        }
        try eventually("the keys are asked for") { fixture.keyServer.requestCount == before + 1 }
        gate.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
        #expect(fixture.keyServer.requestCount == before + 1)
        // The interval is not over: whoever names yet another key is refused without asking.
        let unknown = try await TokenMint("key-3")
        for index in 0..<8 {
            let response = try fixture.get("/v1/properties/1", bearer: unknown.token(["sub": "\(index)"]))
            try expectProblem(response, 401, "UNAUTHORIZED", ProblemDetails(says: "not published"))
        }
        #expect(fixture.keyServer.requestCount == before + 1)
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token(["sub": "user-x"])).status == 200)
    }

    @Test func `a key taken out of the set ends with the set's lifetime`() async throws {
        let mint = try await TokenMint("key-1")
        let next = try await TokenMint("key-2")
        let fixture = try await CallerFixture(
            ["GATEWAY_CREDENTIAL_CACHE_SECONDS": "0"], tiers: CallerFixture.open)
        _ = mint
        let first = fixture.mint
        fixture.keyServer.handle { _ in CallerFixture.keys([first], maxAge: 1) }
        // The first set was loaded for an hour; an unknown key brings the one for a second.
        _ = try fixture.get("/v1/properties/1", bearer: next.token())
        #expect(try fixture.get("/v1/properties/1", bearer: first.token()).status == 200)
        fixture.keyServer.handle { _ in CallerFixture.keys([next], maxAge: 3600) }
        try eventually("the new key holds") { try fixture.get("/v1/properties/1", bearer: next.token()).status == 200 }
        try expectProblem(try fixture.get("/v1/properties/1", bearer: first.token()), 401, "UNAUTHORIZED")
    }

    @Test func `the last good set survives an outage of its server`() async throws {
        let fixture = try await CallerFixture(
            ["GATEWAY_CREDENTIAL_CACHE_SECONDS": "0"], tiers: CallerFixture.open)
        let mint = fixture.mint
        let other = try await TokenMint("key-2")
        fixture.keyServer.handle { _ in CallerFixture.keys([mint], maxAge: 1) }
        _ = try fixture.get("/v1/properties/1", bearer: other.token())
        fixture.keyServer.handle { _ in .respond(500) }
        let before = fixture.keyServer.requestCount
        try eventually("the set was asked for twice in vain", deadlineSeconds: 30) {
            fixture.keyServer.requestCount >= before + 2
        }
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token()).status == 200)
        fixture.keyServer.handle { _ in .respond(200, body: "{\"keys\":[]}") }
        let later = fixture.keyServer.requestCount
        try eventually("a set without keys was fetched", deadlineSeconds: 30) { fixture.keyServer.requestCount > later }
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token()).status == 200)
    }

    @Test func `with no key set ever loaded a token is a 503, and a 200 as soon as there is one`() async throws {
        let mint = try await TokenMint("key-1")
        let port = try FreePort.next()
        let fixture = try await CallerFixture(
            ["GATEWAY_FIREBASE_JWKS_URL": "http://127.0.0.1:\(port)/keys"], tiers: CallerFixture.open)
        let response = try fixture.get("/v1/properties/1", bearer: mint.token())
        try expectProblem(response, 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "never loaded"))
        #expect(try fixture.get("/v1/properties/1").status == 200, "others go on")
        let server = try TestUpstream(port: port) { _ in CallerFixture.keys([mint]) }
        defer { server.stop() }
        try eventually("the set is loaded", deadlineSeconds: 30) {
            try fixture.get("/v1/properties/1", bearer: mint.token()).status == 200
        }
    }

    @Test func `https of the key set says in the log why it fails`() async throws {
        let mint = try await TokenMint("key-1")
        let fixture = try await CallerFixture(
            ["GATEWAY_FIREBASE_JWKS_URL": "https://127.0.0.1:\(FreePort.next())/keys"], tiers: CallerFixture.open)
        #expect(try fixture.get("/v1/properties/1", bearer: mint.token()).status == 503)
        try eventually("the log tells") { fixture.fixture.gateway.log.contains("no published keys") }
    }

    @Test func `without a project Bearer tokens are 401`() async throws {
        let fixture = try await CallerFixture(["GATEWAY_FIREBASE_PROJECT_ID": ""], tiers: CallerFixture.open)
        let response = try fixture.get("/v1/properties/1", bearer: fixture.mint.token())
        try expectProblem(response, 401, "UNAUTHORIZED")
        #expect(fixture.keyServer.requestCount == 0)
    }

    @Test func `a remembered token passes without its key, but not past its end`() async throws {
        let fixture = try await CallerFixture(["GATEWAY_REACTORS": "1"], tiers: CallerFixture.open)
        let end = Int(wallSeconds()) + 3
        let token = try fixture.mint.token(["exp": end])
        #expect(try fixture.get("/v1/properties/1", bearer: token).status == 200)
        try eventually("its time is over", deadlineSeconds: 20) {
            try fixture.get("/v1/properties/1", bearer: token).status == 401
        }
        #expect(Int(wallSeconds()) >= end)
    }
}
