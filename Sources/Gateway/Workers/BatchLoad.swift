// What gathers for one flight of a batch: entries, and the bytes they point into. Owned by a batch of one reactor.
// Its storage is kept from flight to flight, so that a steady load allocates nothing.

import Reactor

/// The policy of every batch: while one flight is out, arrivals gather; when it returns, all that gathered goes.
enum BatchGate {
    /// Whether what has gathered may depart now.
    static func mayDepart(gathered: Int, inFlight: Int, flightsMax: Int = 1) -> Bool {
        gathered > 0 && inFlight < flightsMax
    }
}

struct BatchLoad<Entry>: ~Copyable {
    var entries: [Entry] = []
    var bytes = ByteBuffer()

    var isEmpty: Bool { entries.isEmpty }

    /// Copies bytes in; the range is theirs inside `bytes`.
    mutating func keep(_ span: RawSpan) -> ByteRange {
        let range = ByteRange(offset: bytes.count, count: span.byteCount)
        bytes.append(span)
        return range
    }

    mutating func clear() {
        entries.removeAll(keepingCapacity: true)
        bytes.clear()
    }
}
