// What results look like, and how often a parcel comes again.

import Foundation
import Reactor
import Testing

@testable import Bench

@Suite struct ResultsScenarioTests {
    private func scenario(
        items: Int = 1, bytes: Int = 300, repeats: Double = 0, share: LoopShare = LoopShare(index: 0, count: 1),
        seed: UInt64 = 1
    ) -> ResultsScenario {
        ResultsScenario(
            target: testTarget, identity: testIdentity, path: "/internal/results",
            settings: ResultsScenario.Settings(
                items: items, payloadBytes: bytes, repeatShare: repeats, runName: "run"), share: share, seed: seed)
    }

    private func items(_ scenario: ResultsScenario) throws -> [[String: Any]] {
        let (_, request) = try written(by: scenario)
        #expect(request.method == "POST" && request.target == "/internal/results")
        #expect(request.headers["x-worker-token"] == "secret" && request.headers["x-worker-id"] == "w-0")
        return try #require(JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [[String: Any]])
    }

    @Test func `a post has its items, each with data of the size that was asked for`() throws {
        for bytes in [8, 9, 63, 64, 200, 3072] {
            let scenario = scenario(items: 20, bytes: bytes)
            #expect(ParcelPayloads(bytes: bytes, seed: 4).objects.allSatisfy { $0.count == bytes })
            let posted = try items(scenario)
            #expect(posted.count == 20)
            #expect(Set(posted.compactMap { $0["parcel_id"] as? String }).count == 20)
            #expect(posted.allSatisfy { $0["data"] is [String: Any] })
        }
    }

    @Test func `loops never send the same parcel`() throws {
        var seen: Set<String> = []
        for index in 0..<3 {
            let part = scenario(items: 50, share: LoopShare(index: index, count: 3))
            for item in try (0..<4).flatMap({ _ in try parcels(part) }) {
                #expect(seen.insert(item).inserted)
            }
        }
        #expect(seen.count == 600)
    }

    private func parcels(_ scenario: ResultsScenario) throws -> [String] {
        let (_, request) = try written(by: scenario)
        let json = try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [[String: Any]]
        return try #require(json).compactMap { $0["parcel_id"] as? String }
    }

    @Test func `the share of repeated parcels is what was asked for`() throws {
        let scenario = scenario(items: 1000, bytes: 8, repeats: 0.3)
        var seen: Set<String> = []
        var repeats = 0
        for _ in 0..<20 {
            for parcel in try parcels(scenario) where !seen.insert(parcel).inserted { repeats += 1 }
        }
        #expect((5500...6500).contains(repeats), "\(repeats) of 20000")
    }

    @Test func `one seed writes the same bytes, another does not`() throws {
        let first = try written(by: scenario(repeats: 0.5, seed: 7)).1
        #expect(try written(by: scenario(repeats: 0.5, seed: 7)).1 == first)
        #expect(try written(by: scenario(repeats: 0.5, seed: 8)).1 != first)
    }

    @Test func `failed items and nonsense are no success`() {
        var tally = ResultTally()
        func add(_ text: String) -> Bool { tally.add(Array(text.utf8).span.bytes) }
        #expect(add(#"{"inserted":3,"updated":2,"stale":1,"failed":0,"errors":[],"failures":[]}"#))
        #expect(!add(#"{"inserted":3,"updated":0,"stale":0,"failed":1,"errors":["x"],"failures":[{"index":0}]}"#))
        #expect(!add(#"{"status":"ok"}"#))
        #expect(!add("<html>"))
        #expect((tally.inserted, tally.updated, tally.stale, tally.failed) == (6, 2, 1, 1))
    }
}
