// Browsers of other origins: preflights and the lines of every answer. Source: the Fetch standard, section 3.2.

import TestSupport
import Testing

@Suite struct CORSTests {
    private let origin = ("Origin", "https://app.example.com")

    private func fixture() throws -> PublicFixture {
        try PublicFixture(["GATEWAY_CORS_ORIGINS": "https://app.example.com,https://other.example.com"])
    }

    @Test func `a preflight of a configured origin learns methods and header lines`() throws {
        let response = try fixture().gateway.exchange(
            "OPTIONS", "/v1/properties/1/refresh",
            headers: [
                origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-api-key"),
            ])
        #expect(response.status == 204)
        #expect(response.header("Access-Control-Allow-Origin") == "https://app.example.com")
        #expect(response.header("Access-Control-Allow-Methods") == "POST")
        #expect(response.header("Access-Control-Allow-Headers")?.contains("X-API-Key") == true)
        #expect(response.header("Vary") == "Origin")
    }

    @Test func `answers and refusals name the origin, and no other one`() throws {
        let fixture = try fixture()
        for target in ["/v1/properties/1", "/versions", "/v1/nothing"] {
            let response = try fixture.get(target, [origin])
            #expect(response.header("Access-Control-Allow-Origin") == "https://app.example.com", "\(target)")
            #expect(response.header("Access-Control-Expose-Headers")?.contains("X-Cache") == true)
            let stranger = try fixture.get(target, [("Origin", "https://evil.example.com")])
            #expect(stranger.status == response.status)
            #expect(stranger.header("Access-Control-Allow-Origin") == nil)
            #expect(stranger.header("Vary") == "Origin")
        }
        let preflight = try fixture.gateway.exchange(
            "OPTIONS", "/v1/properties/1",
            headers: [("Origin", "https://evil.example.com"), ("Access-Control-Request-Method", "GET")])
        try expectProblem(preflight, 403, "FORBIDDEN")
    }

    @Test func `a star allows any origin`() throws {
        let fixture = try PublicFixture(["GATEWAY_CORS_ORIGINS": "*"])
        #expect(try fixture.get("/v1/properties/1", [origin]).header("Access-Control-Allow-Origin") == "*")
        let preflight = try fixture.gateway.exchange(
            "OPTIONS", "/v1/properties/1", headers: [origin, ("Access-Control-Request-Method", "GET")])
        #expect(preflight.header("Access-Control-Allow-Origin") == "*")
    }

    @Test func `without configured origins there are no preflights`() throws {
        let fixture = try PublicFixture()
        let response = try fixture.gateway.exchange(
            "OPTIONS", "/v1/properties/1", headers: [origin, ("Access-Control-Request-Method", "GET")])
        try expectProblem(response, 405, "METHOD_NOT_ALLOWED")
        #expect(try fixture.get("/v1/properties/1", [origin]).header("Access-Control-Allow-Origin") == nil)
    }
}
