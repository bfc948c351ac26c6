// Temporary files: their names go with them, published ones stay, and a sweep tells the abandoned from those in use.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct TemporaryFileTests {
    private func names(_ folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func `a file that was not published goes with its last owner, or when it is given up`() throws {
        let folder = try TemporaryFolder()
        var file: TemporaryFile? = try TemporaryFile(in: folder.path)
        #expect(try names(folder).count == 1)
        file = nil
        #expect(try names(folder).isEmpty && file == nil)
        let other = try TemporaryFile(in: folder.path)
        other.discard()
        #expect(try names(folder).isEmpty)
        withExtendedLifetime(other) {}
    }

    @Test func `a published file stays, is read back, and takes nobody's name`() throws {
        let folder = try TemporaryFolder()
        let first = try TemporaryFile(in: folder.path)
        try first.write(Array("first".utf8).rawBytes)
        try first.sync()
        #expect(try first.publish(as: folder.path("name")))
        let second = try TemporaryFile(in: folder.path)
        try second.write(Array("second".utf8).rawBytes)
        #expect(try !second.publish(as: folder.path("name")))
        #expect(try folder.read("name") == "first")
        #expect(try fileSize(at: folder.path("name")) == 5)
        #expect(try fileSize(at: folder.path("other")) == nil)
        var back = ByteBuffer()
        #expect(try second.read(at: 2, countMax: 3, into: &back) == 3)
        #expect(back.bytes.string == "con")
        try second.replace(folder.path("name"))
        #expect(try folder.read("name") == "second")
        #expect(try names(folder) == ["name"])
    }

    @Test func `a sweep removes what nobody holds, and neither open files nor those of other names`() throws {
        let folder = try TemporaryFolder()
        let open = try TemporaryFile(in: folder.path)
        let abandoned = "tmp-00000000000000000000000000000000"
        try folder.write("left by a crash", to: abandoned)
        try folder.write("somebody's", to: "tmp-short")
        #expect(try TemporaryFile.sweep(folder.path) == 1)
        #expect(try names(folder) == ["tmp-short", String(open.path.split(separator: "/").last ?? "")].sorted())
        withExtendedLifetime(open) {}
    }

    @Test func `a folder that is missing or forbidden is an error with its number`() throws {
        let folder = try TemporaryFolder()
        let failure = #expect(throws: FileError.self) { _ = try TemporaryFile(in: folder.path("none")) }
        #expect(failure?.isMissing == true)
        try folder.write("", to: "file")
        #expect(throws: FileError.self) { _ = try Folder.make(folder.path("file")) }
        #expect(try Folder.make(folder.path("made")))
        #expect(try !Folder.make(folder.path("made")))
    }
}
