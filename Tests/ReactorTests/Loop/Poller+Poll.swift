// One wait and what came of it, for tests that drive a poller without a loop.

@testable import Reactor

extension Poller {
    /// - Returns: the number of events that were delivered.
    func poll(timeout: Interval?) -> Int {
        let count = wait(timeout: timeout)
        deliver()
        return count
    }
}
