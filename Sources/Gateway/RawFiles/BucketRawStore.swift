// Raw files in a bucket of S3 or of a service that speaks its protocol.
// Used by helper threads; each job has a connection of its own. An upload gathers in a file of this machine, for its key
// is the hash of all its bytes, and goes to the bucket when it is complete: by one PUT up to `singleBytesMax`, in parts
// of `partBytes` above. What the bucket has acknowledged is durable. Each request carries the hash of its payload, so the
// service refuses bytes that were damaged on the way.
// Two uploads of the same bytes at once may both be sent, and both count as new; the object is the same.

import Reactor

final class BucketRawStore: RawFileStore {
    static let singleBytesMax = 16 * 1024 * 1024
    /// At least 5 MiB by the protocol, and as much more as keeps a file within `partsMax` parts.
    static let partBytesMin = 8 * 1024 * 1024
    static let partsMax = 10_000
    /// Any type would do: the sidecar tells it, and one object may have come as several.
    static let contentType = "application/octet-stream"

    private let settings: S3Settings
    private let singleBytesMax: Int
    private let partBytesMin: Int
    /// Nil for a plain endpoint, or where the certificates could not be read, which `open` reports.
    private let roots: TrustedRoots?

    /// - Parameters:
    ///   - singleBytesMax: a larger object goes in parts.
    ///   - partBytesMin: of all parts but the last.
    init(
        settings: S3Settings, singleBytesMax: Int = BucketRawStore.singleBytesMax,
        partBytesMin: Int = BucketRawStore.partBytesMin
    ) {
        self.settings = settings
        self.singleBytesMax = singleBytesMax
        self.partBytesMin = partBytesMin
        roots = settings.endpoint.isSecure ? TrustedRoots(file: settings.caFile) : nil
    }

    /// Does not ask the service: the gateway starts while its bucket is away, and tells so by readiness.
    func open() throws(RawFileFailure) {
        if settings.endpoint.isSecure, roots == nil {
            throw RawFileFailure(.misconfigured, "no certificates in \(settings.caFile ?? "the system's store")")
        }
        do throws(FileError) {
            _ = try Folder.make(settings.spoolFolder)
            try TemporaryFile.sweep(settings.spoolFolder)
        } catch {
            throw RawFileFailure(error, "opening \(settings.spoolFolder)")
        }
    }

    func check() throws(RawFileFailure) {
        do throws(FileError) {
            try Folder.checkIsWritable(settings.spoolFolder)
        } catch {
            throw RawFileFailure(error, "checking \(settings.spoolFolder)")
        }
        var client = S3Client(settings: settings, roots: roots)
        try client.checkBucket()
    }

    func makeSpool() throws(RawFileFailure) -> RawFileSpool {
        do throws(FileError) {
            return RawFileSpool(try TemporaryFile(in: settings.spoolFolder))
        } catch {
            throw RawFileFailure(error, "creating a file in \(settings.spoolFolder)")
        }
    }

    func store(_ spool: RawFileSpool, _ sidecar: RawFileSidecar) throws(RawFileFailure) -> StoredRawFile {
        var client = S3Client(settings: settings, roots: roots)
        let names = RawFileKey(spool.digest)
        let key = settings.key(names.content)
        let isDuplicate = try client.size(ofKey: key) == spool.size
        if !isDuplicate { try put(spool, key, &client) }
        let sidecarKey = settings.key(names.sidecar(sidecar))
        if try client.size(ofKey: sidecarKey) == nil {
            var document = ByteBuffer(capacity: 1024)
            sidecar.write(spool.digest, size: spool.size, to: &document)
            try client.put(
                sidecarKey, contentType: "application/json", .bytes(Array(copying: document.bytes)),
                digest: .of(document.bytes))
        }
        spool.discard()
        return StoredRawFile(key: key, isDuplicate: isDuplicate)
    }

    private func put(_ spool: RawFileSpool, _ key: String, _ client: inout S3Client) throws(RawFileFailure) {
        if spool.size <= singleBytesMax {
            let payload = S3Payload.file(spool.file, offset: 0, count: spool.size)
            return try client.put(key, contentType: Self.contentType, payload, digest: spool.digest)
        }
        let partBytes = max(partBytesMin, (spool.size + Self.partsMax - 1) / Self.partsMax)
        try client.putParts(
            key, contentType: Self.contentType, spool.file, size: spool.size, partBytes: partBytes)
    }
}
