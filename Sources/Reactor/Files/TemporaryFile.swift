// A file that is written under a temporary name and gets its real one when it is complete and on the disk.
// Blocking: for helper threads. One thread at a time uses a file; its last owner closes it, and removes it unless it
// was published. While it is open, `sweep` of another process leaves it alone; after a crash `sweep` removes it.

import CReactor

/// Proof for `@unchecked Sendable`: one upload owns the file and awaits each of its jobs before the next.
public final class TemporaryFile: @unchecked Sendable {
    public private(set) var path: String
    private let descriptor: Descriptor
    /// Whether the temporary name is gone: the file was published or given up.
    public private(set) var isSettled = false

    /// Creates an empty file in `folder`, which is of the file system where the file shall end.
    public init(in folder: String) throws(FileError) {
        var name = [CChar](repeating: 0, count: Int(CR_TEMPORARY_NAME_SIZE))
        let status = cr_temporary_create(folder, &name)
        if status < 0 { throw FileError(code: -status) }
        descriptor = Descriptor(status)
        path = folder + "/" + String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { discard() }

    /// Removes the file, unless it was published. It takes no more bytes.
    public func discard() {
        // Nothing can be done about a name that cannot be removed; the next sweep tries again.
        if !isSettled { _ = cr_file_remove(path) }
        isSettled = true
    }

    /// Appends bytes.
    public func write(_ bytes: RawSpan) throws(FileError) {
        try check(bytes.withUnsafeBytes { cr_write_all(descriptor.number, $0.baseAddress, $0.count) })
    }

    /// Returns when all bytes are on the disk.
    public func sync() throws(FileError) { try check(cr_file_sync(descriptor.number)) }

    /// Appends at most `countMax` bytes of the file, from `offset` on, to `buffer`.
    /// - Returns: how many; 0 at the file's end.
    public func read(at offset: Int, countMax: Int, into buffer: inout ByteBuffer) throws(FileError) -> Int {
        var status = 0
        buffer.withRoom(countMax) { room in
            status = cr_file_read_at(descriptor.number, room.baseAddress, min(countMax, room.count), Int64(offset))
            return max(0, status)
        }
        if status < 0 { throw FileError(code: Int32(-status)) }
        return status
    }

    /// Gives the file its real name, atomically. The folder must be synced before anybody relies on it.
    /// - Returns: false where that name is taken; the file keeps its temporary one.
    public func publish(as path: String) throws(FileError) -> Bool {
        let status = cr_file_publish(self.path, path)
        if status == -EEXIST { return false }
        try check(status)
        self.path = path
        isSettled = true
        return true
    }

    /// The same, in place of the file that has the name.
    public func replace(_ path: String) throws(FileError) {
        try check(cr_file_replace(self.path, path))
        self.path = path
        isSettled = true
    }

    /// Removes what crashed processes left in `folder`.
    /// - Returns: how many files.
    @discardableResult
    public static func sweep(_ folder: String) throws(FileError) -> Int {
        let status = cr_temporary_sweep(folder)
        try check(status)
        return Int(status)
    }
}

/// Folders by their path. All of it blocks.
public enum Folder {
    /// Makes the folder; its parent must be there.
    /// - Returns: false where there is one already.
    public static func make(_ path: String) throws(FileError) -> Bool {
        let status = cr_folder_make(path)
        try check(status)
        return status == 1
    }

    /// Returns when the folder's entries are on the disk.
    public static func sync(_ path: String) throws(FileError) { try check(cr_folder_sync(path)) }

    /// Throws where no entry can be made in the folder.
    public static func checkIsWritable(_ path: String) throws(FileError) { try check(cr_folder_check(path)) }
}

/// The size of a regular file; nil where nothing has that name.
public func fileSize(at path: String) throws(FileError) -> Int? {
    let status = cr_file_size(path)
    if status == -Int64(ENOENT) { return nil }
    if status < 0 { throw FileError(code: Int32(-status)) }
    return Int(status)
}

private func check(_ status: Int32) throws(FileError) {
    if status < 0 { throw FileError(code: -status) }
}

extension FileError {
    /// No space, or no more of it for this user.
    public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
    /// Not allowed here: it stays so until an operator acts.
    public var isForbidden: Bool { code == EACCES || code == EPERM || code == EROFS }
}
