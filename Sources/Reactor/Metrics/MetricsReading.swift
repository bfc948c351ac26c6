// Single numbers out of all shards, for those who show them otherwise than the Prometheus page. On any thread; relaxed
// loads, so that reading costs those who count nothing.

extension MetricsShard {
    /// What this reactor has counted.
    public func value(of metric: MetricID) -> Int { Int(read(metric.word)) }
}

extension [MetricsShard] {
    /// A counter or gauge over all reactors.
    public func sum(of metric: MetricID) -> Int { reduce(0) { $0 + $1.value(of: metric) } }

    /// Observations of each bucket by itself over all reactors; those above the last bound come last.
    public func buckets(of histogram: HistogramID) -> [Int] {
        (0...histogram.boundCount).map { bucket in
            reduce(0) { $0 + Int($1.read(histogram.word + 1 + bucket)) }
        }
    }
}
