// Where raw files end: what a storage does, how files are named there, and how it fails.
// Everything here blocks and runs on helper threads; a storage is shared by all of them.
//
//     ab/cd/<sha256>                       the bytes, once
//     ab/cd/<sha256>.<identity>.json       one sidecar for each worker and metadata that these bytes came with
//
// No name and no path that a client sends becomes part of a key: keys are digests.

import Reactor

/// A place for raw files. What has been stored is durable when `store` returns.
protocol RawFileStore: Sendable {
    /// Makes folders, removes what crashed uploads left. Called once before all else.
    func open() throws(RawFileFailure)
    /// Throws while nothing can be stored.
    func check() throws(RawFileFailure)
    /// A file to gather an upload's bytes in.
    func makeSpool() throws(RawFileFailure) -> RawFileSpool
    /// Keeps the bytes of a complete spool and a sidecar that says what they are.
    func store(_ spool: RawFileSpool, _ sidecar: RawFileSidecar) throws(RawFileFailure) -> StoredRawFile
}

struct StoredRawFile: Equatable, Sendable {
    var key: String
    /// Whether the same bytes were there before.
    var isDuplicate: Bool
}

/// The keys of one content.
struct RawFileKey: Equatable, Sendable {
    let digestHex: String

    init(_ digest: SHA256Digest) { digestHex = digest.hex }

    /// `ab/cd`: 65,536 folders, so that none grows large.
    var folder: String { "\(digestHex.prefix(2))/\(digestHex.dropFirst(2).prefix(2))" }
    var content: String { "\(folder)/\(digestHex)" }
    func sidecar(_ sidecar: RawFileSidecar) -> String { "\(content).\(sidecar.identity).json" }
}

/// What is kept beside the bytes: who sent them, when, as what. The same metadata from the same worker is kept once, so
/// that a repeated upload leaves no second sidecar; any other is a sidecar of its own.
struct RawFileSidecar: Sendable {
    /// Hexadecimal digits of the hash that tells sidecars of the same bytes apart.
    static let identityDigits = 16

    let workerID: String
    /// A JSON object, byte for byte as it was sent.
    let metadata: [UInt8]
    let receivedAt: WallTime

    var identity: String {
        let worker = Array(workerID.utf8)
        // The length in front keeps one worker's name from reaching into the metadata.
        let hashed = Array("\(worker.count) ".utf8) + worker + metadata
        return String(SHA256Digest.of(hashed.rawBytes).hex.prefix(Self.identityDigits))
    }

    /// `{"sha256","size","worker_id","received_at","metadata":{…}}`.
    func write(_ digest: SHA256Digest, size: Int, to buffer: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&buffer)
        json.key("sha256", &buffer)
        json.string(text: digest.hex, &buffer)
        json.key("size", &buffer)
        json.number(size, &buffer)
        json.key("worker_id", &buffer)
        json.string(text: workerID, &buffer)
        json.key("received_at", &buffer)
        var time = ByteBuffer(capacity: 32)
        receivedAt.append(rfc3339: &time)
        json.string(time.bytes, &buffer)
        json.key("metadata", &buffer)
        json.raw(metadata.rawBytes, &buffer)
        json.closeObject(&buffer)
        buffer.append(UInt8(ascii: "\n"))
    }
}

/// Why a file was not stored.
struct RawFileFailure: Error, Equatable {
    enum Kind: Equatable, Sendable {
        /// Too much is going on at once.
        case overloaded
        case full
        /// The storage is away or failing: a repeat may help.
        case unavailable
        /// It will stay so until an operator acts.
        case misconfigured
    }

    var kind: Kind
    /// For the log; a client is not told paths, hosts or keys.
    var reason: String

    init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    init(_ error: FileError, _ doing: String) {
        kind = error.isDiskFull ? .full : error.isForbidden ? .misconfigured : .unavailable
        reason = "\(doing): \(error)"
    }

    var problem: Problem {
        switch kind {
        case .overloaded: .unavailable("too many uploads at once")
        case .full: .unavailable("the raw file storage is full", retryAfterSeconds: 60)
        case .unavailable: .unavailable("the raw file storage is unavailable", retryAfterSeconds: 5)
        case .misconfigured: .internalError
        }
    }
}

/// An upload's bytes on their way: a temporary file and the hash of what is in it.
///
/// Proof for `@unchecked Sendable`: one upload owns it and awaits each of its jobs before the next.
final class RawFileSpool: @unchecked Sendable {
    let file: TemporaryFile
    private(set) var size = 0
    private let hash = SHA256()
    private var finished: SHA256Digest?

    init(_ file: TemporaryFile) { self.file = file }

    func append(_ buffer: borrowing ByteBuffer) throws(RawFileFailure) {
        precondition(finished == nil, "appended to a finished spool")
        do throws(FileError) {
            try file.write(buffer.bytes)
        } catch {
            throw RawFileFailure(error, "writing \(file.path)")
        }
        hash.update(buffer.bytes)
        size += buffer.count
    }

    /// Removes the file, unless a storage has taken it over.
    func discard() { file.discard() }

    /// Of all bytes; none can follow.
    var digest: SHA256Digest {
        if let finished { return finished }
        let digest = hash.finish()
        finished = digest
        return digest
    }
}
