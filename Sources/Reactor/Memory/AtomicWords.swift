// A fixed run of 64-bit words that any thread may read and change, each change atomic.
// Shared by all reactors; the storage is aligned to cache lines and lives as long as its owner.
// Limit: the count given at the start.

import CReactor
import Synchronization

/// Proof for `@unchecked Sendable`: `base` never changes after init, and the words behind it are only touched by
/// atomic operations until deinit, which the owner runs alone.
struct AtomicWords: ~Copyable, @unchecked Sendable {
    static let cacheLineBytes = 64

    let count: Int
    private let base: UnsafeMutablePointer<Atomic<UInt64>>

    /// - Parameter count: > 0; all words start as 0.
    init(count: Int) {
        precondition(count > 0, "no words")
        let bytes = count * MemoryLayout<UInt64>.stride
        let storage = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.cacheLineBytes)
        base = storage.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
        self.count = count
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    @inline(__always)
    func load(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "word index out of range")
        return base[index].load(ordering: .relaxed)
    }

    /// Writes `desired` where the word still is `expected`.
    /// - Returns: whether it was, and what it was.
    @inline(__always)
    func exchange(_ index: Int, expected: UInt64, desired: UInt64) -> (exchanged: Bool, original: UInt64) {
        precondition(index >= 0 && index < count, "word index out of range")
        return base[index].compareExchange(expected: expected, desired: desired, ordering: .acquiringAndReleasing)
    }

    /// Clears the bits that `mask` lacks; what this thread wrote before is seen by whoever sees them clear.
    func and(_ index: Int, _ mask: UInt64) {
        precondition(index >= 0 && index < count, "word index out of range")
        _ = base[index].bitwiseAnd(mask, ordering: .acquiringAndReleasing)
    }

    /// Lets another thread run: for the rare wait on one that was preempted inside a few instructions.
    static func yield() { sched_yield() }
}
