// Uploads into a folder: what is stored and answered, what is refused and leaves nothing behind.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct RawFilesTests {
    private static let digest = SHA256Digest.of("<html></html>").hex
    private static let path = "\(digest.prefix(2))/\(digest.dropFirst(2).prefix(2))/\(digest)"

    @Test func `an upload is stored by the hash of its bytes, with a sidecar, whichever part comes first`() async throws
    {
        for isMetadataFirst in [false, true] {
            let fixture = try FolderFixture()
            var form = UploadForm()
            form.isMetadataFirst = isMetadataFirst
            let answer = try await fixture.files.receive(form).get()
            #expect(
                answer == RawFileAnswer(path: Self.path, sha256: Self.digest, size: 13, isDuplicate: false))
            let paths = try fixture.paths
            #expect(paths.count == 2)
            #expect(paths.first == Self.path)
            #expect(try fixture.bytes(Self.path) == Array("<html></html>".utf8))
            let sidecar = try fixture.object(paths[1])
            #expect(sidecar["sha256"] as? String == Self.digest)
            #expect(sidecar["size"] as? Int == 13)
            #expect(sidecar["worker_id"] as? String == "worker-1")
            #expect((sidecar["received_at"] as? String)?.hasSuffix("Z") == true)
            #expect((sidecar["metadata"] as? [String: Any])?["county"] as? String == "Polk")
        }
    }

    @Test func `the answer is the contract's`() {
        var buffer = ByteBuffer()
        RawFileAnswer(path: "ab/cd/abcd", sha256: "abcd", size: 5, isDuplicate: true).write(to: &buffer)
        #expect(
            buffer.bytes.string == #"{"status":"ok","path":"ab/cd/abcd","sha256":"abcd","size":5,"duplicate":true}"#)
    }

    @Test func `the same bytes are stored once, each other metadata and worker beside them, a repeat nothing more`()
        async throws
    {
        let fixture = try FolderFixture()
        var other = UploadForm()
        other.metadata = UploadForm.metadata.replacing("Polk", with: "Lake")
        #expect(try await !fixture.files.receive(UploadForm()).get().isDuplicate)
        #expect(try await fixture.files.receive(UploadForm()).get().isDuplicate)
        #expect(try fixture.paths.count == 2)
        #expect(try await fixture.files.receive(other).get().isDuplicate)
        #expect(try await fixture.files.receive(UploadForm(), workerID: "worker-2").get().isDuplicate)
        let sidecars = try fixture.paths.dropFirst().map { try fixture.object($0) }
        #expect(sidecars.count == 3)
        let counties = sidecars.compactMap { ($0["metadata"] as? [String: Any])?["county"] as? String }
        #expect(counties.sorted() == ["Lake", "Polk", "Polk"])
        #expect(Set(sidecars.compactMap { $0["worker_id"] as? String }) == ["worker-1", "worker-2"])
    }

    @Test func `an empty file is a file`() async throws {
        let fixture = try FolderFixture()
        var form = UploadForm()
        form.file = []
        let answer = try await fixture.files.receive(form).get()
        #expect(answer.size == 0)
        #expect(try fixture.bytes(answer.path).isEmpty)
    }

    @Test func `no name that a client sends becomes a path`() async throws {
        let fixture = try FolderFixture()
        var form = UploadForm()
        form.fileName = "../../../escaped"
        form.metadata = UploadForm.metadata.replacing("Polk", with: "../../../../escaped")
        let answer = try await fixture.files.receive(form, workerID: "../../escaped").get()
        #expect(answer.path == Self.path)
        #expect(try fixture.paths.allSatisfy { $0.hasPrefix(Self.path) })
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path) == ["raw"])
    }

    @Test func `metadata must have its fields, and the answer names the one at fault`() async throws {
        let fixture = try FolderFixture()
        let cases: [(String, String)] = [
            ("", "metadata"), ("{", "metadata"), ("nonsense", "metadata"), ("[]", "metadata"), ("{} x", "metadata"),
            ("{}", "platform"), (UploadForm.metadata.replacing("\"platform\"", with: "\"x\""), "platform"),
            (UploadForm.metadata.replacing("\"FL\"", with: "null"), "state"),
            (UploadForm.metadata.replacing("\"Polk\"", with: "7"), "county"),
            (UploadForm.metadata.replacing("\"1-2\"", with: "\"\""), "parcel_id"),
            (UploadForm.metadata.replacing("2026-02-04T10:00:00Z", with: "yesterday"), "scraped_at"),
            (UploadForm.metadata.replacing("\"2026-02-04T10:00:00Z\"", with: "null"), "scraped_at"),
            (UploadForm.metadata.replacing("\"scraped_at\"", with: "\"at\""), "scraped_at"),
            (UploadForm.metadata.replacing("}", with: ",\"task_id\":1}"), "task_id"),
            (UploadForm.metadata.replacing("}", with: ",\"content_type\":[]}"), "content_type"),
        ]
        for (metadata, field) in cases {
            for isMetadataFirst in [false, true] {
                var form = UploadForm()
                form.metadata = metadata
                form.isMetadataFirst = isMetadataFirst
                let problem = await fixture.files.receive(form).problem
                #expect(problem?.status == 422, "\(metadata)")
                #expect(problem?.detail("field") == field, "\(metadata)")
            }
        }
        try fixture.expectNothing()
    }

    @Test func `optional and unknown fields, and a time without a zone, are accepted`() async throws {
        let fixture = try FolderFixture()
        var form = UploadForm()
        form.metadata = UploadForm.metadata.replacing("10:00:00Z", with: "10:00:00")
            .replacing("}", with: ",\"task_id\":\"t\",\"content_type\":\"text/html\",\"more\":{\"a\":[1]}}")
        _ = try await fixture.files.receive(form).get()
        #expect(try fixture.paths.count == 2)
    }

    @Test func `both parts must come, each once`() async throws {
        let fixture = try FolderFixture()
        for (file, metadata, field) in [
            (nil, UploadForm.metadata, "file"), (Array("x".utf8), nil, "metadata"),
        ] as [([UInt8]?, String?, String)] {
            var form = UploadForm()
            form.file = file
            form.metadata = metadata
            let problem = await fixture.files.receive(form).problem
            #expect(problem?.status == 422)
            #expect(problem?.detail("field") == field)
        }
        let end = "--\(UploadForm.boundary)--\r\n".utf8.count
        for field in ["file", "metadata"] {
            var second = UploadForm()
            if field == "file" { second.metadata = nil } else { second.file = nil }
            let bytes = Array(UploadForm().bytes.dropLast(end)) + second.bytes
            let problem = await fixture.files.receive(
                arrived(bytes), contentType: UploadForm.contentType, workerID: "w"
            ).problem
            #expect(problem?.status == 422)
            #expect(problem?.detail("field") == field)
        }
        try fixture.expectNothing()
    }

    @Test func `the limit is on the file: one byte more is a 413, and so is too much metadata`() async throws {
        let fixture = try FolderFixture(fileBytesMax: 700_000)
        var form = UploadForm()
        form.file = [UInt8](repeating: 7, count: 700_000)
        let answer = try await fixture.files.receive(form).get()
        #expect(answer.size == 700_000)
        #expect(try fixture.bytes(answer.path) == form.file)
        form.file?.append(7)
        let problem = await fixture.files.receive(form).problem
        #expect(problem?.status == 413)
        #expect(problem?.message.contains("700000") == true)
        form.file = [1]
        form.metadata = "{\"x\":\"\(String(repeating: "y", count: RawUpload.metadataBytesMax))\"}"
        #expect(await fixture.files.receive(form).problem?.status == 413)
        try eventually("only the first file is stored") { try fixture.paths.count == 2 }
    }

    @Test func `another content type is a 415, a broken form a 400 with its byte`() async throws {
        let fixture = try FolderFixture()
        let type = await fixture.files.receive(UploadForm(), contentType: "application/json").problem
        #expect(type?.status == 415)
        #expect(type?.code.description == "UNSUPPORTED_MEDIA_TYPE")
        let missing = await fixture.files.receive(UploadForm(), contentType: "multipart/form-data").problem
        #expect(missing?.status == 400)
        let cut = Array(UploadForm().bytes.dropLast(8))
        let broken = await fixture.files.receive(
            arrived(cut), contentType: UploadForm.contentType, workerID: "w"
        ).problem
        #expect(broken?.status == 400)
        #expect(broken?.message.hasSuffix("at byte \(cut.count)") == true)
        try fixture.expectNothing()
    }

    @Test func `a body that ends early, comes too slowly or is too large leaves nothing behind`() async throws {
        let fixture = try FolderFixture()
        var form = UploadForm()
        form.file = [UInt8](repeating: 7, count: 600_000)
        let half = Array(form.bytes.prefix(500_000))
        let statuses: [(RequestBody.Failure, Int)] = [(.connectionClosed, 400), (.timedOut, 408), (.tooLarge, 413)]
        for (failure, status) in statuses {
            let result = await fixture.files.receive(
                arrived(half, failure), contentType: UploadForm.contentType, workerID: "w")
            #expect(result.problem?.status == status)
        }
        try fixture.expectNothing()
        #expect(fixture.files.uploadsUnderWay == 0)
    }

    @Test func `beyond the uploads at once one more is a 503, and room comes back`() async throws {
        let fixture = try FolderFixture()
        let files = fixture.files
        let thread = ReactorThread(try Reactor(testDescriptorsMax: 16)) { _ in }
        defer {
            thread.reactor.stop()
            thread.join()
        }
        let form = UploadForm().bytes
        // On the reactor's thread, as in life: bodies are filled and read there.
        let bodies = (0..<RawFiles.uploadsMax).map { _ in RequestBody() }
        let uploads = bodies.map { body in
            Task(executorPreference: thread.reactor.executor) {
                await files.receive(body, contentType: UploadForm.contentType, workerID: "w")
            }
        }
        try eventually("all uploads wait for bytes") { files.uploadsUnderWay == RawFiles.uploadsMax }
        let refused = await files.receive(UploadForm()).problem
        #expect(refused?.status == 503)
        #expect(refused?.retryAfterSeconds == 1)
        thread.reactor.spawn {
            for body in bodies {
                body.arrive(form)
            }
        }
        for upload in uploads { _ = try await upload.value.get() }
        _ = try await files.receive(UploadForm()).get()
        #expect(files.uploadsUnderWay == 0)
    }

    @Test func `a client's data in pieces of any size is stored byte for byte`() async throws {
        let fixture = try FolderFixture(fileBytesMax: 8 << 20)
        let head = UploadForm.fileHead
        var rest = UploadForm()
        rest.file = nil
        let pieces = 37
        let body = streamed(
            pieces: pieces, of: 99_991, before: Array(head.utf8), after: Array("\r\n".utf8) + rest.bytes)
        let answer = try await fixture.files.receive(
            body, contentType: UploadForm.contentType, workerID: "w"
        ).get()
        var expected: [UInt8] = []
        for left in (1...pieces).reversed() {
            expected += [UInt8(left)] + [UInt8](repeating: 0, count: 99_990)
        }
        #expect(answer.size == expected.count)
        #expect(try fixture.bytes(answer.path) == expected)
        #expect(answer.sha256 == SHA256Digest.of(expected.rawBytes).hex)
    }

    @Test func `a storage that is full, away or forbidden is a clean 503 or 500`() async throws {
        for (code, status) in [(ENOSPC, 503), (EDQUOT, 503), (EIO, 503), (EACCES, 500), (EROFS, 500)] {
            for step in FailingStore.Step.allCases {
                let store = try FailingStore(step, FileError(code: code))
                let files = RawFiles(store: store, fileBytesMax: 1000, threads: 1)
                defer { files.close() }
                let problem = await files.receive(UploadForm()).problem
                #expect(problem?.status == status, "\(code) while \(step)")
                #expect((problem?.retryAfterSeconds ?? 0 > 0) == (status == 503))
                try eventually("the temporary file is gone") {
                    try FileManager.default.contentsOfDirectory(atPath: store.folder.path).isEmpty
                }
            }
        }
    }

    @Test func `readiness tells whether the folder takes files`() async throws {
        let fixture = try FolderFixture()
        #expect(await fixture.files.check() == nil)
        try FileManager.default.removeItem(atPath: fixture.folder.path("raw"))
        #expect(await fixture.files.check()?.kind == .unavailable)
    }

    @Test func `60 MB grow the process by less than 16 MiB`() async {
        // In a process of its own: nothing else changes its memory.
        await #expect(processExitsWith: .success) {
            let fixture = try FolderFixture(fileBytesMax: 64 << 20)
            // What the first upload needs once and for all is there before the measurement.
            _ = try await fixture.files.receive(UploadForm()).get()
            let head = UploadForm.fileHead
            var rest = UploadForm()
            rest.file = nil
            let body = streamed(
                pieces: 960, of: 64 << 10, before: Array(head.utf8), after: Array("\r\n".utf8) + rest.bytes)
            try resetPeak()
            let before = try peakBytes()
            let answer = try await fixture.files.receive(
                body, contentType: UploadForm.contentType, workerID: "w"
            ).get()
            let grown = try peakBytes() - before
            #expect(answer.size == 960 * 64 << 10)
            #expect(grown < 16 << 20, "grown by \(grown) bytes")
            withExtendedLifetime(fixture) {}
        }
    }
}

/// Has the kernel forget the highest memory of this process so far. Source: proc(5), clear_refs.
private func resetPeak() throws {
    try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
}

/// The highest resident memory since `resetPeak`.
private func peakBytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let kilobytes = line?.split(separator: " ").dropLast().last.flatMap({ Int($0) }) else {
        throw TestFailure("no VmHWM in /proc/self/status")
    }
    return kilobytes * 1024
}

/// A storage that fails at one step.
private final class FailingStore: RawFileStore {
    enum Step: CaseIterable { case spooling, storing }

    let folder: TemporaryFolder
    private let step: Step
    private let error: FileError

    init(_ step: Step, _ error: FileError) throws {
        folder = try TemporaryFolder()
        self.step = step
        self.error = error
    }

    func open() throws(RawFileFailure) {}
    func check() throws(RawFileFailure) {}

    func makeSpool() throws(RawFileFailure) -> RawFileSpool {
        if step == .spooling { throw RawFileFailure(error, "spooling") }
        do throws(FileError) {
            return RawFileSpool(try TemporaryFile(in: folder.path))
        } catch {
            throw RawFileFailure(error, "spooling")
        }
    }

    func store(_ spool: RawFileSpool, _ sidecar: RawFileSidecar) throws(RawFileFailure) -> StoredRawFile {
        throw RawFileFailure(error, "storing")
    }
}
