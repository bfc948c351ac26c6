// The helper threads: bounded, in order, and back on the caller's executor.

import Foundation
import Reactor
import Synchronization
import TestSupport
import Testing

/// Holds jobs until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func pass() { semaphore.wait() }
    func open(times: Int) { for _ in 0..<times { semaphore.signal() } }
}

/// Counts how many jobs run at once.
private final class Meter: Sendable {
    private let running = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)
    var most: Int { highest.load(ordering: .relaxed) }

    func run() {
        highest.max(running.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
        sched_yield()
        running.subtract(1, ordering: .relaxed)
    }
}

@Suite struct BlockingPoolTests {
    @Test func `a job runs on a helper thread and its value comes back on the reactor`() async throws {
        let pool = BlockingPool(name: "test", threads: 2)
        defer { pool.close() }
        let thread = ReactorThread(try Reactor(testDescriptorsMax: 16)) { _ in }
        let reactor = thread.reactor
        let wheres = await withCheckedContinuation { continuation in
            reactor.spawn {
                let before = reactor.executor.isCurrent
                let inside = try? await pool.run { reactor.executor.isCurrent }  // Nil fails the test below.
                continuation.resume(returning: [before, inside, reactor.executor.isCurrent])
            }
        }
        #expect(wheres == [true, false, true])
        reactor.stop()
        thread.join()
    }

    @Test func `beyond the waiting jobs a job is refused, and taken again when there is room`() async throws {
        let pool = BlockingPool(name: "test", threads: 1, jobsMax: 2)
        defer { pool.close() }
        let gate = Gate()
        let done = Locked<[Int]>([])
        #expect(pool.submit { gate.pass() } == nil)
        try eventually("the thread has taken the job") { pool.waitingCount == 0 }
        for number in 1...2 { #expect(pool.submit { done.withLock { $0.append(number) } } == nil) }
        await #expect(throws: BlockingPool.Refusal.overloaded) { try await pool.run { 1 } }
        gate.open(times: 1)
        try eventually("there is room") { pool.waitingCount < 2 }
        #expect(try await pool.run { done.withLock { $0 } } == [1, 2])
    }

    @Test func `many jobs of many tasks all run, no more at once than there are threads`() async throws {
        let pool = BlockingPool(name: "test", threads: 3, jobsMax: 1000)
        defer { pool.close() }
        let meter = Meter()
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<500 {
                group.addTask {
                    try await pool.run {
                        meter.run()
                        return number
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 499 * 250)
        #expect((1...3).contains(meter.most))
    }

    @Test func `closing finishes what was taken and refuses the rest`() async throws {
        let pool = BlockingPool(name: "test", threads: 2)
        let count = Atomic<Int>(0)
        for _ in 0..<50 { #expect(pool.submit { count.add(1, ordering: .relaxed) } == nil) }
        pool.close()
        #expect(count.load(ordering: .relaxed) == 50)
        #expect(pool.submit {} == .closed)
    }
}
