// Runs Swift tasks on a reactor's thread, so that an `async` handler may touch what its reactor owns.
// Jobs from the thread itself go straight to its list; others come through the mailbox.

import CReactor
import Synchronization

/// The task executor of one reactor: `Task(executorPreference:)` keeps a whole task on the reactor's thread.
public final class ReactorExecutor: TaskExecutor {
    private let mailbox: Mailbox
    /// Touched on the reactor's thread only (`isCurrent` guards each use), hence safe without a lock.
    nonisolated(unsafe) private var local: [UnownedJob] = []
    nonisolated(unsafe) private var running: [UnownedJob] = []
    /// The reactor's thread; 0 until it runs.
    private let thread = Atomic<UInt>(0)

    init(mailbox: Mailbox) { self.mailbox = mailbox }

    /// Whether the caller runs on this reactor's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Makes the calling thread the executor's. Called once, first thing on the reactor's thread.
    func adopt() { thread.store(UInt(pthread_self()), ordering: .relaxed) }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent { local.append(job) } else { mailbox.post(job: job) }
    }

    func accept(_ jobs: [UnownedJob]) { local.append(contentsOf: jobs) }

    var hasJobs: Bool { !local.isEmpty }

    /// Runs what waits now; jobs that these enqueue run in the next turn, so tasks cannot starve sockets.
    func runJobs() {
        guard !local.isEmpty else { return }
        swap(&local, &running)
        for job in running { job.runSynchronously(on: asUnownedTaskExecutor()) }
        running.removeAll(keepingCapacity: true)
    }
}
