// Which of the kernel's interfaces a reactor's poller uses, and whether this kernel lets it. Plain data.

import CReactor

/// How a reactor asks the kernel for events.
public enum PollerKind: String, Sendable, CaseIterable {
    case epoll
    case ioUring = "io_uring"

    /// Why this cannot be used here: the kernel is too old, or was told to refuse. nil: it can. Tries it: for start-up.
    public var refusal: SystemError? {
        guard self == .ioUring else { return nil }
        let status = cr_uring_check(UInt32(UringPoller.bufferCount), UInt32(UringPoller.receiveBytes))
        return status == 0 ? nil : SystemError(number: -status)
    }

    func makePoller(descriptorsMax: Int) throws(SystemError) -> any Poller {
        switch self {
        case .epoll: try EpollPoller(descriptorsMax: descriptorsMax)
        case .ioUring: try UringPoller(descriptorsMax: descriptorsMax)
        }
    }
}
