// The results that go to PostgreSQL in one statement: rows gathered from several requests, one winner for each key.
// A pure value of one `ResultBatch`; its storage is reused. Limits: `rowsMax` rows, `bytesMax` bytes (one row may go
// over, since a row alone is always accepted).

import Reactor

/// One result inside a chunk; ranges lie in the chunk's bytes, escapes undone.
struct ResultRow {
    /// Whose request it came with, and its position there.
    var submission: SlotID
    var item: Int32
    var taskID: ByteRange
    var recordID: ByteRange
    var platform: ByteRange
    var state: ByteRange
    var county: ByteRange
    var data: ByteRange
    var rawHTMLHash: ByteRange?
    var worker: ByteRange
    var scrapedAtUs: Int64
    var parseDurationMs: Int32
    var attempt: Int32?
    var keyHash: UInt64 = 0
    /// The row of the same key in this chunk that is written in place of this one; -1: this one is written.
    var supersededBy: Int32 = -1
    var outcome = Outcome.pending

    enum Outcome: UInt8 {
        case pending, inserted, updated, stale, failed
        /// PostgreSQL went away with it: unknown, so its request is not acknowledged.
        case unknown
    }
}

struct ResultChunk: ~Copyable {
    static let rowsMax = 64
    static let bytesMax = 1024 * 1024
    private static var tableSize: Int { 128 }

    private(set) var rows: [ResultRow] = []
    private(set) var bytes = ByteBuffer()
    /// Open addressing by key hash: row + 1, or 0.
    private var table = InlineArray<128, UInt8>(repeating: 0)
    /// Rows to be written, ordered by key hash: concurrent batches lock common rows in one order and cannot deadlock.
    private(set) var order: [UInt8] = []

    var isFull: Bool { rows.count == Self.rowsMax || bytes.count >= Self.bytesMax }

    mutating func clear() {
        rows.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
        bytes.clear()
        table = InlineArray(repeating: 0)
    }

    /// Copies one result in. The chunk must not be full.
    mutating func add(
        _ result: ParcelResult, of body: RawSpan, worker: RawSpan, submission: SlotID, item: Int, arrivedUs: Int64
    ) {
        let row = ResultRow(
            submission: submission, item: Int32(item), taskID: keep(result.taskID, body),
            recordID: keep(result.recordID, body), platform: keep(result.platform, body),
            state: keep(result.state, body), county: keep(result.county, body), data: keep(body.slice(result.data)),
            rawHTMLHash: result.rawHTMLHash.map { keep($0, body) }, worker: keep(worker),
            scrapedAtUs: result.scrapedAt?.microsSinceEpoch ?? arrivedUs,
            parseDurationMs: Int32(result.parseDurationMs), attempt: result.attempt.map { Int32($0) })
        insert(row)
    }

    /// Copies a row of another chunk in: one that was superseded by a row which then failed.
    mutating func add(_ other: ResultRow, of bytes: RawSpan) {
        var row = other
        row.taskID = keep(bytes.slice(other.taskID))
        row.recordID = keep(bytes.slice(other.recordID))
        row.platform = keep(bytes.slice(other.platform))
        row.state = keep(bytes.slice(other.state))
        row.county = keep(bytes.slice(other.county))
        row.data = keep(bytes.slice(other.data))
        row.rawHTMLHash = other.rawHTMLHash.map { keep(bytes.slice($0)) }
        row.worker = keep(bytes.slice(other.worker))
        row.supersededBy = -1
        insert(row)
    }

    private mutating func keep(_ string: JSONString, _ body: RawSpan) -> ByteRange {
        let start = bytes.count
        bytes.append(string, from: body)
        return ByteRange(offset: start, count: bytes.count - start)
    }

    private mutating func keep(_ span: RawSpan) -> ByteRange {
        let range = ByteRange(offset: bytes.count, count: span.byteCount)
        bytes.append(span)
        return range
    }

    /// Appends a row and settles which of its key is written: the newest, of equals the last.
    private mutating func insert(_ new: ResultRow) {
        precondition(rows.count < Self.rowsMax, "added to a full chunk")
        var row = new
        row.keyHash = hash(row)
        let index = rows.count
        var slot = Int(truncatingIfNeeded: row.keyHash) & (Self.tableSize - 1)
        while table[slot] != 0 {
            let other = Int(table[slot]) - 1
            if rows[other].keyHash == row.keyHash, isSameKey(rows[other], row) {
                if rows[other].scrapedAtUs > row.scrapedAtUs {
                    row.supersededBy = Int32(other)
                    rows.append(row)
                    return
                }
                rows[other].supersededBy = Int32(index)
                break
            }
            slot = (slot + 1) & (Self.tableSize - 1)
        }
        table[slot] = UInt8(index + 1)
        rows.append(row)
    }

    private func isSameKey(_ a: ResultRow, _ b: ResultRow) -> Bool {
        let bytes = bytes.bytes
        return bytes.slice(a.recordID).hasSameBytes(as: bytes.slice(b.recordID))
            && bytes.slice(a.platform).hasSameBytes(as: bytes.slice(b.platform))
            && bytes.slice(a.state).hasSameBytes(as: bytes.slice(b.state))
            && bytes.slice(a.county).hasSameBytes(as: bytes.slice(b.county))
    }

    /// FNV-1a over the key's four names; the same in every process, since it gives the order of locks.
    private func hash(_ row: ResultRow) -> UInt64 {
        let bytes = bytes.bytes
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        bytes.slice(row.recordID).fnv1a(into: &hash)
        bytes.slice(row.platform).fnv1a(into: &hash)
        bytes.slice(row.state).fnv1a(into: &hash)
        bytes.slice(row.county).fnv1a(into: &hash)
        return hash ^ hash >> 32
    }

    /// Settles `order` before the chunk departs.
    mutating func close() {
        order.removeAll(keepingCapacity: true)
        for index in rows.indices where rows[index].supersededBy < 0 { order.append(UInt8(index)) }
        sortOrder()
    }

    /// By insertion: the library's sort allocates at this length, and 64 bytes are moved in no time.
    private mutating func sortOrder() {
        for end in order.indices.dropFirst() {
            let row = order[end]
            let hash = rows[Int(row)].keyHash
            var at = end
            while at > 0, rows[Int(order[at - 1])].keyHash > hash {
                order[at] = order[at - 1]
                at -= 1
            }
            order[at] = row
        }
    }

    /// The row at a position of `order`.
    func row(at position: Int) -> ResultRow { rows[Int(order[position])] }

    mutating func settle(_ index: Int, _ outcome: ResultRow.Outcome) { rows[index].outcome = outcome }

    /// The written row that stands for `index`, itself where it is written.
    func winner(of index: Int) -> Int {
        var index = index
        while rows[index].supersededBy >= 0 { index = Int(rows[index].supersededBy) }
        return index
    }

    /// Gives superseded rows their outcome, once those that were written have theirs: older is stale, equal an update.
    /// A row whose winner failed stays pending: it must be tried itself.
    mutating func settleSuperseded() {
        for index in rows.indices where rows[index].supersededBy >= 0 {
            let winner = rows[winner(of: index)]
            switch winner.outcome {
            case .inserted, .updated, .stale:
                rows[index].outcome = winner.scrapedAtUs > rows[index].scrapedAtUs ? .stale : .updated
            case .unknown: rows[index].outcome = .unknown
            case .failed, .pending: rows[index].outcome = .pending
            }
        }
    }
}

extension RawSpan {
    fileprivate func fnv1a(into hash: inout UInt64) {
        for offset in 0..<byteCount { hash = (hash ^ UInt64(byte(at: offset))) &* 0x100_0000_01b3 }
        // A byte that no UTF-8 holds ends the name: "ab","c" is another key than "a","bc".
        hash = (hash ^ 0xff) &* 0x100_0000_01b3
    }
}
