// Spans that wait to be sent. A pure value of one reactor. Limit: `spansMax`; at it the newest are dropped and counted,
// so that what was begun to be told is told whole.

struct SpanQueue {
    static let spansMax = 4096
    /// Of one message to the collector.
    static let batchMax = 512

    private var spans: [Span] = []
    private(set) var droppedCount = 0

    var isEmpty: Bool { spans.isEmpty }
    var count: Int { spans.count }

    /// - Returns: false where there was no room.
    @discardableResult
    mutating func add(_ span: Span) -> Bool {
        guard spans.count < Self.spansMax else {
            droppedCount += 1
            return false
        }
        spans.append(span)
        return true
    }

    /// Takes out the oldest, `batchMax` at most.
    mutating func takeBatch() -> [Span] {
        let batch = Array(spans.prefix(Self.batchMax))
        spans.removeFirst(batch.count)
        return batch
    }
}
