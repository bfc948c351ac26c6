// API keys, the SSR token and anonymous callers over real sockets and a real PostgreSQL: api.md section 3, "Who is
// asking"; and the command that makes keys.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct APIKeyTests {
    private static let shared = Task { try await CallerFixture(tiers: CallerFixture.open) }
    private var fixture: CallerFixture { get async throws { try await Self.shared.value } }

    @Test func `an API key speaks for the user and tier of its row`() async throws {
        let fixture = try await fixture
        let key = try fixture.makeKey("acme", tier: "enterprise", ["--name", "Acme's site"])
        #expect(key.hasPrefix("tlk_") && key.utf8.count == 47)
        #expect(try fixture.caller([("X-API-Key", key)]) == ["acme", "enterprise"])
        let row = try fixture.database.run("SELECT key_hash, tier, name, active FROM api_keys WHERE user_id = 'acme'")
        #expect(row == [[sha256Hex(key), "enterprise", "Acme's site", "t"]])
        #expect(try fixture.database.count("SELECT count(*) FROM api_keys WHERE key_hash LIKE '%tlk%'") == 0)
    }

    @Test func `a row of an unknown or lofty tier is free`() async throws {
        let fixture = try await fixture
        for tier in ["king", "worker", "anonymous"] {
            let key = "by-hand-\(tier)"
            try fixture.database.run(
                "INSERT INTO api_keys (key_hash, user_id, tier) VALUES ('\(sha256Hex(key))', 'u-\(tier)', '\(tier)')")
            #expect(try fixture.caller([("X-API-Key", key)]) == ["u-\(tier)", "free"])
        }
    }

    @Test func `a bad key is a 401 and never anonymous`() async throws {
        let fixture = try await fixture
        let revoked = try fixture.makeKey("revoked-user")
        try fixture.database.run("UPDATE api_keys SET active = false WHERE user_id = 'revoked-user'")
        let expired = try fixture.makeKey("expired-user")
        try fixture.database.run(
            "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE user_id = 'expired-user'")
        let before = fixture.fixture.parser.requestCount
        for key in [revoked, expired, "tlk_unknown", "", String(repeating: "k", count: 300), "a b"] {
            try expectProblem(try fixture.get("/v1/properties/1", apiKey: key), 401, "UNAUTHORIZED")
            // Known to be bad by now.
            try expectProblem(try fixture.get("/v1/properties/1", apiKey: key), 401, "UNAUTHORIZED")
        }
        #expect(fixture.fixture.parser.requestCount == before)
    }

    @Test func `the first credential that is sent decides`() async throws {
        let fixture = try await fixture
        let key = try fixture.makeKey("order-user", tier: "premium")
        let token = try fixture.mint.token(["sub": "order-token", "tier": "starter"])
        let (bearer, site, api) = (
            ("Authorization", "Bearer \(token)"), ("X-SSR-Token", CallerFixture.siteToken), ("X-API-Key", key)
        )
        #expect(try fixture.caller([api, site, bearer]) == ["order-token", "starter"])
        #expect(try fixture.caller([api, site]) == ["ssr-service", "internal"])
        #expect(try fixture.caller([api]) == ["order-user", "premium"])
        #expect(try fixture.caller([]) == ["anonymous", "anonymous"])
        let bad = [
            [("Authorization", "Bearer x"), site, api], [("X-SSR-Token", "wrong"), api], [("X-SSR-Token", "")],
            [("X-API-Key", "wrong")],
        ]
        for headers in bad {
            try expectProblem(try fixture.get("/v1/properties/1", headers), 401, "UNAUTHORIZED")
        }
    }

    @Test func `the credentials of the client stay here, and forged names of it too`() async throws {
        let fixture = try await fixture
        let token = try fixture.mint.token(["sub": "quiet-user"])
        let forged = [("Authorization", "Bearer \(token)"), ("X-User-ID", "root"), ("X-User-Tier", "internal")]
        #expect(try fixture.caller(forged) == ["quiet-user", "free"])
        let request = try fixture.fixture.lastRequest()
        #expect(request.header("Authorization") == nil)
    }

    @Test func `last use is written, in batches`() async throws {
        let fixture = try await fixture
        let key = try fixture.makeKey("used-user")
        for _ in 0..<5 { #expect(try fixture.get("/v1/properties/1", apiKey: key).status == 200) }
        try eventually("the last use is written", deadlineSeconds: 30) {
            try fixture.database.count(
                """
                SELECT count(*) FROM api_keys WHERE user_id = 'used-user'
                AND last_used_at BETWEEN now() - interval '1 min' AND now()
                """) == 1
        }
        #expect(try fixture.apiKey("list", "--user", "used-user").output.contains("used-user"))
    }

    @Test func `two keys of a client hold at once, a third is refused, a revoked one makes room`() async throws {
        let fixture = try await fixture
        let first = try fixture.makeKey("rotating")
        let second = try fixture.makeKey("rotating", ["--expires", "2999-12-31"])
        #expect(try fixture.caller([("X-API-Key", first)]) == ["rotating", "free"])
        #expect(try fixture.caller([("X-API-Key", second)]) == ["rotating", "free"])
        let third = try fixture.apiKey("create", "--user", "rotating")
        #expect(third.status == .exited(65))
        #expect(third.errors.contains("2 active keys"))
        let list = try fixture.apiKey("list", "--user", "rotating").output
        #expect(list.contains(sha256Hex(first).prefix(16)) && list.contains("2999-12-31T23:59:59Z"))
        #expect(!list.contains(first) && !list.contains(second))
        #expect(try fixture.apiKey("revoke", String(sha256Hex(first).prefix(12))).isSuccess)
        _ = try fixture.makeKey("rotating")
        let shown = try fixture.apiKey("list", "--user", "rotating", "--all").output
        #expect(shown.contains("revoked"))
        #expect(try fixture.apiKey("revoke", "00000000").status == .exited(65))
        #expect(try !fixture.apiKey("revoke", first).isSuccess, "a key itself has no place in a command line")
    }

    @Test func `concurrent creates give a client two keys`() async throws {
        let fixture = try await fixture
        let url = fixture.postgresURL
        let outputs = try concurrently(6) { _ in
            try GatewayProcess.run(["api-key", "create", "--user", "eager"], postgresURL: url)
        }
        #expect(outputs.filter(\.isSuccess).count == 2)
    }

    @Test func `what is no user, tier or date is refused`() async throws {
        let fixture = try await fixture
        let bad = [
            ["--user", "a b"], ["--user", "anonymous"], ["--user", "ssr-service"], ["--user", ""],
            ["--user", "u", "--tier", "worker"], ["--user", "u", "--expires", "soon"],
        ]
        for arguments in bad {
            let output = try GatewayProcess.run(["api-key", "create"] + arguments, postgresURL: fixture.postgresURL)
            #expect(!output.isSuccess, "\(arguments)")
        }
    }

    @Test func `a remembered key passes while PostgreSQL is away, another is a 503`() async throws {
        let services = try PrivateServices([.postgres])
        #expect(try GatewayProcess.run(["migrate"], postgresURL: services.postgresURL).isSuccess)
        let fixture = try await CallerFixture(
            ["GATEWAY_REACTORS": "1"], tiers: CallerFixture.open, postgresURL: services.postgresURL)
        let (known, fresh) = (try fixture.makeKey("known"), try fixture.makeKey("fresh"))
        #expect(try fixture.get("/v1/properties/1", apiKey: known).status == 200)
        try services.stop(.postgres)
        try eventually("PostgreSQL is gone") {
            try MetricsPage(fixture.fixture.gateway).value("gateway_postgres_connected") == 0
        }
        #expect(try fixture.get("/v1/properties/1", apiKey: known).status == 200)
        let response = try fixture.get("/v1/properties/1", apiKey: fresh)
        try expectProblem(response, 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "PostgreSQL"))
        #expect(try fixture.get("/v1/properties/1").status == 200, "others go on")
        try services.start(.postgres)
        try eventually("it is back", deadlineSeconds: 30) {
            try fixture.get("/v1/properties/1", apiKey: fresh).status == 200
        }
    }

    @Test func `a revoked key ends when it is no longer remembered`() async throws {
        let fixture = try await CallerFixture(
            ["GATEWAY_REACTORS": "1", "GATEWAY_CREDENTIAL_CACHE_SECONDS": "0.5"], tiers: CallerFixture.open)
        let key = try fixture.makeKey("leaving")
        #expect(try fixture.get("/v1/properties/1", apiKey: key).status == 200)
        #expect(try fixture.apiKey("revoke", String(sha256Hex(key).prefix(16))).isSuccess)
        try eventually("the key has ended") { try fixture.get("/v1/properties/1", apiKey: key).status == 401 }
    }
}

/// The SHA-256 of a text, in hexadecimal digits.
func sha256Hex(_ text: String) -> String { SHA256Digest.of(text).hex }
