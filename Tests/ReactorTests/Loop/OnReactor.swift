// Runs a test's body as a task on a reactor of its own, so that it may touch what a reactor owns.

import TestSupport
import Testing

@testable import Reactor

/// Runs `body` on the thread of a fresh reactor and ends both.
func onReactor<Result: Sendable>(
    descriptorsMax: Int = 256, _ body: @escaping @Sendable (Reactor) async throws -> Result
) async throws -> Result {
    let reactor = try Reactor(testDescriptorsMax: descriptorsMax)
    let thread = ReactorThread(reactor) { _ in }
    let task = Task(executorPreference: reactor.executor) { try await body(reactor) }
    let result = await task.result
    reactor.stop()
    thread.join()
    return try result.get()
}

/// Runs what blocks (a fixture) away from the reactor, whose loop goes on meanwhile.
func offReactor<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await Task.detached { try body() }.value
}

struct NeverCameTrue: Error, CustomStringConvertible {
    let description: String
}

extension Reactor {
    /// Returns at the first turn in which `condition` holds; throws at the deadline.
    func until(
        _ what: String, deadline: Interval = .seconds(20), _ condition: () throws -> Bool
    ) async throws {
        let end = now + deadline
        while try !condition() {
            guard now < end else { throw NeverCameTrue(description: "never came true: \(what)") }
            await sleep(.milliseconds(1))
        }
    }
}
