// Which of the waiting workers of one kind asks the queue next: the rules of the long poll, without sockets and time.
// A plain value of one reactor. Limits: `waitersMax` workers, `filtersMax` different sets of platforms and tier among
// them, `claimsMax` questions out at once.
//
// Waiters of one filter stand in a line, first come first served; between lines the one who waits longest is first. A
// wake says that about n tasks became ready, and is good for n tasks, not for n questions: a waiter whose filter finds
// nothing leaves the rest of the wake to the others, and its whole line is passed over (dry) until the next wake. So a
// wake costs as many questions as it brought tasks, and one for each filter that had nothing.

struct WaitingRoom {
    static let waitersMax = 65_536
    static let filtersMax = 1024
    static let claimsMax = 64

    /// Names a waiter; stale once it has left.
    struct WaiterID: Hashable {
        var index: Int
        var generation: UInt32
    }

    private struct Waiter {
        var generation: UInt32 = 0
        var line = -1
        var previous = -1
        var next = -1
        /// Order of arrival.
        var turn: UInt64 = 0
        var isAsking = false
        /// Its question is the one it came with, which no wake has asked for.
        var isFirst = true
        /// `wakes` when it last asked.
        var askedAt: UInt64 = 0
    }

    private struct Line {
        var filter: [UInt8] = []
        var first = -1
        var last = -1
        var count = 0
        /// `wakes` when its filter found nothing; another value than now's: it may find something.
        var dryAt: UInt64 = .max
    }

    private var waiters: [Waiter] = []
    private var freeWaiters: [Int] = []
    private var lines: [Line] = []
    private var freeLines: [Int] = []
    private var lineOf: [[UInt8]: Int] = [:]
    private var turns: UInt64 = 0
    /// Wakes so far.
    private var wakes: UInt64 = 0
    /// Tasks that are probably ready for somebody here.
    private var credit = 0
    /// How many tasks are ready is not known: on until nothing more is found.
    private var isProbing = false
    /// Waiters that ask because of a wake.
    private(set) var asking = 0

    var count: Int { waiters.count - freeWaiters.count }

    /// Lets a worker in whose first question is on its way.
    /// - Parameter filter: equal bytes for those who can take the same tasks.
    /// - Returns: nil where there is no room.
    mutating func enter(filter: [UInt8]) -> WaiterID? {
        guard count < Self.waitersMax, let line = line(for: filter) else { return nil }
        let index = freeWaiters.popLast() ?? waiters.count
        if index == waiters.count { waiters.append(Waiter()) }
        turns += 1
        waiters[index].line = line
        waiters[index].turn = turns
        waiters[index].isAsking = true
        waiters[index].askedAt = wakes
        waiters[index].previous = lines[line].last
        waiters[index].next = -1
        if lines[line].last >= 0 { waiters[lines[line].last].next = index } else { lines[line].first = index }
        lines[line].last = index
        lines[line].count += 1
        return WaiterID(index: index, generation: waiters[index].generation)
    }

    private mutating func line(for filter: [UInt8]) -> Int? {
        if let known = lineOf[filter] { return known }
        guard lineOf.count < Self.filtersMax else { return nil }
        let index = freeLines.popLast() ?? lines.count
        if index == lines.count { lines.append(Line()) }
        lines[index] = Line(filter: filter)
        lineOf[filter] = index
        return index
    }

    func isHere(_ id: WaiterID) -> Bool {
        id.index < waiters.count && waiters[id.index].line >= 0 && waiters[id.index].generation == id.generation
    }

    func isAsking(_ id: WaiterID) -> Bool { isHere(id) && waiters[id.index].isAsking }

    /// Who is at an index now; nil where nobody is.
    func waiter(at index: Int) -> WaiterID? {
        guard index < waiters.count, waiters[index].line >= 0 else { return nil }
        return WaiterID(index: index, generation: waiters[index].generation)
    }

    /// Lets a worker out: it was given something, has waited long enough, or is gone.
    mutating func leave(_ id: WaiterID) {
        guard isHere(id) else { return }
        let waiter = waiters[id.index]
        if waiter.isAsking, !waiter.isFirst { asking -= 1 }
        if waiter.previous >= 0 {
            waiters[waiter.previous].next = waiter.next
        } else {
            lines[waiter.line].first = waiter.next
        }
        if waiter.next >= 0 {
            waiters[waiter.next].previous = waiter.previous
        } else {
            lines[waiter.line].last = waiter.previous
        }
        lines[waiter.line].count -= 1
        if lines[waiter.line].count == 0 {
            lineOf[lines[waiter.line].filter] = nil
            lines[waiter.line] = Line()
            freeLines.append(waiter.line)
        }
        waiters[id.index] = Waiter(generation: waiter.generation &+ 1)
        freeWaiters.append(id.index)
        settle()
    }

    // MARK: What happens

    /// About `tasks` tasks became ready.
    mutating func wake(tasks: Int) {
        wakes += 1
        guard tasks > 0, count > 0 else { return }
        credit = min(credit + tasks, Self.waitersMax)
    }

    /// Something may be ready: word of it may have been lost.
    mutating func probe() {
        wakes += 1
        guard count > 0 else { return }
        credit = max(credit, 1)
        isProbing = true
    }

    /// A question came back with so many tasks. With some the waiter leaves next; with none it waits on in its place.
    mutating func answered(_ id: WaiterID, tasks: Int) {
        guard isHere(id), waiters[id.index].isAsking else { return }
        let isFirst = waiters[id.index].isFirst
        waiters[id.index].isAsking = false
        waiters[id.index].isFirst = false
        if !isFirst { asking -= 1 }
        if tasks > 0 {
            if !isFirst { credit = max(isProbing ? 1 : 0, credit - tasks) }
        } else if waiters[id.index].askedAt == wakes {
            lines[waiters[id.index].line].dryAt = wakes
        } else {
            // Asked before the last wake: it may have been for this one.
            credit = max(credit, 1)
        }
        settle()
    }

    /// Who asks next; nil where nobody should now.
    mutating func next() -> WaiterID? {
        guard asking < min(credit, Self.claimsMax), let index = longestWaiting() else { return nil }
        waiters[index].isAsking = true
        waiters[index].askedAt = wakes
        asking += 1
        return WaiterID(index: index, generation: waiters[index].generation)
    }

    /// Everybody here, in no particular order.
    var everybody: [WaiterID] {
        waiters.indices.compactMap { waiter(at: $0) }
    }

    private func longestWaiting() -> Int? {
        var chosen = -1
        for line in lines where line.count > 0 && line.dryAt != wakes {
            // Those who ask already stand at the front: at most `claimsMax` are passed.
            var index = line.first
            while index >= 0, waiters[index].isAsking { index = waiters[index].next }
            if index >= 0, chosen < 0 || waiters[index].turn < waiters[chosen].turn { chosen = index }
        }
        return chosen >= 0 ? chosen : nil
    }

    /// What is left of a wake that nobody here can use is forgotten.
    private mutating func settle() {
        guard credit > 0, asking == 0, longestWaiting() == nil else { return }
        credit = 0
        isProbing = false
    }
}
