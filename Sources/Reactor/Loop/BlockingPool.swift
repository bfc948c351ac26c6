// Helper threads for what blocks: file I/O, hashing, name lookups. The loop of a reactor never waits for a disk.
// Any thread hands in jobs; the caller's task resumes on its own executor. Closed and joined by its owner.
// Limits: `threads` jobs run at once and `jobsMax` wait; one more is refused.

import CReactor
import Synchronization

/// Proof for `@unchecked Sendable`: the queue is only touched under `lock`, everything else never changes after `init`
/// but `handles`, which `init` fills and `close` reads.
public final class BlockingPool: @unchecked Sendable {
    /// Why a job was not run.
    public enum Refusal: Error, Equatable {
        /// `jobsMax` jobs wait already: repeat later.
        case overloaded
        /// The pool has been closed.
        case closed
    }

    private typealias Job = @Sendable () -> Void

    public static let jobsMaxDefault = 256

    public let threadCount: Int
    private let jobsMax: Int
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var handles: [pthread_t] = []

    /// Nil where a job was taken: what it holds must not live longer than it runs.
    private var waiting: [Job?] = []
    /// Index of the next job in `waiting`.
    private var next = 0
    private var isClosed = false

    /// Starts the threads.
    /// - Parameters:
    ///   - name: of the threads, at most 12 characters.
    ///   - threads: > 0.
    ///   - jobsMax: jobs that may wait for a thread.
    public init(name: String, threads: Int, jobsMax: Int = BlockingPool.jobsMaxDefault) {
        precondition(threads > 0 && jobsMax > 0, "a pool without threads or room")
        threadCount = threads
        self.jobsMax = jobsMax
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
        // Signals belong to the thread that serves, and a closed peer is an error, not a signal: block them all.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        for index in 0..<threads { startThread("\(name)-\(index)") }
    }

    deinit {
        precondition(isClosed, "a pool was dropped without being closed")
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    /// Runs `body` on a helper thread and returns what it returns.
    /// - Throws: when it was not run at all.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws(Refusal) -> Value {
        // The value goes through a lock and not through the continuation: the thread sanitizer does not know that a
        // task goes on after its `resume` (Swift 6.3 on Linux), and would take all that `body` did for a race.
        let outcome = Outcome<Value>()
        let refusal: Refusal? = await withUnsafeContinuation { continuation in
            let refusal = submit {
                outcome.set(body())
                continuation.resume(returning: nil)
            }
            if let refusal { continuation.resume(returning: refusal) }
        }
        if let refusal { throw refusal }
        return outcome.take()
    }

    private final class Outcome<Value: Sendable>: Sendable {
        private let value = Locked<Value?>(nil)
        func set(_ new: Value) { value.withLock { $0 = new } }
        func take() -> Value { value.withLock { $0! } }
    }

    /// Has `body` run and does not wait for it.
    /// - Returns: why it will not be run; nil when it will.
    public func submit(_ body: @escaping @Sendable () -> Void) -> Refusal? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if isClosed { return .closed }
        if waiting.count - next >= jobsMax { return .overloaded }
        waiting.append(body)
        pthread_cond_signal(changed)
        return nil
    }

    /// Jobs that wait for a thread.
    public var waitingCount: Int {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return waiting.count - next
    }

    /// Takes no more jobs, finishes those it has, ends the threads. Called once, from outside the pool.
    public func close() {
        pthread_mutex_lock(lock)
        isClosed = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
        for handle in handles { pthread_join(handle, nil) }
        handles.removeAll()
    }

    // MARK: - The threads

    private func startThread(_ name: String) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let status = cr_thread_start(
            &thread, name, -1,
            { context in
                // The reference that startThread retained for this thread.
                Unmanaged<BlockingPool>.fromOpaque(context!).takeRetainedValue().serve()
                return nil
            }, context.toOpaque())
        precondition(status == 0, "no thread for a pool: error \(-status)")
        handles.append(thread)
    }

    private func serve() {
        while let job = take() { job() }
    }

    /// Waits for a job; nil when the pool is closed and has none.
    private func take() -> Job? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while next == waiting.count {
            if isClosed { return nil }
            pthread_cond_wait(changed, lock)
        }
        let job = waiting[next]
        waiting[next] = nil
        next += 1
        if next == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            next = 0
        } else if next >= jobsMax {
            waiting.removeFirst(next)
            next = 0
        }
        return job
    }
}
