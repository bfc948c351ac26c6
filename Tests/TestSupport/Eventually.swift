// Waiting for a condition with a deadline: the only place of the tests that pauses.
// The calling thread blocks. A pause takes 5 ms; the deadline is 10 s unless the test knows better.

import Glibc

/// Seconds of the monotonic clock, for deadlines.
public func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Returns as soon as `condition` holds.
/// - Parameters:
///   - what: completes "never came true:" in the failure's message.
///   - deadlineSeconds: how long to wait.
/// - Throws: `TestFailure` at the deadline; whatever `condition` throws, at once.
public func eventually(
    _ what: String, deadlineSeconds: Double = 10, _ condition: () throws -> Bool
) throws {
    let deadline = monotonicSeconds() + deadlineSeconds
    while try !condition() {
        guard monotonicSeconds() < deadline else {
            throw TestFailure("never came true: \(what) (waited \(deadlineSeconds) s)")
        }
        _ = poll(nil, 0, 5)
    }
}

/// Waits until `value` returns something, and returns it.
public func eventuallyValue<Value>(
    _ what: String, deadlineSeconds: Double = 10, _ value: () throws -> Value?
) throws -> Value {
    var found: Value?
    try eventually(what, deadlineSeconds: deadlineSeconds) {
        found = try value()
        return found != nil
    }
    guard let found else { throw TestFailure("never came true: \(what)") }
    return found
}

/// Asserts that `condition` goes on to hold for `seconds`: for what must not happen.
public func throughout(seconds: Double, _ what: String, _ condition: () throws -> Bool) throws {
    let end = monotonicSeconds() + seconds
    repeat {
        guard try condition() else { throw TestFailure("did not last: \(what)") }
        _ = poll(nil, 0, 5)
    } while monotonicSeconds() < end
}
