// Series of families whose label values come up while the process runs: platforms. Bounded, so that nobody can grow
// the page without limit. Shared by all reactors; each keeps a `LabelCache`, so that a known value costs no lock.

/// Values of one label, in order of appearance; beyond `valuesMax` all are `other`.
public final class LabelSet: Sendable {
    public static let otherValue = "other"

    private struct Family: Sendable {
        var name: String
        var firstWord: Int32
        /// Labels that come before the value's: kind, status.
        var fixed: [[(String, String)]]
    }

    private struct Values: Sendable {
        var names: [String] = []
        /// `other` has been described.
        var hasOther = false
    }

    private let registry: MetricsRegistry
    private let label: String
    public let valuesMax: Int
    private let families: Locked<[Family]> = Locked([])
    private let values = Locked(Values())

    /// - Parameter valuesMax: values besides `other`.
    public init(_ registry: MetricsRegistry, label: String, valuesMax: Int) {
        self.registry = registry
        self.label = label
        self.valuesMax = valuesMax
    }

    /// Adds a family of which each value has one series for each set of `fixed` labels. Before the shards are made.
    /// - Returns: its number, for `LabelCache.metric`.
    public func addFamily(_ kind: MetricKind, _ name: String, _ help: String, fixed: [[(String, String)]]) -> Int {
        let first = registry.reserve(kind, name, help, count: fixed.count * (valuesMax + 1))
        return families.withLock { families in
            families.append(Family(name: name, firstWord: first, fixed: fixed))
            return families.count - 1
        }
    }

    /// The values that have series, `other` with them once it has some.
    public var known: [String] { values.withLock { $0.names + ($0.hasOther ? [Self.otherValue] : []) } }

    /// The position of a value: its own, or that of `other` when the set is full. Takes a lock: ask once a value.
    func position(of value: String) -> Int {
        let (position, isNew) = values.withLock { values in
            // A value that is called so counts with the others: two series of one name would break the page.
            if value != Self.otherValue {
                if let known = values.names.firstIndex(of: value) { return (known, false) }
                if values.names.count < valuesMax {
                    values.names.append(value)
                    return (values.names.count - 1, true)
                }
            }
            defer { values.hasOther = true }
            return (valuesMax, !values.hasOther)
        }
        if isNew { describe(position < valuesMax ? value : Self.otherValue, position) }
        return position
    }

    private func describe(_ value: String, _ position: Int) {
        for family in families.withLock({ $0 }) {
            for (index, labels) in family.fixed.enumerated() {
                let word = family.firstWord + Int32(position * family.fixed.count + index)
                registry.addSeries(family.name, labels: labels + [(label, value)], MetricID(word: word))
            }
        }
    }

    fileprivate func layout() -> [(firstWord: Int32, fixedCount: Int)] {
        families.withLock { $0.map { ($0.firstWord, $0.fixed.count) } }
    }
}

/// One reactor's memory of a label set's values: finds a known one by its bytes, without lock or allocation.
public struct LabelCache {
    private let set: LabelSet
    private let layout: [(firstWord: Int32, fixedCount: Int)]
    private var names: [UInt8] = []
    private var ends: [Int] = []
    private var positions: [Int] = []

    /// - Parameter set: has all its families.
    public init(_ set: LabelSet) {
        self.set = set
        layout = set.layout()
    }

    /// The series of a value in a family.
    /// - Parameter fixed: which of the family's fixed label sets.
    public mutating func metric(family: Int, fixed: Int, value: RawSpan) -> MetricID {
        let (firstWord, fixedCount) = layout[family]
        return MetricID(word: firstWord + Int32(position(of: value) * fixedCount + fixed))
    }

    private mutating func position(of value: RawSpan) -> Int {
        var start = 0
        for index in ends.indices {
            if ends[index] - start == value.byteCount, isName(at: start, value) { return positions[index] }
            start = ends[index]
        }
        let position = set.position(of: value.string)
        // Values beyond the bound are not kept: they would grow this list without limit.
        guard position < set.valuesMax else { return position }
        for offset in 0..<value.byteCount { names.append(value.byte(at: offset)) }
        ends.append(names.count)
        positions.append(position)
        return position
    }

    private func isName(at start: Int, _ value: RawSpan) -> Bool {
        for offset in 0..<value.byteCount where names[start + offset] != value.byte(at: offset) { return false }
        return true
    }
}
