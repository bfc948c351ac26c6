// One upload: the parts of its form, in either order, into a spool and a piece of metadata.
// Lives on the reactor's thread of its connection; only the spool's bytes go to helper threads, `writeBytes` at a time,
// and nothing is read from the client while they are being written. Limits: those below, and RawFiles'.

import Reactor

/// Bytes of the file on their way to a helper thread.
///
/// Proof for `@unchecked Sendable`: the upload lends it to one job and touches it only after awaiting that.
private final class RawChunk: @unchecked Sendable {
    var bytes = ByteBuffer()
}

/// `@unchecked Sendable`: made, used and dropped by one task of one reactor.
final class RawUpload: @unchecked Sendable {
    /// File bytes that are gathered for one write.
    static let writeBytes = 256 * 1024
    static let metadataBytesMax = 64 * 1024

    private enum Target {
        case file, metadata, ignored
    }

    private let store: any RawFileStore
    private let pool: BlockingPool
    private let fileBytesMax: Int

    private var target = Target.ignored
    private var spool: RawFileSpool?
    private let chunk = RawChunk()
    private var metadata = ByteBuffer()
    private var hasFile = false
    private var hasMetadata = false

    init(store: any RawFileStore, pool: BlockingPool, fileBytesMax: Int) {
        self.store = store
        self.pool = pool
        self.fileBytesMax = fileBytesMax
    }

    /// Reads the form to its end.
    func read(_ body: RequestBody, _ boundary: MultipartBoundary) async throws(Problem) {
        var parser = MultipartParser(boundary: boundary)
        var received = ByteBuffer()
        while try await readMore(body, into: &received) {
            while let event = try next(&parser, received.bytes) {
                try take(event, &parser, received.bytes)
                if target == .file, spool == nil { spool = try await run(store.makeSpool) }
                if chunk.bytes.count >= Self.writeBytes { try await flush() }
            }
            received.clear()
        }
        do throws(MultipartFailure) {
            try parser.end()
        } catch {
            throw problem(error, in: MultipartPart())
        }
        try checkIsComplete()
        try await flush()
    }

    /// Stores what was read.
    func store(workerID: String, receivedAt: WallTime) async throws(Problem) -> RawFileAnswer {
        guard let spool else { preconditionFailure("stored before it was read") }
        let sidecar = RawFileSidecar(
            workerID: workerID, metadata: Array(copying: metadata.bytes), receivedAt: receivedAt)
        let store = store
        let stored = try await run { () throws(RawFileFailure) in try store.store(spool, sidecar) }
        return RawFileAnswer(
            path: stored.key, sha256: spool.digest.hex, size: spool.size, isDuplicate: stored.isDuplicate)
    }

    /// Gives the temporary file up, on a helper thread: removing a large file takes time.
    func close() {
        guard let spool, !spool.file.isSettled else { return }
        self.spool = nil
        // Refused: then the last reference is ours, and the file goes here.
        _ = pool.submit { spool.discard() }
    }

    // MARK: - Parts

    private func next(_ parser: inout MultipartParser, _ bytes: RawSpan) throws(Problem) -> MultipartParser.Event? {
        do throws(MultipartFailure) {
            return try parser.next(bytes)
        } catch {
            throw problem(error, in: parser.part)
        }
    }

    private func take(
        _ event: MultipartParser.Event, _ parser: inout MultipartParser, _ bytes: RawSpan
    ) throws(Problem) {
        switch event {
        case .partBegan: try begin(&parser)
        case .data(let range): append(bytes.slice(range))
        case .heldData(let range): append(parser.delimiter.slice(range))
        case .partEnded:
            if target == .metadata { try checkMetadata() }
            target = .ignored
        case .finished: break
        }
    }

    private func begin(_ parser: inout MultipartParser) throws(Problem) {
        switch parser.part.name {
        case "file":
            if hasFile { throw repeated("file") }
            hasFile = true
            target = .file
            parser.limitPart(bytesMax: fileBytesMax)
        case "metadata":
            if hasMetadata { throw repeated("metadata") }
            hasMetadata = true
            target = .metadata
            parser.limitPart(bytesMax: Self.metadataBytesMax)
        default:
            target = .ignored
            parser.limitPart(bytesMax: Self.metadataBytesMax)
        }
    }

    private func append(_ bytes: RawSpan) {
        switch target {
        case .file: chunk.bytes.append(bytes)
        case .metadata: metadata.append(bytes)
        case .ignored: break
        }
    }

    private func checkMetadata() throws(Problem) {
        do throws(JSONFailure) {
            try RawFileMetadata.check(metadata)
        } catch {
            throw RawFileMetadata.problem(error)
        }
    }

    private func checkIsComplete() throws(Problem) {
        if !hasFile { throw .validation("file: is required", [.text("field", "file")]) }
        if !hasMetadata { throw .validation("metadata: is required", [.text("field", "metadata")]) }
    }

    private func repeated(_ name: String) -> Problem {
        .validation("\(name): came more than once", [.text("field", name)])
    }

    private func problem(_ failure: MultipartFailure, in part: MultipartPart) -> Problem {
        switch failure.reason {
        case .partTooLarge:
            let bytesMax = target == .file ? fileBytesMax : Self.metadataBytesMax
            return .payloadTooLarge(
                "\(target == .ignored ? "a part" : part.name) is larger than \(bytesMax) bytes",
                .number("limit_bytes", bytesMax))
        default:
            return .invalidRequest("\(failure.text) at byte \(failure.atByte)", .number("offset", failure.atByte))
        }
    }

    // MARK: - Reading and writing

    private func readMore(_ body: RequestBody, into buffer: inout ByteBuffer) async throws(Problem) -> Bool {
        do throws(RequestBody.Failure) {
            return try await body.read(into: &buffer)
        } catch {
            switch error {
            case .connectionClosed: throw .invalidRequest("the body ended early")
            case .timedOut: throw .timedOut("the body came too slowly")
            case .tooLarge: throw .payloadTooLarge("the body is larger than its file and metadata may be")
            }
        }
    }

    /// Writes the file bytes that have gathered.
    private func flush() async throws(Problem) {
        guard let spool, !chunk.bytes.isEmpty else { return }
        let chunk = chunk
        try await run { () throws(RawFileFailure) in try spool.append(chunk.bytes) }
        chunk.bytes.clear()
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(RawFileFailure) -> Value
    ) async throws(Problem) -> Value {
        do throws(RawFileFailure) {
            return try await pool.run(body)
        } catch {
            RawFiles.log(error)
            throw error.problem
        }
    }
}

extension BlockingPool {
    /// Runs a job of a storage.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(RawFileFailure) -> Value
    ) async throws(RawFileFailure) -> Value {
        let outcome: Result<Value, RawFileFailure>
        do throws(Refusal) {
            outcome = try await run {
                do throws(RawFileFailure) {
                    return Result<Value, RawFileFailure>.success(try body())
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw RawFileFailure(.overloaded, "no helper thread: \(error)")
        }
        return try outcome.get()
    }
}
