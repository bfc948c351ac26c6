// The tasks that simulated workers hold: each worker's in a line, first come first finished.
// Owned by one scenario. Limits: `countMax` tasks at once, ids of `idBytesMax` bytes; a task beyond is not taken.

import Reactor

/// A task's id and attempt, as the pull said.
struct HeldTask {
    var id: [UInt8]
    var attempt: Int
}

final class HeldTasks {
    static let idBytesMax = 128
    private static let none = UInt32.max

    struct Entry {
        var attempt: Int
        /// The next in its worker's line.
        var next = UInt32.max
    }

    private let entries: Slab<Entry>
    /// By slot; an id's memory is used again by the slot's next task.
    private var ids: [[UInt8]] = []
    /// Ends of each worker's line; `none` where it holds nothing.
    private var firsts: [UInt32]
    private var lasts: [UInt32]

    init(workers: Int, countMax: Int) {
        entries = Slab(countMax: countMax)
        firsts = Array(repeating: Self.none, count: workers)
        lasts = firsts
    }

    var count: Int { entries.count }

    /// False where the id is too long or there is no room.
    func append(_ id: RawSpan, attempt: Int, worker: Int) -> Bool {
        guard id.byteCount > 0, id.byteCount <= Self.idBytesMax else { return false }
        guard let slot = entries.insert(Entry(attempt: attempt)) else { return false }
        let index = Int(slot.index)
        while ids.count <= index { ids.append([]) }
        ids[index].removeAll(keepingCapacity: true)
        for at in 0..<id.byteCount { ids[index].append(id.byte(at: at)) }
        if firsts[worker] == Self.none {
            firsts[worker] = slot.index
        } else {
            entries.at(lasts[worker]).pointee.next = slot.index
        }
        lasts[worker] = slot.index
        return true
    }

    /// The task that a worker finishes next; a worker without one is a bug and traps.
    func first(of worker: Int) -> HeldTask {
        precondition(firsts[worker] != Self.none, "a worker without a task finishes one")
        let slot = firsts[worker]
        return HeldTask(id: ids[Int(slot)], attempt: entries.at(slot).pointee.attempt)
    }

    func removeFirst(of worker: Int) {
        precondition(firsts[worker] != Self.none, "a worker without a task has finished one")
        let entry = entries.remove(firsts[worker])
        firsts[worker] = entry.next
        if entry.next == Self.none { lasts[worker] = Self.none }
    }
}

extension ByteBuffer {
    /// Appends a task's id as a segment of a path.
    mutating func append(pathSegment id: [UInt8]) {
        for byte in id {
            let isPlain =
                (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            if isPlain {
                append(byte)
            } else {
                append(UInt8(ascii: "%"))
                append(Self.hexDigit(byte >> 4))
                append(Self.hexDigit(byte & 15))
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
