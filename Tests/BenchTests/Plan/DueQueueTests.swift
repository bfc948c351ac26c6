// Who is due next.

import Reactor
import TestSupport
import Testing

@testable import Bench

@Suite struct DueQueueTests {
    @Test func `entries come out by time, whatever the order they went in`() {
        var random = RandomSource(seed: 11)
        var queue = DueQueue(countMax: 500)
        var expected: [Int64] = []
        for worker in 0..<500 {
            let time = Int64(random.int(in: 0...200))
            expected.append(time)
            queue.insert(UInt32(worker), due: Instant(nanoseconds: time))
            // Some leave in between.
            if worker % 7 == 6 {
                let first = queue.removeFirst().due.nanoseconds
                #expect(first == expected.min())
                expected.remove(at: expected.firstIndex(of: first)!)
            }
        }
        #expect(queue.count(before: Instant(nanoseconds: 100)) == expected.count { $0 < 100 })
        for time in expected.sorted() { #expect(queue.removeFirst().due.nanoseconds == time) }
        #expect(queue.count == 0 && queue.first == nil)
    }
}
