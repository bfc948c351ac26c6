// One chunk of results on its way: gathering, written by PostgreSQL (in one statement, or in parts where the server
// refused some row), finished in Redis, released. A reusable object of one `ResultBatch`.

import Reactor

final class ResultFlight {
    /// Position in the batch's list of flights: what the two clients carry as their tag.
    let id: Int
    var chunk = ResultChunk()
    /// Ranges of the chunk's `order` still to be written; the last one is next, or out.
    var groups: [Range<Int>] = []
    var departed = Instant(nanoseconds: 0)
    /// Which of the batch's sessions writes it.
    var session = 0
    var deadlockRetries = 0
    /// Rows that the finish call names, in its order.
    var finishing: [UInt8] = []

    init(id: Int) { self.id = id }

    /// Ends the gathering: all winners are one group.
    func close(now: Instant) {
        chunk.close()
        groups.removeAll(keepingCapacity: true)
        groups.append(0..<chunk.order.count)
        deadlockRetries = 0
        departed = now
    }

    /// The server refused the group that was out for the data in it: halves it, or names the guilty row.
    func split() -> Int? {
        let group = groups.removeLast()
        if group.count == 1 { return Int(chunk.order[group.lowerBound]) }
        let middle = group.lowerBound + group.count / 2
        groups.append(middle..<group.upperBound)
        groups.append(group.lowerBound..<middle)
        return nil
    }

    /// Marks the group that was out: `returned` are the rows that changed the table, the rest was stale.
    func settleStale() {
        for position in groups.removeLast() {
            let row = Int(chunk.order[position])
            if chunk.rows[row].outcome == .pending { chunk.settle(row, .stale) }
        }
    }

    /// PostgreSQL or Redis went away: what has no outcome will not get one.
    func settleUnknown() {
        groups.removeAll(keepingCapacity: true)
        for row in chunk.rows.indices where chunk.rows[row].outcome == .pending { chunk.settle(row, .unknown) }
    }

    /// Settles the superseded and lists whose tasks are to be finished: every row that is stored or stale.
    func prepareFinish() {
        chunk.settleSuperseded()
        finishing.removeAll(keepingCapacity: true)
        for row in chunk.rows.indices {
            switch chunk.rows[row].outcome {
            case .inserted, .updated, .stale: finishing.append(UInt8(row))
            case .pending, .failed, .unknown: break
            }
        }
    }

    func clear() {
        chunk.clear()
        groups.removeAll(keepingCapacity: true)
    }
}
