// Fixtures of the multipart tests: bodies cut anywhere, what a parser made of them, and a second, naive parser.

import Reactor
import TestSupport

/// A part with all its data.
struct ReadPart: Equatable {
    var name: String
    var isFile = false
    var contentType: String?
    var data: [UInt8]
    var text: String { String(decoding: data, as: UTF8.self) }
}

/// What a body came to.
enum FormVerdict: Equatable {
    case parts([ReadPart])
    case failure(MultipartFailure)

    var parts: [ReadPart]? { if case .parts(let parts) = self { parts } else { nil } }
    var failure: MultipartFailure? { if case .failure(let failure) = self { failure } else { nil } }
    var reason: MultipartFailure.Reason? { failure?.reason }
}

/// Parses a body that arrives in pieces of the given lengths, the rest in one. Pieces end at guard pages.
func form(
    _ body: [UInt8], boundary: String = "B", limits: MultipartLimits = MultipartLimits(), cut lengths: [Int] = []
) -> FormVerdict {
    guard let boundary = MultipartBoundary(boundary) else { preconditionFailure("no boundary: \(boundary)") }
    var parser = MultipartParser(boundary: boundary, limits: limits)
    var parts: [ReadPart] = []
    var isOpen = false
    var isFinished = false
    do throws(MultipartFailure) {
        var start = 0
        for length in lengths + [body.count - lengths.reduce(0, +)] {
            let piece = body[start..<start + length]
            start += length
            try GuardedBytes(piece).withSpan { span throws(MultipartFailure) in
                while let event = try parser.next(span) {
                    precondition(!isFinished, "an event after the last")
                    switch event {
                    case .partBegan:
                        precondition(!isOpen, "a part in a part")
                        isOpen = true
                        let part = parser.part
                        parts.append(
                            ReadPart(name: part.name, isFile: part.isFile, contentType: part.contentType, data: []))
                    case .data(let range):
                        precondition(isOpen && !range.isEmpty, "data outside of a part, or none")
                        parts[parts.count - 1].data += Array(copying: span.slice(range))
                    case .heldData(let range):
                        precondition(isOpen && !range.isEmpty, "data outside of a part, or none")
                        parts[parts.count - 1].data += Array(copying: parser.delimiter.slice(range))
                    case .partEnded:
                        precondition(isOpen, "ended twice")
                        isOpen = false
                    case .finished: isFinished = true
                    }
                }
            }
        }
        try parser.end()
    } catch {
        return .failure(error)
    }
    precondition(isFinished && !isOpen, "an end without its events")
    return .parts(parts)
}

func form(
    _ text: String, boundary: String = "B", limits: MultipartLimits = MultipartLimits(), cut lengths: [Int] = []
) -> FormVerdict {
    form(Array(text.utf8), boundary: boundary, limits: limits, cut: lengths)
}

/// A form as clients write it.
func formBytes(_ parts: [ReadPart], boundary: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
        bytes += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(part.name)\"".utf8)
        if part.isFile { bytes += Array("; filename=\"f.bin\"".utf8) }
        bytes += Array("\r\n".utf8)
        if let type = part.contentType { bytes += Array("Content-Type: \(type)\r\n".utf8) }
        bytes += Array("\r\n".utf8) + part.data + Array("\r\n".utf8)
    }
    return bytes + Array("--\(boundary)--\r\n".utf8)
}

/// The data of the parts of a whole body, found by searching for the delimiter and nothing else. Nil for a body that is
/// not made of parts.
func naiveParts(_ body: [UInt8], boundary: String) -> [[UInt8]]? {
    let delimiter = Array("\r\n--\(boundary)".utf8)
    let framed = Array("\r\n".utf8) + body
    var cuts: [Int] = []
    var at = 0
    while at + delimiter.count <= framed.count {
        if Array(framed[at..<at + delimiter.count]) == delimiter {
            cuts.append(at)
            at += delimiter.count
        } else {
            at += 1
        }
    }
    var parts: [[UInt8]] = []
    for (index, cut) in cuts.enumerated() {
        let line = framed[(cut + delimiter.count)...]
        if line.starts(with: Array("--".utf8)) {
            let rest = line.dropFirst(2)
            return rest.isEmpty || rest.starts(with: Array("\r\n".utf8)) ? parts : nil
        }
        let start = cut + delimiter.count + 2
        // Two boundaries that share a line end hold no part between them.
        guard line.starts(with: Array("\r\n".utf8)), index + 1 < cuts.count, start <= cuts[index + 1] else {
            return nil
        }
        // With the delimiter's own line end, which may be that of the blank line: then there is no data.
        let content = Array(framed[start..<cuts[index + 1] + 2])
        let blank = Array("\r\n\r\n".utf8)
        guard let end = content.indices.first(where: { content[$0...].starts(with: blank) }) else { return nil }
        parts.append(Array(content[(end + 4)...].dropLast(2)))
    }
    return nil
}
