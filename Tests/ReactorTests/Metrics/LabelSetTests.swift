// Labels whose values come up while the process runs: each once, bounded, found by several reactors alike.

import Foundation
import Testing

@testable import Reactor

@Suite struct LabelSetTests {
    private struct Fixture {
        let registry = MetricsRegistry()
        let set: LabelSet
        let family: Int
        let shards: [MetricsShard]

        init(valuesMax: Int, shards count: Int = 1) {
            set = LabelSet(registry, label: "platform", valuesMax: valuesMax)
            family = set.addFamily(
                .counter, "t_total", "T.", fixed: [[("status", "in")], [("status", "out")]])
            shards = registry.makeShards(count)
        }

        func lines() -> [String] {
            var out = ByteBuffer()
            registry.write(to: &out)
            return out.bytes.string.split(separator: "\n").map { String($0) }.filter { !$0.hasPrefix("#") }
        }

        func count(_ value: String, fixed: Int = 0, in cache: inout LabelCache, shard: Int = 0) {
            let metric = cache.metric(family: family, fixed: fixed, value: Array(value.utf8).span.bytes)
            shards[shard].add(metric, 1)
        }
    }

    @Test func `a family without a value is not written`() {
        #expect(Fixture(valuesMax: 2).lines().isEmpty)
    }

    @Test func `a new value gets a series for each set of fixed labels`() {
        let fixture = Fixture(valuesMax: 2)
        var cache = LabelCache(fixture.set)
        fixture.count("beacon", in: &cache)
        fixture.count("beacon", in: &cache)
        fixture.count("beacon", fixed: 1, in: &cache)
        #expect(
            fixture.lines() == [
                "t_total{status=\"in\",platform=\"beacon\"} 2", "t_total{status=\"out\",platform=\"beacon\"} 1",
            ])
    }

    @Test func `values beyond the bound are counted together as other`() {
        let fixture = Fixture(valuesMax: 2)
        var cache = LabelCache(fixture.set)
        for value in ["a", "b", "c", "d", "a", "e", "c"] { fixture.count(value, in: &cache) }
        let lines = fixture.lines().filter { $0.contains("\"in\"") }
        #expect(
            lines == [
                "t_total{status=\"in\",platform=\"a\"} 2", "t_total{status=\"in\",platform=\"b\"} 1",
                "t_total{status=\"in\",platform=\"other\"} 4",
            ])
    }

    @Test func `a value called other is counted with the others, as one series`() {
        for values in [["other", "a", "b", "c"], ["a", "other", "b", "c"], ["a", "b", "c", "other"]] {
            let fixture = Fixture(valuesMax: 2)
            var cache = LabelCache(fixture.set)
            for value in values { fixture.count(value, in: &cache) }
            let lines = fixture.lines().filter { $0.contains("\"in\"") && $0.contains("other") }
            #expect(lines == ["t_total{status=\"in\",platform=\"other\"} 2"], "\(values)")
        }
    }

    @Test func `two caches give one value the same series`() {
        let fixture = Fixture(valuesMax: 3, shards: 2)
        var (first, second) = (LabelCache(fixture.set), LabelCache(fixture.set))
        fixture.count("a", in: &first)
        fixture.count("b", in: &second, shard: 1)
        fixture.count("b", in: &first)
        fixture.count("a", in: &second, shard: 1)
        #expect(
            fixture.lines().filter { $0.contains("\"in\"") } == [
                "t_total{status=\"in\",platform=\"a\"} 2", "t_total{status=\"in\",platform=\"b\"} 2",
            ])
    }

    @Test func `values that are parts of each other are told apart`() {
        let fixture = Fixture(valuesMax: 8)
        var cache = LabelCache(fixture.set)
        for value in ["ab", "a", "abc", "b", "", "ab"] { fixture.count(value, in: &cache) }
        #expect(fixture.lines().filter { $0.contains("\"in\"") }.count == 5)
        #expect(fixture.lines().contains("t_total{status=\"in\",platform=\"ab\"} 2"))
    }

    @Test func `newcomers from many threads at once are counted exactly`() {
        let fixture = Fixture(valuesMax: 16, shards: 4)
        let group = DispatchGroup()
        for shard in 0..<4 {
            Thread.detachNewThread(in: group) {
                var cache = LabelCache(fixture.set)
                for round in 0..<4000 { fixture.count("p\((round + shard * 5) % 40)", in: &cache, shard: shard) }
            }
        }
        #expect(group.wait(timeout: .now() + 60) == .success)
        let lines = fixture.lines().filter { $0.contains("\"in\"") }
        #expect(lines.count == 17)
        let total = lines.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        #expect(total == 16_000)
        for line in lines where !line.contains("other") { #expect(line.hasSuffix(" 400"), "\(line)") }
    }
}
