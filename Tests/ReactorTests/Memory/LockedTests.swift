import Testing

@testable import Reactor

@Suite struct LockedTests {
    @Test func `one thread at a time has the value`() {
        let threads = 4
        let rounds = 10_000
        let total = Locked(0)
        let latch = Latch(threads)
        let pool = BlockingPool(name: "locked", threads: threads)
        defer { pool.close() }
        for _ in 0..<threads {
            let refusal = pool.submit {
                for _ in 0..<rounds { total.withLock { $0 += 1 } }
                latch.countDown()
            }
            #expect(refusal == nil)
        }
        latch.wait()
        #expect(total.withLock { $0 } == threads * rounds)
    }

    @Test func `what the body throws leaves the lock free`() {
        struct Refusal: Error {}
        let value = Locked([1])
        #expect(throws: Refusal.self) {
            try value.withLock { (list: inout sending [Int]) throws(Refusal) in
                list.append(2)
                throw Refusal()
            }
        }
        #expect(value.withLock { $0 } == [1, 2])
    }
}
