// Overload as clients see it: PostgreSQL hangs, results wait, and one class after the other is refused; then all is well again.

import Foundation
import TestSupport
import Testing

@Suite struct OverloadLiveTests {
    private static let itemsMax = 1_000

    /// A post of as many results as one may have, all but its last byte, which the test sends when it wants.
    private func begin(_ gateway: GatewayProcess, _ number: Int) throws -> RawHTTP {
        let items = (0..<Self.itemsMax).map { Sample.result("o\(number)-\($0)") }
        let http = try RawHTTP(port: gateway.port, timeoutSeconds: 60)
        let headers = [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "w\(number)")]
        let body = "[\(items.joined(separator: ","))]"
        let request = RawHTTP.request("POST", "/internal/results", headers: headers, body: body)
        // What comes before it in the same bytes is answered when its head is read.
        try http.send(RawHTTP.request("GET", "/health") + request.dropLast())
        guard try http.readResponse().status == 200 else { throw TestFailure("/health") }
        return http
    }

    @Test func `the public is refused first, then pulls, then results, then heartbeats; health never`() throws {
        let postgresURL = try GatewayProcess.migratedDatabase()
        let fixture = try PublicFixture(
            ["GATEWAY_REACTORS": "1", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"], postgresURL: postgresURL)
        let gateway = fixture.gateway
        try eventually("PostgreSQL is connected") { try gateway.exchange("GET", "/health/ready").status == 200 }
        let worker = try WorkerClient(port: gateway.port, id: "w")
        func level() throws -> Double { try MetricsPage(gateway).value("gateway_overload_level") }
        func ask(_ path: String) throws -> HTTPResponse { try fixture.get(path) }
        func pull() throws -> HTTPResponse { try worker.send("GET", "/internal/work") }
        func submit() throws -> HTTPResponse {
            try worker.send("POST", "/internal/results", body: "[\(Sample.result("late"))]")
        }
        func heartbeat() throws -> HTTPResponse {
            try worker.send("POST", "/internal/heartbeat", body: Sample.heartbeat())
        }
        let posts = try (0..<16).map { try begin(gateway, $0) }
        func finish(_ range: Range<Int>) throws { for post in posts[range] { try post.send("]") } }

        // Whoever writes to the table waits for this one.
        let lock = try DatabaseLock(postgresURL, "LOCK TABLE parcel_results IN ACCESS EXCLUSIVE MODE")
        try finish(0..<9)
        try eventually("level 1") { try level() == 1 }
        try expectOverloaded(ask("/v1/properties/1"))
        #expect(try pull().status == 200)

        try finish(9..<12)
        try eventually("level 2") { try level() == 2 }
        try expectOverloaded(ask("/v1/properties/1"))
        try expectOverloaded(pull())
        #expect(try heartbeat().status == 200)

        // All four are here before the level that refuses them is reached: it rises after a turn.
        try finish(12..<16)
        try eventually("level 4") { try level() == 4 }
        for refused in try [ask("/v1/properties/1"), pull(), submit(), heartbeat()] { try expectOverloaded(refused) }
        #expect(try gateway.exchange("GET", "/health").status == 200)
        #expect(try ask("/versions").status == 200)
        let page = try MetricsPage(gateway)
        for (name, count) in [("public", 3.0), ("pull", 2), ("result", 1), ("heartbeat", 1)] {
            #expect(page.value("gateway_overload_refused_total", ["class": name]) == count, "\(name)")
        }

        try lock.release()
        for post in posts { #expect(try post.readResponse().status == 200) }
        try eventually("all is well", deadlineSeconds: 30) { try level() == 0 }
        #expect(try ask("/v1/properties/1").status == 200)
        for good in try [pull(), submit(), heartbeat()] { #expect(good.status == 200) }
        #expect(gateway.log.contains("the level of overload has changed"))
    }

    private func expectOverloaded(_ response: HTTPResponse) throws {
        try expectProblem(response, 503, "SERVICE_UNAVAILABLE")
        #expect(response.bodyText.contains("overloaded"))
        #expect(Int(response.header("Retry-After") ?? "") ?? 0 > 0)
    }
}
