// Which tasks a worker holds, in which order.

import Reactor
import Testing

@testable import Bench

@Suite struct HeldTasksTests {
    private func take(_ held: HeldTasks, _ id: String, attempt: Int = 1, worker: Int = 0) -> Bool {
        let bytes = Array(id.utf8)
        return held.append(bytes.span.bytes, attempt: attempt, worker: worker)
    }

    private func id(_ task: HeldTask) -> String { String(decoding: task.id, as: UTF8.self) }

    @Test func `each worker's tasks stand in its own line`() {
        let held = HeldTasks(workers: 2, countMax: 4)
        for (number, worker) in [0, 1, 0, 1].enumerated() {
            #expect(take(held, "t\(number)", attempt: number, worker: worker))
        }
        #expect(!take(held, "t4"), "there is no room")
        #expect(id(held.first(of: 0)) == "t0" && id(held.first(of: 1)) == "t1")
        held.removeFirst(of: 0)
        #expect(id(held.first(of: 0)) == "t2" && held.first(of: 0).attempt == 2)
        held.removeFirst(of: 0)
        #expect(take(held, "t5") && id(held.first(of: 0)) == "t5")
        #expect(held.count == 3)
    }

    @Test func `an id that is too long, or none, is not taken`() {
        let held = HeldTasks(workers: 1, countMax: 4)
        let longest = String(repeating: "a", count: HeldTasks.idBytesMax)
        #expect(!take(held, longest + "a") && !take(held, ""))
        #expect(take(held, longest))
    }
}
