// Which of the kernel's interfaces the reactors use: what the setting asks for, as far as the kernel lets it.
// Decided once, at start, for all reactors.

import Logging
import Reactor

struct PollerChoice: Sendable {
    /// What `auto` takes where it can. ARCHITECTURE.md, "Measured, and what it decided".
    static let preferred = PollerKind.ioUring

    let kind: PollerKind
    /// Why the one that was wanted is not used.
    let refusal: SystemError?
    private let isDemanded: Bool

    /// - Parameter refusal: why the kernel refuses a kind; nil where it does not.
    init(_ backend: IOBackend, refusal: (PollerKind) -> SystemError? = { $0.refusal }) {
        let wanted =
            switch backend {
            case .auto: Self.preferred
            case .epoll: PollerKind.epoll
            case .io_uring: PollerKind.ioUring
            }
        let reason = refusal(wanted)
        kind = reason == nil ? wanted : .epoll
        self.refusal = reason
        isDemanded = backend != .auto
    }

    /// One line where the kernel refuses what was wanted; louder where it was asked for by name.
    func report(to logger: Logger) {
        guard let refusal else { return }
        logger.log(
            level: isDemanded ? .warning : .notice, "the kernel refuses io_uring; epoll is used",
            metadata: ["reason": "\(refusal)"])
    }
}
