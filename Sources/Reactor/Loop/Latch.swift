// Lets one thread wait for others: at start-up for reactors to be ready, at the end for them to have drained.
// Any thread. Never used on a reactor's thread, which must not block.

import CReactor

/// Counts down to zero; `wait` returns then.
public final class Latch: Sendable {
    private let count: Locked<Int>
    private let event: Int32

    public init(_ count: Int) {
        self.count = Locked(count)
        event = cr_eventfd_create()
        precondition(event >= 0, "no eventfd: error \(-event)")
        if count <= 0 { cr_eventfd_signal(event) }
    }

    deinit { cr_close(event) }

    public func countDown() {
        let isZero = count.withLock { count in
            count -= 1
            return count == 0
        }
        if isZero { cr_eventfd_signal(event) }
    }

    /// - Returns: false when `timeout` passed first; nil waits for ever.
    @discardableResult
    public func wait(_ timeout: Interval? = nil) -> Bool {
        cr_wait_readable(event, timeout.map { Int32(clamping: $0.nanoseconds / 1_000_000) } ?? -1) == 1
    }
}
