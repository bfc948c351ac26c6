// The metrics page as text: help and type once a family, sums over shards, histograms that add up, escaped labels.

import Foundation
import Testing

@testable import Reactor

@Suite struct MetricsRegistryTests {
    private func page(_ registry: MetricsRegistry) -> [String] {
        var out = ByteBuffer()
        registry.write(to: &out)
        return out.bytes.string.split(separator: "\n").map { String($0) }
    }

    @Test func `a counter is the sum of its shards`() {
        let registry = MetricsRegistry()
        let counter = registry.add(.counter, "a_total", "What a is.", labels: [("kind", "x")])
        let shards = registry.makeShards(3)
        for (index, shard) in shards.enumerated() { shard.add(counter, index + 1) }
        #expect(
            page(registry) == ["# HELP a_total What a is.", "# TYPE a_total counter", "a_total{kind=\"x\"} 6"])
    }

    @Test func `a gauge goes up and down and can be set`() {
        let registry = MetricsRegistry()
        let gauge = registry.add(.gauge, "g", "G.")
        let shards = registry.makeShards(2)
        shards[0].add(gauge, 5)
        shards[1].add(gauge, -2)
        #expect(page(registry).last == "g 3")
        shards[0].set(gauge, 1)
        #expect(page(registry).last == "g -1")
    }

    @Test func `what spare words were kept for may be described later`() {
        let registry = MetricsRegistry()
        let first = registry.addHistogram("d_seconds", "D.", labels: [("r", "x")], bounds: [1, 10])
        let shards = registry.makeShards(2, spareWords: 5)
        let second = registry.addHistogram("d_seconds", "D.", labels: [("r", "y")], bounds: [1, 10])
        let counter = registry.add(.counter, "a_total", "A.")
        shards[0].observe(first, 1)
        shards[1].observe(second, 5)
        shards[1].add(counter, 2)
        #expect(page(registry).contains("d_seconds_bucket{r=\"x\",le=\"1\"} 1"))
        #expect(page(registry).contains("d_seconds_bucket{r=\"y\",le=\"1\"} 0"))
        #expect(page(registry).contains("d_seconds_bucket{r=\"y\",le=\"10\"} 1"))
        #expect(page(registry).last == "a_total 2")
    }

    @Test func `series of one family stand together under one head`() {
        let registry = MetricsRegistry()
        _ = registry.add(.counter, "a_total", "A.", labels: [("l", "1")])
        _ = registry.add(.counter, "b_total", "B.")
        _ = registry.add(.counter, "a_total", "A.", labels: [("l", "2")])
        _ = registry.makeShards(1)
        #expect(
            page(registry) == [
                "# HELP a_total A.", "# TYPE a_total counter", "a_total{l=\"1\"} 0", "a_total{l=\"2\"} 0",
                "# HELP b_total B.", "# TYPE b_total counter", "b_total 0",
            ])
    }

    @Test func `a metric of each reactor is written for each`() {
        let registry = MetricsRegistry()
        let gauge = registry.addByReactor(.gauge, "up", "Up.", reactors: 2)
        let shards = registry.makeShards(2)
        shards[1].set(gauge, 1)
        #expect(page(registry).suffix(2) == ["up{reactor=\"0\"} 0", "up{reactor=\"1\"} 1"])
    }

    @Test func `a histogram's buckets are cumulative, its sum is in the written unit`() {
        let registry = MetricsRegistry()
        let histogram = registry.addHistogram(
            "d_seconds", "D.", labels: [("r", "x")], bounds: [1_000_000, 1_000_000_000], scale: 1e9)
        let shards = registry.makeShards(2)
        // On a bound it belongs to that bucket.
        shards[0].observe(histogram, 1_000_000)
        shards[1].observe(histogram, 500_000_000)
        shards[1].observe(histogram, 3_000_000_000)
        #expect(
            page(registry) == [
                "# HELP d_seconds D.", "# TYPE d_seconds histogram", "d_seconds_bucket{r=\"x\",le=\"0.001\"} 1",
                "d_seconds_bucket{r=\"x\",le=\"1\"} 2", "d_seconds_bucket{r=\"x\",le=\"+Inf\"} 3",
                "d_seconds_sum{r=\"x\"} 3.501", "d_seconds_count{r=\"x\"} 3",
            ])
    }

    @Test func `histograms of different bounds do not mix, alone or of each reactor`() {
        let registry = MetricsRegistry()
        let first = registry.addHistogram("a", "A.", bounds: [10])
        let second = registry.addHistogram("b", "B.", bounds: [1, 2], reactors: 2)
        let shards = registry.makeShards(2)
        shards[0].observe(first, 2)
        shards[0].observe(second, 2)
        shards[1].observe(second, 3)
        let lines = page(registry)
        #expect(lines.contains("a_bucket{le=\"10\"} 1") && lines.contains("a_sum 2"))
        #expect(lines.contains("b_bucket{reactor=\"0\",le=\"1\"} 0"))
        #expect(lines.contains("b_bucket{reactor=\"0\",le=\"2\"} 1"))
        #expect(lines.contains("b_bucket{reactor=\"1\",le=\"+Inf\"} 1"))
        #expect(lines.contains("b_sum{reactor=\"1\"} 3"))
    }

    @Test func `label values are escaped`() {
        let registry = MetricsRegistry()
        registry.add(.gauge, "g", "G.", labels: [("path", "a\\b\"c\nd é")], read: { 0.25 })
        #expect(page(registry).last == "g{path=\"a\\\\b\\\"c\\nd é\"} 0.25")
    }

    @Test func `a value that is read is asked for at each writing`() {
        let registry = MetricsRegistry()
        let asked = Locked(0.0)
        registry.add(.gauge, "g", "G.") {
            asked.withLock { count in
                count += 1
                return count
            }
        }
        #expect(page(registry).last == "g 1")
        #expect(page(registry).last == "g 2")
    }

    @Test func `counting by many threads is exact, each on a shard of its own`() throws {
        let registry = MetricsRegistry()
        let counter = registry.add(.counter, "c_total", "C.")
        let histogram = registry.addHistogram("h", "H.", bounds: [1, 10, 100])
        let shards = registry.makeShards(4)
        let rounds = 50_000
        let group = DispatchGroup()
        for shard in shards {
            Thread.detachNewThread(in: group) {
                for round in 0..<rounds {
                    shard.add(counter, 1)
                    shard.observe(histogram, Int64(round % 200))
                }
            }
        }
        // A scrape meanwhile sees some number that was true, never more than the end's.
        let during = page(registry).first { $0.hasPrefix("c_total ") }.flatMap { Int($0.dropFirst(8)) }
        #expect(try #require(during) <= 4 * rounds)
        #expect(group.wait(timeout: .now() + 60) == .success)
        let lines = page(registry)
        #expect(lines.contains("c_total \(4 * rounds)"))
        #expect(lines.contains("h_count \(4 * rounds)"))
        #expect(lines.contains("h_bucket{le=\"10\"} \(4 * rounds / 200 * 11)"))
        #expect(lines.contains("h_sum \(4 * rounds / 200 * 19_900)"))
    }
}

extension Thread {
    static func detachNewThread(in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        detachNewThread {
            body()
            group.leave()
        }
    }
}
