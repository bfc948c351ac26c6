// The built-in rates and quotas against the contract's tables, and files over them. Source: api.md section 3.

import Testing

@testable import Gateway

@Suite struct TierTableTests {
    /// By tier: rate a minute, burst, then search, details, predictions, top_lists, bulk_export, on_demand_scrape.
    private static let contract: [(Tier, Int, Int, [Int])] = [
        (.anonymous, 10, 5, [5, 10, 0, 0, 0, 0]),
        (.free, 30, 10, [10, 20, 3, 0, 0, 0]),
        (.starter, 60, 20, [-1, -1, 10, 10, 0, 0]),
        (.premium, 120, 50, [-1, -1, -1, -1, 1000, 10]),
        (.enterprise, 600, 100, [-1, -1, -1, -1, -1, 100]),
        (.internal, 1000, 200, [-1, -1, -1, -1, -1, -1]),
        (.worker, 1000, 200, [-1, -1, -1, -1, -1, -1]),
    ]

    @Test func `the built-in table is the contract's`() {
        for (tier, perMinute, burst, quotas) in Self.contract {
            let rule = TierTable.builtIn[tier]
            #expect(rule.perMinute == perMinute && rule.burst == burst, "\(tier)")
            #expect(rule.quotas.map { $0.limit ?? -1 } == quotas, "\(tier)")
            for feature in Feature.allCases {
                #expect(rule.quota(feature).period == (feature == .predictions ? .month : .day))
            }
        }
    }

    private func read(_ text: String) throws -> TierTable {
        try TierFile.read(text, name: "tiers.yaml", over: .builtIn)
    }

    @Test func `a file changes what it names and nothing else`() throws {
        let table = try read(
            "tiers: {free: {rate_per_minute: 31, burst: 11, quotas: {search: {day: 12}, predictions: {month: -1}, details: {month: 9}}}}"
        )
        var expected = TierTable.builtIn
        expected[.free].perMinute = 31
        expected[.free].burst = 11
        expected[.free].quotas[0] = Quota(limit: 12, period: .day)
        expected[.free].quotas[1] = Quota(limit: 9, period: .month)
        expected[.free].quotas[2] = Quota(limit: nil, period: .month)
        #expect(table == expected)
        #expect(try read("tiers: {}") == .builtIn)
    }

    @Test func `all that is wrong is told with its line`() {
        let text = """
            tiers:
              free:
                rate_per_minute: fast
                burts: 3
                burst: 0
                quotas:
                  search: {day: -2}
                  details: 5
                  walking: {day: 1}
                  predictions: {week: 1}
                  top_lists: {day: 1, month: 2}
              worker: {burst: 1}
            other: 1
            """
        let expected = [
            "tiers.yaml line 3: free.rate_per_minute: expected a whole number from 0 to 600000",
            "tiers.yaml line 4: burts is nothing that a tier has; the nearest is burst",
            "tiers.yaml line 5: free.burst: expected a whole number from 1 to 100000",
            "tiers.yaml line 7: free.quotas.search.day: expected a whole number from -1 to 1000000000",
            "tiers.yaml line 8: free.quotas.details: expected a mapping",
            "tiers.yaml line 8: free.quotas.details: expected {day: N} or {month: N}",
            "tiers.yaml line 9: walking is none of search, details, predictions, top_lists, bulk_export, on_demand_scrape",
            "tiers.yaml line 10: free.quotas.predictions: expected {day: N} or {month: N}",
            "tiers.yaml line 11: free.quotas.top_lists: expected {day: N} or {month: N}",
            "tiers.yaml line 12: worker is none of anonymous, free, starter, premium, enterprise, internal",
            "tiers.yaml line 13: other: expected tiers",
        ]
        #expect(throws: BadTableFile(problems: expected)) { try read(text) }
    }

    @Test(arguments: ["", "tiers", "- 1", "a: [", "routes: []"])
    func `what is no mapping with tiers is refused`(text: String) {
        #expect(throws: BadTableFile.self) { try read(text) }
    }
}
