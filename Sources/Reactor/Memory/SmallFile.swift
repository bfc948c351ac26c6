// Reads whole small files: configuration, secrets, certificates' presence.
// Blocking; for the start, for SIGHUP and for commands, never for a request. The caller states the largest size.

import CReactor

/// Why a file could not be read.
public struct FileError: Error, Equatable, CustomStringConvertible {
    /// errno, positive.
    public let code: Int32

    public init(code: Int32) { self.code = code }

    /// There is no such file.
    public var isMissing: Bool { code == ENOENT }

    /// The system's words for it, such as "No such file or directory".
    public var description: String {
        // cr_error_text returns a constant, never NULL.
        String(cString: cr_error_text(code))
    }
}

/// The bytes of the file at `path`.
/// - Parameter bytesMax: a larger file is refused with EFBIG.
public func readFile(at path: String, bytesMax: Int) throws(FileError) -> [UInt8] {
    // One byte more than allowed tells a file of the largest size from a larger one.
    var outcome = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax + 1) { buffer, count in
        outcome = cr_file_read(path, buffer.baseAddress, buffer.count)
        count = max(0, outcome)
    }
    if outcome < 0 { throw FileError(code: Int32(-outcome)) }
    if outcome > bytesMax { throw FileError(code: EFBIG) }
    return bytes
}

/// Throws where the file at `path` cannot be read by this process now.
public func checkFileIsReadable(at path: String) throws(FileError) {
    let outcome = cr_file_check(path)
    if outcome < 0 { throw FileError(code: -outcome) }
}
