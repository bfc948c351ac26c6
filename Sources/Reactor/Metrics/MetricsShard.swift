// One reactor's numbers: plain words that only its thread writes, so that counting costs an addition and no lock.
// A scrape on any thread reads them relaxed and adds the shards up. Limit: `words`, fixed when the registry closes.

import CReactor

/// Names a counter or gauge: a word of every shard.
public struct MetricID: Hashable, Sendable {
    @usableFromInline let word: Int32
}

/// Names a histogram: a sum and one word a bucket, of every shard.
public struct HistogramID: Equatable, Sendable {
    @usableFromInline let word: Int32
    /// Where its bounds lie in the registry's list.
    @usableFromInline let firstBound: Int32
    @usableFromInline let boundCount: Int32
}

/// The words of one reactor.
///
/// `@unchecked Sendable`: written by its reactor's thread only; read relaxed by others.
public final class MetricsShard: @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<Int64>
    @usableFromInline let bounds: UnsafeMutablePointer<Int64>

    init(count: Int, bounds: [Int64]) {
        words = .allocate(capacity: max(1, count))
        words.initialize(repeating: 0, count: max(1, count))
        self.bounds = .allocate(capacity: max(1, bounds.count))
        for (index, bound) in bounds.enumerated() { (self.bounds + index).initialize(to: bound) }
    }

    deinit {
        words.deallocate()
        bounds.deallocate()
    }

    /// Counts up; for gauges down too.
    @inlinable
    public func add(_ metric: MetricID, _ amount: Int) {
        cr_relaxed_add(words + Int(metric.word), Int64(amount))
    }

    @inlinable
    public func set(_ metric: MetricID, _ value: Int) {
        cr_relaxed_store(words + Int(metric.word), Int64(value))
    }

    /// Counts one observation, in the unit of the histogram's bounds.
    @inlinable
    public func observe(_ histogram: HistogramID, _ value: Int64) {
        var bucket = 0
        let count = Int(histogram.boundCount)
        let first = bounds + Int(histogram.firstBound)
        while bucket < count, value > first[bucket] { bucket += 1 }
        let base = words + Int(histogram.word)
        cr_relaxed_add(base, value)
        cr_relaxed_add(base + 1 + bucket, 1)
    }

    func read(_ word: Int32) -> Int64 { cr_relaxed_load(words + Int(word)) }
}
