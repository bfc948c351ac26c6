// The folder: shared by several gateways, repaired where it was damaged, swept at the start. A store shares nothing with
// another but the folder, so two of them are as two processes.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct FolderRawStoreTests {
    private func sidecar(_ worker: String = "w") -> RawFileSidecar {
        RawFileSidecar(workerID: worker, metadata: Array("{}".utf8), receivedAt: WallTime(msSinceEpoch: 0))
    }

    private func spool(_ text: String, _ store: FolderRawStore) throws -> RawFileSpool {
        let spool = try store.makeSpool()
        var bytes = ByteBuffer()
        bytes.append(text)
        try spool.append(bytes)
        return spool
    }

    @Test func `the same bytes through two gateways at once are new once and whole for all`() async throws {
        let folder = try TemporaryFolder()
        let stores = [FolderRawStore(root: folder.path("raw")), FolderRawStore(root: folder.path("raw"))]
        for store in stores { try store.open() }
        for round in 0..<20 {
            let text = String(repeating: "round \(round) ", count: 5000)
            let stored = try await withThrowingTaskGroup(of: StoredRawFile.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        let store = stores[number % 2]
                        return try store.store(try spool(text, store), sidecar("w\(number)"))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(stored.count { !$0.isDuplicate } == 1)
            #expect(Set(stored.map(\.key)).count == 1)
            #expect(try folder.read("raw/\(stored[0].key)") == text)
            let names = try FileManager.default.contentsOfDirectory(
                atPath: URL(fileURLWithPath: folder.path("raw/\(stored[0].key)")).deletingLastPathComponent().path)
            #expect(names.count { $0.hasSuffix(".json") } == 8)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("raw/incoming")).isEmpty)
    }

    @Test func `a start sweeps what a crash left and leaves another gateway's uploads alone`() throws {
        let folder = try TemporaryFolder()
        let running = FolderRawStore(root: folder.path("raw"))
        try running.open()
        let upload = try spool("under way", running)
        try folder.write("left", to: "raw/incoming/tmp-00112233445566778899aabbccddeeff")
        try FolderRawStore(root: folder.path("raw")).open()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("raw/incoming")).count == 1)
        let stored = try running.store(upload, sidecar())
        #expect(try folder.read("raw/\(stored.key)") == "under way")
    }

    @Test func `a stored file of the wrong size is replaced`() throws {
        let folder = try TemporaryFolder()
        let store = FolderRawStore(root: folder.path("raw"))
        try store.open()
        let key = try store.store(try spool("the bytes", store), sidecar()).key
        try folder.write("the", to: "raw/\(key)")
        #expect(try !store.store(try spool("the bytes", store), sidecar()).isDuplicate)
        #expect(try folder.read("raw/\(key)") == "the bytes")
    }

    @Test func `folders that were removed while the gateway runs are made anew`() throws {
        let folder = try TemporaryFolder()
        let store = FolderRawStore(root: folder.path("raw"))
        try store.open()
        let key = try store.store(try spool("text", store), sidecar()).key
        try FileManager.default.removeItem(atPath: folder.path("raw/\(key.prefix(2))"))
        #expect(try !store.store(try spool("text", store), sidecar()).isDuplicate)
        try FileManager.default.removeItem(atPath: folder.path("raw"))
        #expect(try !store.store(try spool("text", store), sidecar()).isDuplicate)
        #expect(try folder.read("raw/\(key)") == "text")
    }

    @Test func `a root that is no folder fails the start`() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "file")
        #expect(throws: RawFileFailure.self) { try FolderRawStore(root: folder.path("file/raw")).open() }
    }

    @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount a tmpfs"))
    func `a full disk is told as such and leaves room for others again`() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        let store = FolderRawStore(root: disk.folder.path("raw"))
        try store.open()
        let half = String(repeating: "x", count: 700 << 10)
        do {
            let first = try spool(half, store)
            let failure = #expect(throws: RawFileFailure.self) { _ = try spool(half, store) }
            #expect(failure?.kind == .full)
            withExtendedLifetime(first) {}
        }
        _ = try store.store(try spool(half, store), sidecar())
    }
}

/// A file system of a given size. Mounted while it lives.
private final class SmallDisk {
    let folder: TemporaryFolder

    static let isPossible: Bool = {
        // Not allowed here: the test is left out and says so.
        (try? SmallDisk(bytes: 1 << 20)) != nil
    }()

    init(bytes: Int) throws {
        folder = try TemporaryFolder()
        let mounted = try ChildProcess.run("mount", ["-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", folder.path])
        guard mounted.isSuccess else { throw TestFailure("mount: \(mounted.errors)") }
    }

    // The sweep of the test run removes what stays.
    deinit { _ = try? ChildProcess.run("umount", ["-l", folder.path]) }
}
