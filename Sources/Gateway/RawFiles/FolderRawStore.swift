// Raw files in a folder of this machine, or of a network file system that several gateways share.
// Used by helper threads of any number of gateways at once; the file system's atomic renames decide between them.
// An upload gathers in `incoming/`, is synced, gets its name without replacing another, and its folder is synced: what
// was acknowledged survives a power cut. Limits: none of its own.

import Reactor

final class FolderRawStore: RawFileStore {
    private let root: String
    private let incoming: String
    /// Folders `ab/cd` whose entries in `ab` and in the root this process has synced: a bit each.
    private let syncedFolders = Locked([UInt64](repeating: 0, count: 1024))

    /// - Parameter root: absolute; made by `open` where it is missing.
    init(root: String) {
        self.root = root
        incoming = root + "/incoming"
    }

    func open() throws(RawFileFailure) {
        do throws(FileError) {
            var path = ""
            for component in root.split(separator: "/") {
                let parent = path.isEmpty ? "/" : path
                path += "/\(component)"
                if try Folder.make(path) { try Folder.sync(parent) }
            }
            if try Folder.make(incoming) { try Folder.sync(root) }
            try TemporaryFile.sweep(incoming)
        } catch {
            throw RawFileFailure(error, "opening \(root)")
        }
    }

    func check() throws(RawFileFailure) {
        do throws(FileError) {
            try Folder.checkIsWritable(incoming)
        } catch {
            throw RawFileFailure(error, "checking \(incoming)")
        }
    }

    func makeSpool() throws(RawFileFailure) -> RawFileSpool {
        let incoming = incoming
        return try withFolders("creating a file in \(incoming)") { () throws(FileError) in
            RawFileSpool(try TemporaryFile(in: incoming))
        }
    }

    func store(_ spool: RawFileSpool, _ sidecar: RawFileSidecar) throws(RawFileFailure) -> StoredRawFile {
        let key = RawFileKey(spool.digest)
        return try withFolders("storing \(key.content)") { () throws(FileError) in
            try place(spool, sidecar, key)
        }
    }

    /// Where somebody removed folders while we run, makes them anew and repeats `body`, once.
    private func withFolders<Value>(
        _ doing: String, _ body: () throws(FileError) -> Value
    ) throws(RawFileFailure) -> Value {
        do throws(FileError) {
            return try body()
        } catch {
            guard error.isMissing else { throw RawFileFailure(error, doing) }
        }
        syncedFolders.withLock { $0 = [UInt64](repeating: 0, count: $0.count) }
        try open()
        do throws(FileError) {
            return try body()
        } catch {
            throw RawFileFailure(error, doing)
        }
    }

    private func place(
        _ spool: RawFileSpool, _ sidecar: RawFileSidecar, _ key: RawFileKey
    ) throws(FileError) -> StoredRawFile {
        let folder = "\(root)/\(key.folder)"
        try makeFolders(key, spool.digest)
        let isDuplicate = try !placeContent(spool, "\(root)/\(key.content)")
        try placeSidecar(spool, sidecar, "\(root)/\(key.sidecar(sidecar))")
        // A duplicate too: who stored the bytes first may not have come to this yet.
        try Folder.sync(folder)
        spool.discard()
        return StoredRawFile(key: key.content, isDuplicate: isDuplicate)
    }

    /// - Returns: false where the bytes are there already.
    private func placeContent(_ spool: RawFileSpool, _ path: String) throws(FileError) -> Bool {
        if try fileSize(at: path) == spool.size { return false }
        try spool.file.sync()
        if try spool.file.publish(as: path) { return true }
        if try fileSize(at: path) == spool.size { return false }
        // The digest says what the file should be, and its size that it is not: a damaged disk. Heal it.
        try spool.file.replace(path)
        return true
    }

    private func placeSidecar(_ spool: RawFileSpool, _ sidecar: RawFileSidecar, _ path: String) throws(FileError) {
        if try fileSize(at: path) != nil { return }
        var document = ByteBuffer(capacity: 1024)
        sidecar.write(spool.digest, size: spool.size, to: &document)
        let file = try TemporaryFile(in: incoming)
        try file.write(document.bytes)
        try file.sync()
        // Taken: the same metadata came twice at once.
        _ = try file.publish(as: path)
    }

    /// Makes `ab` and `ab/cd`, and sees to it once a process that both are on the disk, whoever made them.
    private func makeFolders(_ key: RawFileKey, _ digest: SHA256Digest) throws(FileError) {
        let index = Int(digest.bytes[0]) << 8 | Int(digest.bytes[1])
        let (word, bit) = (index / 64, UInt64(1) << UInt64(index % 64))
        if syncedFolders.withLock({ $0[word] & bit != 0 }) { return }
        let upper = "\(root)/\(key.folder.prefix(2))"
        _ = try Folder.make(upper)
        try Folder.sync(root)
        _ = try Folder.make("\(root)/\(key.folder)")
        try Folder.sync(upper)
        syncedFolders.withLock { $0[word] |= bit }
    }
}
