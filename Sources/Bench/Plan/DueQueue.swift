// Who is due next: a binary heap of workers by time. A pure value; its loop owns it.
// Limit: the count given at creation, for which memory is reserved once; each worker is in it at most once.

import Reactor

struct DueQueue {
    struct Entry: Equatable {
        var due: Instant
        var worker: UInt32
    }

    private var heap: [Entry] = []

    init(countMax: Int) { heap.reserveCapacity(countMax) }

    var count: Int { heap.count }
    var first: Entry? { heap.first }

    /// Entries due before `end`.
    func count(before end: Instant) -> Int { heap.count { $0.due < end } }

    mutating func insert(_ worker: UInt32, due: Instant) {
        heap.append(Entry(due: due, worker: worker))
        var at = heap.count - 1
        while at > 0 {
            let parent = (at - 1) / 2
            guard heap[at].due < heap[parent].due else { return }
            heap.swapAt(at, parent)
            at = parent
        }
    }

    /// Takes the earliest; taking from an empty queue is a bug and traps.
    mutating func removeFirst() -> Entry {
        heap.swapAt(0, heap.count - 1)
        let entry = heap.removeLast()
        var at = 0
        while true {
            var least = at
            let left = 2 * at + 1
            let right = left + 1
            if left < heap.count, heap[left].due < heap[least].due { least = left }
            if right < heap.count, heap[right].due < heap[least].due { least = right }
            if least == at { return entry }
            heap.swapAt(at, least)
            at = least
        }
    }
}
