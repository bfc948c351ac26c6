// What tests of rates and quotas ask and count.

import Foundation
import TestSupport
import Testing

/// What became of many requests.
struct Tally: Sendable {
    var byStatus: [Int: Int] = [:]

    mutating func add(_ status: Int) { byStatus[status, default: 0] += 1 }
    subscript(status: Int) -> Int { byStatus[status] ?? 0 }

    /// Sends requests over kept connections, `each` over each of `connections`, spread over `ports`.
    static func of(
        ports: [Int], connections: Int, each: Int, _ target: String = "/v1/properties/1",
        headers: [(String, String)]
    ) throws -> Tally {
        let tallies = try concurrently(connections) { index in
            let client = try RawHTTP(port: ports[index % ports.count], timeoutSeconds: 30)
            var tally = Tally()
            for _ in 0..<each { tally.add(try client.exchange("GET", target, headers: headers).status) }
            return tally
        }
        return tallies.reduce(into: Tally()) { $0.byStatus.merge($1.byStatus) { $0 + $1 } }
    }
}

/// One feature of an answer of `GET /v1/usage`.
struct Used: Equatable {
    var used: Int
    var limit: Int
    var remaining: Int
    var period: String
    var resetsAt: String

    init(_ feature: String, _ response: HTTPResponse) throws {
        let usage = try #require(try response.jsonObject()["usage"] as? [String: [String: Any]])
        let entry = try #require(usage[feature])
        used = try #require(entry["used"] as? Int)
        limit = try #require(entry["limit"] as? Int)
        remaining = try #require(entry["remaining"] as? Int)
        period = try #require(entry["period"] as? String)
        resetsAt = try #require(entry["resets_at"] as? String)
    }
}
