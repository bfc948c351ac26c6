// Whether a sanitizer watches this run (scripts/sanitize sets TEST_SANITIZER). It keeps freed memory back and slows
// everything, so that measured memory says nothing of the gateway.

import Foundation

public enum Sanitizer {
    /// Bounds on resident memory hold only without one.
    public static let isWatching = ProcessInfo.processInfo.environment["TEST_SANITIZER"] != nil
}
