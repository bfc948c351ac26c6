// A gateway that knows callers: a JWK-set server, API keys in a PostgreSQL of its own, an SSR token. Tests of
// credentials, rates and quotas share it where they keep to users of their own.

import Foundation
import TestSupport
import Testing

final class CallerFixture: Sendable {
    static let siteToken = "ssr-token-of-the-tests"

    let mint: TokenMint
    let keyServer: TestUpstream
    let postgresURL: String
    let fixture: PublicFixture

    /// - Parameters:
    ///   - tiers: the text of a tiers file; nil takes the built-in rates and quotas.
    ///   - like: shares its Redis, PostgreSQL, keys and parser.
    init(
        _ environment: [String: String] = [:], tiers: String? = nil, like other: CallerFixture? = nil,
        postgresURL: String? = nil, redisURL: String? = nil
    ) async throws {
        let mint: TokenMint
        if let other { mint = other.mint } else { mint = try await TokenMint("key-1") }
        self.mint = mint
        keyServer = try other?.keyServer ?? TestUpstream { _ in Self.keys([mint]) }
        self.postgresURL = try other?.postgresURL ?? postgresURL ?? GatewayProcess.migratedDatabase()
        var variables = [
            "GATEWAY_FIREBASE_PROJECT_ID": TokenMint.project, "GATEWAY_FIREBASE_JWKS_URL": "\(keyServer.url)/keys",
            "GATEWAY_SSR_SERVICE_TOKEN": Self.siteToken,
        ]
        variables.merge(environment) { _, given in given }
        fixture = try PublicFixture(
            variables, parser: other?.fixture.parser, redisURL: other?.fixture.redisURL ?? redisURL,
            postgresURL: self.postgresURL, tiers: tiers)
    }

    static func keys(_ mints: [TokenMint], maxAge: Int = 3600) -> TestUpstream.Answer {
        .respond(
            200, headers: ["Content-Type: application/json", "Cache-Control: public, max-age=\(maxAge)"],
            body: TokenMint.set(mints))
    }

    var database: PostgresQuery { PostgresQuery(url: postgresURL) }

    func get(_ target: String, _ headers: [(String, String)] = []) throws -> HTTPResponse {
        try fixture.get(target, headers)
    }

    func get(_ target: String, bearer: String) throws -> HTTPResponse {
        try get(target, [("Authorization", "Bearer \(bearer)")])
    }

    func get(_ target: String, apiKey: String) throws -> HTTPResponse { try get(target, [("X-API-Key", apiKey)]) }

    /// Whom a request is answered to, by what the upstream is told.
    func caller(_ headers: [(String, String)]) throws -> [String?] {
        // Not cached: each reaches the upstream.
        let response = try fixture.gateway.exchange("POST", "/v1/predictions/batch", headers: headers, body: "{}")
        #expect(response.status == 200, "\(response.bodyText)")
        let request = try fixture.lastRequest()
        return [request.header("X-User-ID"), request.header("X-User-Tier")]
    }

    func caller(bearer: String) throws -> [String?] { try caller([("Authorization", "Bearer \(bearer)")]) }

    /// Runs `gateway api-key …`.
    @discardableResult
    func apiKey(_ arguments: String...) throws -> CommandOutput {
        try GatewayProcess.run(["api-key"] + arguments, postgresURL: postgresURL)
    }

    /// Makes a key and returns it.
    func makeKey(_ user: String, tier: String = "free", _ more: [String] = []) throws -> String {
        let output = try GatewayProcess.run(
            ["api-key", "create", "--user", user, "--tier", tier] + more, postgresURL: postgresURL)
        guard output.isSuccess, let key = output.output.split(separator: "\n").last else {
            throw TestFailure("api-key create: \(output.output)\(output.errors)")
        }
        return String(key)
    }

    /// Predictions for everybody, no rates: for tests of who asks.
    static let open = """
        tiers:
        \(["anonymous", "free", "starter", "premium", "enterprise", "internal"].map {
            "  \($0): {rate_per_minute: 0, quotas: {predictions: {month: -1}, details: {day: -1}}}"
        }.joined(separator: "\n"))
        """
}
