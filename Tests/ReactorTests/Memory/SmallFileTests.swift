// Whole small files.
import Foundation
import Testing

@testable import Reactor

@Suite struct SmallFileTests {
    private func temporary(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "small-\(UUID().uuidString)").path
        try #require(FileManager.default.createFile(atPath: path, contents: Data(bytes)))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func `a file is read whole up to the largest size, and refused above it`() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        try temporary(bytes) { path in
            let read = try readFile(at: path, bytesMax: 1000)
            #expect(read == bytes)
            let error = #expect(throws: FileError.self) { try readFile(at: path, bytesMax: 999) }
            #expect(error?.description == "File too large")
            try checkFileIsReadable(at: path)
        }
        try temporary([]) { path in
            let nothing = try readFile(at: path, bytesMax: 10)
            #expect(nothing == [])
        }
    }

    @Test func `a missing file and a folder say so`() {
        let missing = #expect(throws: FileError.self) { try readFile(at: "/no/such", bytesMax: 10) }
        #expect(missing?.description == "No such file or directory")
        #expect(missing?.isMissing == true)
        let folder = #expect(throws: FileError.self) { try readFile(at: "/", bytesMax: 10) }
        #expect(folder?.description == "Is a directory")
        #expect(folder?.isMissing == false)
        #expect(throws: FileError(code: 2)) { try checkFileIsReadable(at: "/no/such") }
        #expect(throws: FileError(code: 21)) { try checkFileIsReadable(at: "/") }
        #expect(FileError(code: 99_999).description == "unknown error")
    }
}
