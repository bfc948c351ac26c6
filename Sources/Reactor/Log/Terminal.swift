// What commands ask of the terminal they may be run from. Stateless; blocking, for commands only.

import CReactor

/// Whether a descriptor is a terminal, where a line may be drawn over.
public func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

/// Writes text to a descriptor at once, without a newline.
public func writeText(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    // A closed output is no reason to fail: nobody reads it.
    _ = bytes.withUnsafeBytes { cr_write_all(descriptor, $0.baseAddress, $0.count) }
}
