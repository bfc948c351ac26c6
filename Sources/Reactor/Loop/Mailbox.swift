// What other threads ask of a reactor. The only way in: everything else of a reactor is its thread's alone.
// Limit: `messagesMax` messages waiting; one more is refused and the sender decides. Executor jobs are not refused
// (dropping one would hang its task); there are never more than tasks in flight, which requests in flight bound.

import CReactor

/// A bounded queue from any thread to one reactor, with an eventfd that ends the reactor's wait.
final class Mailbox: Sendable {
    typealias Message = @Sendable () -> Void

    static let messagesMax = 4096

    private struct Waiting {
        var messages: [Message] = []
        var jobs: [UnownedJob] = []
        var signalled = false
    }

    private let waiting = Locked(Waiting())
    let eventDescriptor: Int32

    init() {
        eventDescriptor = cr_eventfd_create()
        precondition(eventDescriptor >= 0, "no eventfd: error \(-eventDescriptor)")
    }

    deinit { cr_close(eventDescriptor) }

    /// False when `messagesMax` messages wait already.
    func post(_ message: @escaping Message) -> Bool {
        let (accepted, wake) = waiting.withLock { waiting in
            guard waiting.messages.count < Self.messagesMax else { return (false, false) }
            waiting.messages.append(message)
            defer { waiting.signalled = true }
            return (true, !waiting.signalled)
        }
        if wake { cr_eventfd_signal(eventDescriptor) }
        return accepted
    }

    func post(job: UnownedJob) {
        let wake = waiting.withLock { waiting in
            waiting.jobs.append(job)
            defer { waiting.signalled = true }
            return !waiting.signalled
        }
        if wake { cr_eventfd_signal(eventDescriptor) }
    }

    /// Takes all that waits, in order. Called by the owning reactor.
    func drain() -> (messages: [Message], jobs: [UnownedJob]) {
        cr_eventfd_drain(eventDescriptor)
        return waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return (waiting.messages, waiting.jobs)
        }
    }
}
