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

    /// Addresses that `resolveAll` finds at most.
    static let addressesMax = 16

    /// Resolves one host and calls `answered` on the reactor's thread with all its numeric addresses, in the system's
    /// order and each once; none where it is unknown.
    static func resolveAll(_ host: String, reactor: Reactor, answered: @escaping @Sendable ([String]) -> Void) {
        let question = Unmanaged.passRetained(Question([host], 0, reactor) { answered($0.compactMap { $0 }) })
        var thread = pthread_t()
        let status = cr_thread_start(
            &thread, "resolver", -1,
            { context in
                let question = Unmanaged<Question>.fromOpaque(context!).takeRetainedValue()
                let addresses = Resolver.allNumeric(question.hosts[0])
                let answered = question.answered
                question.reactor.spawn { answered(addresses) }
                return nil
            }, question.toOpaque())
        guard status == 0 else {
            question.release()
            reactor.spawn { answered([]) }
            return
        }
        pthread_detach(thread)
    }

    private static func allNumeric(_ host: String) -> [String] {
        let textBytes = Int(CR_ADDRESS_TEXT_MAX)
        return withUnsafeTemporaryAllocation(byteCount: addressesMax * textBytes, alignment: 1) { memory in
            // The memory is that many rows of `textBytes`, each of which the call ends with a zero.
            let count = cr_resolve_all(
                host, memory.baseAddress!.assumingMemoryBound(to: CChar.self), UInt32(addressesMax))
            var addresses: [String] = []
            for row in 0..<max(0, Int(count)) {
                let text = memory.baseAddress!.advanced(by: row * textBytes).assumingMemoryBound(to: CChar.self)
                let address = String(cString: text)
                if !addresses.contains(address) { addresses.append(address) }
            }
            return addresses
        }
    }

    private static func numeric(_ host: String, _ attempt: UInt32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            cr_resolve_one(host, attempt, text.baseAddress, text.count) == 0 ? String(cString: text.baseAddress!) : nil
        }
    }
}
