// Fixtures of the raw file tests: forms, bodies that arrive, and what is in a storage folder.

import Foundation
import TestSupport

@testable import Gateway
@testable import Reactor

/// A form of an upload. A nil part is left out.
struct UploadForm {
    static let boundary = "------------------------60e1a20194c1cbf1"
    static let contentType = "multipart/form-data; boundary=\(boundary)"
    static let metadata =
        #"{"platform":"beacon","state":"FL","county":"Polk","parcel_id":"1-2","scraped_at":"2026-02-04T10:00:00Z"}"#

    /// What comes before a file's bytes where it is the first part.
    static let fileHead =
        "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"

    var file: [UInt8]? = Array("<html></html>".utf8)
    var fileName = "page.html"
    var metadata: String? = UploadForm.metadata
    var isMetadataFirst = false

    var bytes: [UInt8] {
        var parts: [[UInt8]] = []
        if let file {
            let head = "Content-Disposition: form-data; name=\"file\"; filename=\"\(fileName)\"\r\n\r\n"
            parts.append(Array(head.utf8) + file)
        }
        if let metadata {
            parts.append(Array("Content-Disposition: form-data; name=\"metadata\"\r\n\r\n\(metadata)".utf8))
        }
        if isMetadataFirst { parts.reverse() }
        return parts.flatMap { Array("--\(Self.boundary)\r\n".utf8) + $0 + Array("\r\n".utf8) }
            + Array("--\(Self.boundary)--\r\n".utf8)
    }
}

/// A body that has arrived.
func arrived(_ bytes: [UInt8], _ failure: RequestBody.Failure? = nil) -> RequestBody {
    let body = RequestBody()
    if !bytes.isEmpty { body.append(bytes.rawBytes) }
    if let failure { body.fail(failure) } else { body.finish() }
    return body
}

/// A body that arrives as fast as it is read and no faster: what a connection does with `HTTPLimits.streamBytesMax`.
func streamed(pieces: Int, of pieceBytes: Int, before: [UInt8], after: [UInt8]) -> RequestBody {
    let body = RequestBody()
    var left = pieces
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    func fill() {
        while left > 0, body.waitingBytes < HTTPLimits().streamBytesMax {
            // Pieces differ, so that the stored bytes show whether each came once and in order.
            piece[0] = UInt8(truncatingIfNeeded: left)
            body.append(piece.rawBytes)
            left -= 1
        }
        if left == 0 {
            left = -1
            body.append(after.rawBytes)
            body.drained = nil
            body.finish()
        }
    }
    body.append(before.rawBytes)
    body.drained = { fill() }
    return body
}

extension RawFiles {
    func receive(
        _ form: UploadForm, contentType: String = UploadForm.contentType, workerID: String = "worker-1"
    ) async -> Result<RawFileAnswer, Problem> {
        await receive(arrived(form.bytes), contentType: contentType, workerID: workerID)
    }
}

extension Result where Failure == Problem {
    var problem: Problem? { if case .failure(let problem) = self { problem } else { nil } }
}

extension Problem {
    /// The text detail of that name.
    func detail(_ wanted: String) -> String? {
        for case .text(let name, let value) in details where name.description == wanted { return value }
        return nil
    }
}

/// Raw files in a folder of their own, open.
final class FolderFixture {
    let folder: TemporaryFolder
    let files: RawFiles

    init(fileBytesMax: Int = 1 << 20) throws {
        folder = try TemporaryFolder()
        files = RawFiles(
            store: FolderRawStore(root: folder.path("raw")), fileBytesMax: fileBytesMax, threads: 4)
        try files.start()
    }

    deinit { files.close() }

    /// Paths of all files below the root, sorted.
    var paths: [String] {
        get throws {
            try FileManager.default.subpathsOfDirectory(atPath: folder.path("raw")).filter { path in
                var isFolder: ObjCBool = false
                let isThere = FileManager.default.fileExists(
                    atPath: folder.path("raw/\(path)"), isDirectory: &isFolder)
                return isThere && !isFolder.boolValue
            }.sorted()
        }
    }

    /// Waits until nothing is stored and no temporary file is left: those go on helper threads, after the answer.
    func expectNothing() throws { try eventually("nothing is stored") { try paths.isEmpty } }

    func bytes(_ path: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: folder.path("raw/\(path)"))))
    }

    func object(_ path: String) throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(bytes(path))) as? [String: Any] else {
            throw TestFailure("no JSON object in \(path)")
        }
        return object
    }
}

extension RequestBody {
    /// All of a body comes at once.
    func arrive(_ bytes: [UInt8]) {
        append(bytes.rawBytes)
        finish()
    }
}
