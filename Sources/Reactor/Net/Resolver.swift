// Turns host names into numeric addresses on a thread of their own: the system's resolver blocks for seconds.
// Called on a reactor's thread, answers there. Limits: owners keep one question at a time each; the system's resolver
// knows its own timeout.

import CReactor

enum Resolver {
    private final class Question {
        let hosts: [String]
        let attempt: UInt32
        let reactor: Reactor
        let answered: @Sendable ([String?]) -> Void

        init(
            _ hosts: [String], _ attempt: UInt32, _ reactor: Reactor,
            _ answered: @escaping @Sendable ([String?]) -> Void
        ) {
            self.hosts = hosts
            self.attempt = attempt
            self.reactor = reactor
            self.answered = answered
        }
    }

    /// Whether a host needs no resolving.
    static func isNumeric(_ host: String) -> Bool { PeerAddress(host) != nil }

    /// Resolves `hosts` and calls `answered` on the reactor's thread with one numeric address for each, nil where there
    /// is none. Where a host has several addresses, `attempt` chooses.
    static func resolve(
        _ hosts: [String], attempt: UInt32, reactor: Reactor, answered: @escaping @Sendable ([String?]) -> Void
    ) {
        let question = Unmanaged.passRetained(Question(hosts, attempt, reactor, answered))
        var thread = pthread_t()
        let status = cr_thread_start(
            &thread, "resolver", -1,
            { context in
                Resolver.run(Unmanaged<Question>.fromOpaque(context!).takeRetainedValue())
                return nil
            }, question.toOpaque())
        guard status == 0 else {
            question.release()
            let unknown = [String?](repeating: nil, count: hosts.count)
            reactor.spawn { answered(unknown) }
            return
        }
        pthread_detach(thread)
    }

    private static func run(_ question: Question) {
        let answers = question.hosts.map { host in numeric(host, question.attempt) }
        let answered = question.answered
        // A task, not a message: a full mailbox refuses messages, and this answer must not get lost.
        question.reactor.spawn { answered(answers) }
    }

    private static func numeric(_ host: String, _ attempt: UInt32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            cr_resolve_one(host, attempt, text.baseAddress, text.count) == 0 ? String(cString: text.baseAddress!) : nil
        }
    }
}
