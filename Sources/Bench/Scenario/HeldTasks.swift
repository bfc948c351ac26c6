// The tasks that simulated workers hold: each worker's in a line, first come first finished.
// Owned by one scenario. Limits: `countMax` tasks at once, ids of `idBytesMax` bytes; a task beyond is not taken.

import Reactor

/// A task's id and attempt, as the pull said.
struct HeldTask {
    var id = InlineArray<128, UInt8>(repeating: 0)
    var idBytes = 0
    var attempt = 0
    /// The next in its worker's line.
    fileprivate var next = HeldTasks.none
}

struct HeldTasks: ~Copyable {
    static let idBytesMax = 128
    static let none = UInt32.max

    private let tasks: Slab<HeldTask>
    /// Ends of each worker's line; `none` where it holds nothing.
    private var firsts: [UInt32]
    private var lasts: [UInt32]

    init(workers: Int, countMax: Int) {
        tasks = Slab(countMax: countMax)
        firsts = Array(repeating: Self.none, count: workers)
        lasts = firsts
    }

    var count: Int { tasks.count }

    /// False where the id is too long or there is no room.
    mutating func append(_ id: RawSpan, attempt: Int, worker: Int) -> Bool {
        guard id.byteCount > 0, id.byteCount <= Self.idBytesMax else { return false }
        var task = HeldTask()
        for at in 0..<id.byteCount { task.id[at] = id.byte(at: at) }
        task.idBytes = id.byteCount
        task.attempt = attempt
        guard let slot = tasks.insert(task) else { return false }
        if firsts[worker] == Self.none {
            firsts[worker] = slot.index
        } else {
            tasks.at(lasts[worker]).pointee.next = slot.index
        }
        lasts[worker] = slot.index
        return true
    }

    /// The task that a worker finishes next; a worker without one is a bug and traps.
    func first(of worker: Int) -> HeldTask {
        precondition(firsts[worker] != Self.none, "a worker without a task finishes one")
        return tasks.at(firsts[worker]).pointee
    }

    mutating func removeFirst(of worker: Int) {
        precondition(firsts[worker] != Self.none, "a worker without a task has finished one")
        let task = tasks.remove(firsts[worker])
        firsts[worker] = task.next
        if task.next == Self.none { lasts[worker] = Self.none }
    }
}

extension ByteBuffer {
    /// Appends a task's id as it is.
    mutating func append(idOf task: borrowing HeldTask) {
        for at in 0..<task.idBytes { append(task.id[at]) }
    }

    /// Appends a task's id as a segment of a path.
    mutating func append(pathSegmentOf task: borrowing HeldTask) {
        for at in 0..<task.idBytes {
            let byte = task.id[at]
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
