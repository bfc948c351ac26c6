// The metrics of a process: described once at start, counted in shards, added up when Prometheus asks.
// Immutable after `makeShards`, except for families with labels that come up later (`LabelSet`) and what spare words are
// kept for, behind a lock that only a newcomer and a scrape take. Source: the Prometheus text exposition format 0.0.4.

public enum MetricKind: Sendable {
    case counter
    case gauge

    var name: StaticString {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        }
    }
}

/// Describes metrics and writes them out.
public final class MetricsRegistry: Sendable {
    private struct Family: Sendable {
        var name: String
        var help: String
        var type: StaticString
        var series: [Series] = []
    }

    private struct Series: Sendable {
        /// `{a="b"}`, or empty.
        var labels: String
        var source: Source
    }

    private enum Source: Sendable {
        case sum(MetricID)
        /// The same, left out while it is 0: one of many that mostly never happen.
        case sparseSum(MetricID)
        /// The value of one reactor's shard; `scale` counted units are one written unit.
        case one(MetricID, shard: Int, scale: Double)
        /// `scale` observed units are one written unit: nanoseconds become seconds.
        case histogram(HistogramID, bounds: [Int64], scale: Double, shard: Int?, isSparse: Bool)
        /// Asked when written.
        case read(@Sendable () -> Double)
    }

    private struct State {
        var families: [Family] = []
        var words: Int32 = 0
        /// What the shards hold, once they are made.
        var wordsMax = Int.max
        var bounds: [Int64] = []
        /// Where bounds that were given before lie in `bounds`.
        var boundStarts: [[Int64]: Int32] = [:]
        var shards: [MetricsShard] = []

        mutating func takeWords(_ count: Int) -> Int32 {
            precondition(Int(words) + count <= wordsMax, "metrics beyond the shards' spare words")
            defer { words += Int32(count) }
            return words
        }

        /// Metrics with the same bounds share them.
        mutating func place(_ wanted: [Int64]) -> Int32 {
            if let known = boundStarts[wanted] { return known }
            precondition(shards.isEmpty, "new bounds are given before the shards are made")
            defer { bounds += wanted }
            boundStarts[wanted] = Int32(bounds.count)
            return Int32(bounds.count)
        }

        mutating func append(
            _ source: Source, _ name: String, _ help: String, _ type: StaticString, _ labels: [(String, String)]
        ) {
            let series = Series(labels: MetricsRegistry.text(labels), source: source)
            if let index = families.firstIndex(where: { $0.name == name }) {
                families[index].series.append(series)
            } else {
                families.append(Family(name: name, help: help, type: type, series: [series]))
            }
        }
    }

    private let state = Locked(State())

    public init() {}

    // MARK: Describing

    /// A counter or gauge, summed over the reactors.
    /// - Parameter isSparse: the series is left out while it is 0.
    public func add(
        _ kind: MetricKind, _ name: String, _ help: String, labels: [(String, String)] = [], isSparse: Bool = false
    ) -> MetricID {
        state.withLock { state in
            let id = MetricID(word: state.takeWords(1))
            state.append(isSparse ? .sparseSum(id) : .sum(id), name, help, kind.name, labels)
            return id
        }
    }

    /// A counter or gauge of each reactor, labelled `reactor`.
    /// - Parameter scale: counted units in one written unit.
    public func addByReactor(
        _ kind: MetricKind, _ name: String, _ help: String, reactors: Int, scale: Double = 1
    ) -> MetricID {
        state.withLock { state in
            let id = MetricID(word: state.takeWords(1))
            for shard in 0..<reactors {
                state.append(.one(id, shard: shard, scale: scale), name, help, kind.name, [("reactor", "\(shard)")])
            }
            return id
        }
    }

    /// A value that is asked for at each scrape.
    public func add(
        _ kind: MetricKind, _ name: String, _ help: String, labels: [(String, String)] = [],
        read: @escaping @Sendable () -> Double
    ) {
        state.withLock { $0.append(.read(read), name, help, kind.name, labels) }
    }

    /// A histogram.
    /// - Parameters:
    ///   - bounds: upper bounds of the buckets, ascending, in the unit that is observed; +Inf is added.
    ///   - scale: observed units in one written unit.
    ///   - reactors: nil sums over the reactors; a number writes each by itself.
    ///   - isSparse: the series is left out while nothing was observed.
    public func addHistogram(
        _ name: String, _ help: String, labels: [(String, String)] = [], bounds: [Int64], scale: Double = 1,
        reactors: Int? = nil, isSparse: Bool = false
    ) -> HistogramID {
        state.withLock { state in
            let id = HistogramID(
                word: state.takeWords(bounds.count + 2), firstBound: state.place(bounds),
                boundCount: Int32(bounds.count))
            let shards: [Int?] = reactors.map { Array(0..<$0) } ?? [nil]
            for shard in shards {
                let own = shard.map { [("reactor", "\($0)")] } ?? []
                state.append(
                    .histogram(id, bounds: bounds, scale: scale, shard: shard, isSparse: isSparse), name, help,
                    "histogram", labels + own)
            }
            return id
        }
    }

    /// Words reserved for series whose labels become known later; see `LabelSet`.
    func reserve(_ kind: MetricKind, _ name: String, _ help: String, count: Int) -> Int32 {
        state.withLock { state in
            let first = state.takeWords(count)
            state.families.append(Family(name: name, help: help, type: kind.name))
            return first
        }
    }

    /// Adds a series to a reserved family.
    func addSeries(_ name: String, labels: [(String, String)], _ id: MetricID) {
        state.withLock { $0.append(.sum(id), name, "", "counter", labels) }
    }

    /// Makes the shards.
    /// - Parameter spareWords: for metrics that are described afterwards: one for a counter or gauge, two more than its
    ///   bounds for a histogram.
    public func makeShards(_ count: Int, spareWords: Int = 0) -> [MetricsShard] {
        state.withLock { state in
            state.wordsMax = Int(state.words) + spareWords
            state.shards = (0..<count).map { _ in MetricsShard(count: state.wordsMax, bounds: state.bounds) }
            return state.shards
        }
    }

    // MARK: Writing

    /// Appends all families in the text format.
    public func write(to out: inout ByteBuffer) {
        let (families, shards) = state.withLock { ($0.families, $0.shards) }
        for family in families where !family.series.isEmpty {
            out.append("# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.type)\n" as String)
            for series in family.series { Self.write(series, family.name, shards, to: &out) }
        }
    }

    private static func write(_ series: Series, _ name: String, _ shards: [MetricsShard], to out: inout ByteBuffer) {
        switch series.source {
        case .sum(let id):
            line(name, series.labels, "\(shards.reduce(0) { $0 + $1.read(id.word) })", to: &out)
        case .sparseSum(let id):
            let total = shards.reduce(0) { $0 + $1.read(id.word) }
            if total != 0 { line(name, series.labels, "\(total)", to: &out) }
        case .one(let id, let shard, let scale):
            line(name, series.labels, number(Double(shards[shard].read(id.word)) / scale), to: &out)
        case .read(let read):
            line(name, series.labels, number(read()), to: &out)
        case .histogram(let id, let bounds, let scale, let shard, let isSparse):
            let some = shard.map { [shards[$0]] } ?? shards
            if isSparse, isEmpty(id, some) { return }
            var total: Int64 = 0
            for bucket in 0...bounds.count {
                total += some.reduce(0) { $0 + $1.read(id.word + 1 + Int32(bucket)) }
                let bound = bucket < bounds.count ? number(Double(bounds[bucket]) / scale) : "+Inf"
                line(name + "_bucket", with(series.labels, "le", bound), "\(total)", to: &out)
            }
            let sum = some.reduce(0) { $0 + $1.read(id.word) }
            line(name + "_sum", series.labels, number(Double(sum) / scale), to: &out)
            line(name + "_count", series.labels, "\(total)", to: &out)
        }
    }

    private static func isEmpty(_ id: HistogramID, _ shards: [MetricsShard]) -> Bool {
        shards.allSatisfy { shard in (0...id.boundCount).allSatisfy { shard.read(id.word + 1 + $0) == 0 } }
    }

    private static func line(_ name: String, _ labels: String, _ value: String, to out: inout ByteBuffer) {
        out.append(name)
        out.append(labels)
        out.append(UInt8(ascii: " "))
        out.append(value)
        out.append(UInt8(ascii: "\n"))
    }

    private static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }

    fileprivate static func text(_ labels: [(String, String)]) -> String {
        if labels.isEmpty { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",") + "}"
    }

    private static func with(_ labels: String, _ name: String, _ value: String) -> String {
        labels.isEmpty ? "{\(name)=\"\(value)\"}" : String(labels.dropLast()) + ",\(name)=\"\(value)\"}"
    }

    private static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
