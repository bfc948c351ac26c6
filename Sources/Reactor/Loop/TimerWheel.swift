// A hierarchical timer wheel: schedule and cancel in O(1), the next expiry from bit masks.
// A pure value that takes `now`; its reactor owns it. Limits: `levelCount` levels of 64 slots, ticks of 2^20 ns,
// so a timer lies at most 64^6 ticks (two years) ahead; a later one is clamped.
// Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987.

/// Names one scheduled timer; stale once it has fired or been cancelled.
public struct TimerID: Equatable, Sendable {
    var index: UInt32
    var generation: UInt32

    /// Never scheduled: cancelling it does nothing.
    public static var none: TimerID { TimerID(index: .max, generation: 0) }
}

/// Timers that carry a `Payload`, ordered by deadline to within one tick (about a millisecond, never early).
struct TimerWheel<Payload> {
    private struct Node {
        var deadlineTick: Int64
        var previous: Int32
        var next: Int32
        /// Which list holds the node: a slot, `dueList`, or `freeList`.
        var list: Int32
        var generation: UInt32
        var payload: Payload?
    }

    private static var levelCount: Int { 6 }
    private static var slotBits: Int { 6 }
    private static var slotCount: Int { 64 }
    private static var dueList: Int32 { Int32(levelCount * slotCount) }
    private static var freeList: Int32 { -1 }

    private var nodes: [Node] = []
    private var heads: [Int32]
    private var occupied: [UInt64]
    private var firstFree: Int32 = -1
    private var elapsedTick: Int64
    private(set) var count = 0

    init(now: Instant) {
        elapsedTick = Self.tick(now)
        heads = Array(repeating: -1, count: Self.levelCount * Self.slotCount + 1)
        occupied = Array(repeating: 0, count: Self.levelCount)
    }

    private static func tick(_ instant: Instant) -> Int64 { instant.nanoseconds >> 20 }

    /// Schedules `payload` for the first turn at or after `deadline`.
    mutating func schedule(at deadline: Instant, _ payload: Payload) -> TimerID {
        let index: Int32
        if firstFree >= 0 {
            index = firstFree
            firstFree = nodes[Int(index)].next
        } else {
            index = Int32(nodes.count)
            nodes.append(
                Node(deadlineTick: 0, previous: -1, next: -1, list: Self.freeList, generation: 0, payload: nil))
        }
        nodes[Int(index)].payload = payload
        // One tick up: a deadline inside a tick must not fire at the tick's start.
        nodes[Int(index)].deadlineTick = Self.tick(deadline) + 1
        place(index)
        count += 1
        return TimerID(index: UInt32(index), generation: nodes[Int(index)].generation)
    }

    /// Takes a timer out; false if it has fired, been cancelled, or never was.
    @discardableResult
    mutating func cancel(_ id: TimerID) -> Bool {
        guard id.index < UInt32(nodes.count) else { return false }
        let node = nodes[Int(id.index)]
        guard node.generation == id.generation, node.list != Self.freeList else { return false }
        unlink(Int32(id.index))
        release(Int32(id.index))
        return true
    }

    /// The next payload whose deadline lies at or before `now`, or nil when none is left.
    mutating func popDue(now: Instant) -> Payload? {
        let nowTick = Self.tick(now)
        while true {
            let due = heads[Int(Self.dueList)]
            if due >= 0 {
                unlink(due)
                let payload = nodes[Int(due)].payload
                release(due)
                return payload
            }
            guard let (slot, level, deadline) = nextOccupied(), deadline <= nowTick else {
                elapsedTick = max(elapsedTick, nowTick)
                return nil
            }
            elapsedTick = max(elapsedTick, deadline)
            cascade(slot: slot, level: level)
        }
    }

    /// When the loop must look again: not later than the earliest deadline, perhaps earlier (a slot to be spread).
    func nextWakeUp() -> Instant? {
        if heads[Int(Self.dueList)] >= 0 { return Instant(nanoseconds: elapsedTick << 20) }
        return nextOccupied().map { Instant(nanoseconds: $0.deadline << 20) }
    }

    private func nextOccupied() -> (slot: Int, level: Int, deadline: Int64)? {
        for level in 0..<Self.levelCount where occupied[level] != 0 {
            let shift = level * Self.slotBits
            let current = Int(elapsedTick >> shift) & (Self.slotCount - 1)
            let mask = occupied[level]
            let rotated = current == 0 ? mask : (mask >> current) | (mask << (Self.slotCount - current))
            let slot = (rotated.trailingZeroBitCount + current) & (Self.slotCount - 1)
            let range = Int64(1) << (shift + Self.slotBits)
            var deadline = (elapsedTick & ~(range - 1)) + Int64(slot) << shift
            if deadline < elapsedTick, slot != current { deadline += range }
            return (slot, level, max(deadline, elapsedTick))
        }
        return nil
    }

    /// Spreads one slot over the finer levels, or makes it due.
    private mutating func cascade(slot: Int, level: Int) {
        let list = level * Self.slotCount + slot
        while heads[list] >= 0 {
            let index = heads[list]
            unlink(index)
            place(index)
        }
    }

    private mutating func place(_ index: Int32) {
        let deadline = nodes[Int(index)].deadlineTick
        guard deadline > elapsedTick else { return link(index, into: Self.dueList) }
        let difference = UInt64((deadline ^ elapsedTick) | Int64(Self.slotCount - 1))
        var level = (63 - difference.leadingZeroBitCount) / Self.slotBits
        var tick = deadline
        if level >= Self.levelCount {
            level = Self.levelCount - 1
            // Beyond the top level's turn: perhaps far, perhaps just behind it. Never later than the deadline.
            tick = min(deadline, elapsedTick + Int64(Self.slotCount - 1) << (level * Self.slotBits))
        }
        let slot = Int(tick >> (level * Self.slotBits)) & (Self.slotCount - 1)
        occupied[level] |= 1 << UInt64(slot)
        link(index, into: Int32(level * Self.slotCount + slot))
    }

    private mutating func link(_ index: Int32, into list: Int32) {
        let head = heads[Int(list)]
        nodes[Int(index)].list = list
        nodes[Int(index)].previous = -1
        nodes[Int(index)].next = head
        if head >= 0 { nodes[Int(head)].previous = index }
        heads[Int(list)] = index
    }

    private mutating func unlink(_ index: Int32) {
        let node = nodes[Int(index)]
        if node.previous >= 0 { nodes[Int(node.previous)].next = node.next } else { heads[Int(node.list)] = node.next }
        if node.next >= 0 { nodes[Int(node.next)].previous = node.previous }
        if heads[Int(node.list)] < 0, node.list != Self.dueList {
            occupied[Int(node.list) / Self.slotCount] &= ~(1 << UInt64(Int(node.list) % Self.slotCount))
        }
    }

    private mutating func release(_ index: Int32) {
        nodes[Int(index)].payload = nil
        nodes[Int(index)].generation &+= 1
        nodes[Int(index)].list = Self.freeList
        nodes[Int(index)].next = firstFree
        firstFree = index
        count -= 1
    }
}
