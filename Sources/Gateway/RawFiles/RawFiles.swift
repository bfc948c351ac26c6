// Takes raw files from workers: the one entry point of `POST /internal/raw-files`.
// Shared by all reactors; each upload is a task of its connection's reactor, all that blocks runs on helper threads.
// Limits: `uploadsMax` uploads at once (one more is a 503), a file's bytes, RawUpload's bounds of its parts. An upload
// holds what waits in its body, a copy of that while it is parsed, and up to as much more than RawUpload.writeBytes that
// is being written: some 2 MiB with the buffers' room, whatever the file's size.

import Logging
import Reactor
import Synchronization

struct RawFileAnswer: Equatable, Sendable {
    /// The storage key.
    var path: String
    var sha256: String
    var size: Int
    var isDuplicate: Bool

    /// `{"status":"ok","path","sha256","size","duplicate"}`.
    func write(to buffer: inout ByteBuffer) {
        var json = JSONWriter()
        json.openObject(&buffer)
        json.key("status", &buffer)
        json.string("ok", &buffer)
        json.key("path", &buffer)
        json.string(text: path, &buffer)
        json.key("sha256", &buffer)
        json.string(text: sha256, &buffer)
        json.key("size", &buffer)
        json.number(size, &buffer)
        json.key("duplicate", &buffer)
        json.bool(isDuplicate, &buffer)
        json.closeObject(&buffer)
    }
}

/// Life cycle: `init → start → close`.
final class RawFiles: Sendable {
    /// Uploads of this process at once.
    static let uploadsMax = 32
    /// Helper threads: disks gain nothing from more, transfers over a network wait more than they work.
    static let folderThreads = 4
    static let bucketThreads = 16
    /// What a form may hold beside its file: metadata, ignored parts, headers, boundaries.
    static let formBytesMax = 1024 * 1024

    let fileBytesMax: Int
    private let store: any RawFileStore
    private let pool: BlockingPool
    private let uploadCount = Atomic<Int>(0)

    /// - Parameters:
    ///   - fileBytesMax: a larger file is a 413.
    ///   - environment: the AWS variables, for `s3://`.
    /// - Throws: what is wrong with those.
    convenience init(
        storage: RawStorage, fileBytesMax: Int, environment: [String: String]
    ) throws(BadSetting) {
        switch storage {
        case .file(let path):
            self.init(store: FolderRawStore(root: path), fileBytesMax: fileBytesMax, threads: Self.folderThreads)
        case .s3(let bucket, let prefix):
            let settings = try S3Settings(bucket: bucket, prefix: prefix, environment: environment)
            self.init(
                store: BucketRawStore(settings: settings), fileBytesMax: fileBytesMax, threads: Self.bucketThreads)
        }
    }

    init(store: any RawFileStore, fileBytesMax: Int, threads: Int) {
        self.store = store
        self.fileBytesMax = fileBytesMax
        // An upload has one job at a time, and one more when it is given up.
        pool = BlockingPool(name: "raw", threads: threads, jobsMax: 4 * Self.uploadsMax)
    }

    /// Opens the storage. Blocking: before anything is served.
    func start() throws(RawFileFailure) { try store.open() }

    /// Ends the helper threads; no upload may be under way.
    func close() { pool.close() }

    /// Uploads under way.
    var uploadsUnderWay: Int { uploadCount.load(ordering: .relaxed) }

    /// For the plan of a request's body.
    var bodyBytesMax: Int { fileBytesMax + Self.formBytesMax }

    /// For readiness: nil while the storage takes files, else why not.
    func check() async -> RawFileFailure? {
        let store = store
        do throws(RawFileFailure) {
            try await pool.run { () throws(RawFileFailure) in try store.check() }
            return nil
        } catch {
            return error
        }
    }

    /// Reads a form with the parts `file` and `metadata` and stores the file; to be called on the body's reactor.
    /// - Parameter contentType: of the request.
    /// - Returns: success only when the bytes are durable.
    func receive(
        _ body: RequestBody, contentType: String, workerID: String
    ) async -> Result<RawFileAnswer, Problem> {
        do throws(Problem) {
            return .success(try await accept(body, try boundary(of: contentType), workerID))
        } catch {
            return .failure(error)
        }
    }

    private func accept(
        _ body: RequestBody, _ boundary: MultipartBoundary, _ workerID: String
    ) async throws(Problem) -> RawFileAnswer {
        guard uploadCount.add(1, ordering: .relaxed).newValue <= Self.uploadsMax else {
            uploadCount.subtract(1, ordering: .relaxed)
            throw RawFileFailure(.overloaded, "").problem
        }
        defer { uploadCount.subtract(1, ordering: .relaxed) }
        let upload = RawUpload(store: store, pool: pool, fileBytesMax: fileBytesMax)
        defer { upload.close() }
        try await upload.read(body, boundary)
        return try await upload.store(workerID: workerID, receivedAt: .now())
    }

    private func boundary(of contentType: String) throws(Problem) -> MultipartBoundary {
        do throws(MultipartFailure) {
            return try MultipartBoundary(contentType: Array(contentType.utf8).rawBytes)
        } catch {
            throw Problem(
                status: error.status.code,
                code: error.reason == .notMultipart ? "UNSUPPORTED_MEDIA_TYPE" : "INVALID_REQUEST",
                message: error.text.description)
        }
    }

    /// Tells the operator what the client is not told.
    static func log(_ failure: RawFileFailure) {
        Logger(label: "raw-files").error("raw file not stored", metadata: ["reason": .string(failure.reason)])
    }
}
