// One results request while its items are with PostgreSQL and Redis: how each ended, and the answer made of it.
// A value in the slab of one `ResultBatch`. Limit: `errorsMax` messages in `errors`; `failures` names every failed item.

import Reactor

struct ResultSubmission: ~Copyable {
    static let errorsMax = 10

    let exchange: SlotID
    /// Items that have no outcome yet.
    var pending: Int
    var inserted = 0
    var updated = 0
    var stale = 0
    var failed = 0
    /// The request as a whole cannot be acknowledged.
    var problem: Problem?
    /// Elements of the two lists of the answer, with their commas.
    private var errors = ByteBuffer()
    /// Elements of `errors`; failed items are counted later, when all of a chunk is settled.
    private var errorCount = 0
    private var failures = ByteBuffer()

    init(exchange: SlotID, items: Int) {
        self.exchange = exchange
        pending = items
    }

    mutating func count(_ outcome: ResultRow.Outcome) {
        pending -= 1
        switch outcome {
        case .inserted: inserted += 1
        case .updated: updated += 1
        case .stale: stale += 1
        case .failed: failed += 1
        case .pending, .unknown: break
        }
    }

    /// Notes why an item failed. `taskID` and `recordID` are text, as they were meant.
    mutating func note(
        item: Int, taskID: RawSpan, recordID: RawSpan, key: ResultKey, code: StaticString, message: RawSpan
    ) {
        if !failures.isEmpty { failures.append(UInt8(ascii: ",")) }
        failures.append("{\"index\":")
        failures.append(decimal: item)
        failures.append(",\"task_id\":")
        failures.append(jsonString: taskID)
        failures.append(",\"")
        failures.append(key.field)
        failures.append("\":")
        failures.append(jsonString: recordID)
        failures.append(",\"code\":\"")
        failures.append(code)
        failures.append("\",\"message\":")
        failures.append(jsonString: message)
        failures.append("}")
        guard errorCount < Self.errorsMax else { return }
        errorCount += 1
        if !errors.isEmpty { errors.append(UInt8(ascii: ",")) }
        var text = ByteBuffer(capacity: 128)
        text.append("results[")
        text.append(decimal: item)
        text.append("]: ")
        text.append(message)
        errors.append(jsonString: text.bytes)
    }

    func writeAnswer(to out: inout ByteBuffer) {
        out.append("{\"inserted\":")
        out.append(decimal: inserted)
        out.append(",\"updated\":")
        out.append(decimal: updated)
        out.append(",\"stale\":")
        out.append(decimal: stale)
        out.append(",\"failed\":")
        out.append(decimal: failed)
        out.append(",\"errors\":[")
        out.append(errors.bytes)
        out.append("],\"failures\":[")
        out.append(failures.bytes)
        out.append("]}")
    }
}
