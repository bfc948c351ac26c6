// A restart that no client notices: SIGUSR2 starts this program anew with our listening sockets; when it serves, this
// process accepts no more and drains. What waits in a socket's queue is the successor's, for it has the same socket.
// On a thread of its own, one at a time. Limits: `startMax`, `patience`.
//
//     SIGUSR2 ─► start the successor ─► it serves: hand over, drain
//                                   └─► it ends, or takes too long: this process goes on

import Logging
import Reactor

final class HandOver: Sendable {
    /// A successor that does not serve by then is ended.
    static let startMax = Interval.seconds(60)
    /// How long a kept-alive connection may be silent before the old process closes it.
    static let patience = Interval.seconds(5)

    private struct State {
        var isUnderWay = false
        var successor: Successor?
        /// Made when it is first needed.
        var pool: BlockingPool?
    }

    private let executable: String
    private let arguments: [String]
    private let state = Locked(State())
    private let logger = Logger(label: "gateway")

    /// - Throws: where the program's file has no path.
    init(arguments: [String] = CommandLine.arguments) throws {
        executable = try Successor.executable()
        self.arguments = arguments
    }

    /// Begins one, unless it is under way. `completion` comes where the successor serves.
    func begin(_ sockets: [(descriptor: Int32, name: String)], completion: @escaping @Sendable () -> Void) {
        let free: BlockingPool? = state.withLock { state in
            if state.isUnderWay { return nil }
            state.isUnderWay = true
            let pool = state.pool ?? BlockingPool(name: "handover", threads: 1, jobsMax: 1)
            state.pool = pool
            return pool
        }
        let refusal = free?.submit { [self] in
            if run(sockets) { completion() } else { end() }
        }
        if refusal != nil { end() }
    }

    private func end() {
        state.withLock { state in
            state.isUnderWay = false
            state.successor = nil
        }
    }

    private func run(_ sockets: [(descriptor: Int32, name: String)]) -> Bool {
        do throws(SystemError) {
            let successor = try Successor.start(executable, arguments, sockets: sockets)
            state.withLock { $0.successor = successor }
            logger.notice("handing over", metadata: ["pid": "\(successor.pid)", "sockets": "\(sockets.count)"])
            guard successor.waitUntilReady(Self.startMax) else {
                logger.error(
                    "the new process did not serve: this one goes on", metadata: ["pid": "\(successor.pid)"])
                return false
            }
            state.withLock { $0.successor = nil }
            ServiceManager.tell("MAINPID=\(successor.pid)")
            logger.notice("handed over", metadata: ["pid": "\(successor.pid)"])
            return true
        } catch {
            logger.error("no new process could be started: this one goes on", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// This process is told to end: a successor that does not serve yet is too.
    func cancel() {
        state.withLock { $0.successor?.terminate() }
    }

    /// Waits for what is under way.
    func close() { state.withLock { $0.pool }?.close() }
}
