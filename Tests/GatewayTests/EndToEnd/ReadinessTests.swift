// Readiness is the whole process': whichever reactor answers, the next request may come to another.

import TestSupport
import Testing

@Suite struct ReadinessTests {
    @Test func `a process is ready when all its reactors are connected`() throws {
        let database = try GatewayProcess.migratedDatabase()
        let admin = PostgresQuery(url: database)
        let name = try #require(database.split(separator: "/").last)
        let role = "limited_\(name)"
        try admin.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 1")
        let gateway = try GatewayProcess(
            postgresURL: database.replacing("taxlien@", with: "\(role)@"), environment: ["GATEWAY_REACTORS": "2"])
        try eventually("one reactor has the only session") {
            gateway.log.contains("connected to PostgreSQL")
        }
        for _ in 0..<8 {
            let answer = try gateway.exchange("GET", "/health/ready")
            #expect(answer.status == 503)
            #expect(answer.bodyText.contains(#""postgres":{"status":"unavailable","latency_ms":null}"#))
        }
        try admin.run("ALTER ROLE \(role) CONNECTION LIMIT 8")
        try eventually("all are connected") { try gateway.exchange("GET", "/health/ready").status == 200 }
    }
}
