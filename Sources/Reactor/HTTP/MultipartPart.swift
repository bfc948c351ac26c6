// What a part's header block says. Pure; read once a part, so it may make strings.
// Source: RFC 7578 section 4 (Content-Disposition, Content-Type, encodings), RFC 2046 section 5.1.

/// One part of a form.
public struct MultipartPart: Equatable, Sendable {
    public var name = ""
    /// Whether the part came with a file name. The name itself is the client's affair.
    public var isFile = false
    /// As it was sent; nil where it was not.
    public var contentType: String?

    public init() {}

    /// - Parameters:
    ///   - block: whole lines, each with its CRLF, without the blank line.
    ///   - offset: of `block` in the body, for failures.
    init(headerBlock block: RawSpan, at offset: Int) throws(MultipartFailure) {
        var hasDisposition = false
        var lineStart = 0
        while lineStart < block.byteCount {
            let lineEnd = try Self.endOfLine(block, from: lineStart, offset)
            let line = block.extracting(lineStart..<lineEnd)
            var reader = HeaderValueReader(line)
            if line.byte(at: 0) == 0x20 || line.byte(at: 0) == 0x09 {
                throw MultipartFailure(.foldedHeader, atByte: offset + lineStart)
            }
            let field = reader.lowercasedToken()
            guard !field.isEmpty, reader.skip(UInt8(ascii: ":")) else {
                throw MultipartFailure(.headerMalformed, atByte: offset + lineStart + reader.at)
            }
            reader.skipSpace()
            switch field {
            case "content-disposition":
                if hasDisposition { throw MultipartFailure(.dispositionRepeated, atByte: offset + lineStart) }
                hasDisposition = true
                try readDisposition(&reader, at: offset + lineStart)
            case "content-type":
                contentType = line.extracting(reader.at..<line.byteCount).string
            case "content-transfer-encoding":
                guard ["binary", "8bit", "7bit"].contains(reader.lowercasedToken()) else {
                    throw MultipartFailure(.encodingUnsupported, atByte: offset + lineStart)
                }
            default: break
            }
            lineStart = lineEnd + 2
        }
        if !hasDisposition { throw MultipartFailure(.dispositionMissing, atByte: offset) }
    }

    /// The index of the CRLF that ends the line; the line is not empty.
    private static func endOfLine(_ block: RawSpan, from start: Int, _ offset: Int) throws(MultipartFailure) -> Int {
        var at = start
        while at < block.byteCount {
            let byte = block.byte(at: at)
            if byte == 0x0D, at > start, at + 1 < block.byteCount, block.byte(at: at + 1) == 0x0A { return at }
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { break }
            at += 1
        }
        throw MultipartFailure(.lineMalformed, atByte: offset + at)
    }

    /// `form-data; name="…"; filename="…"`.
    private mutating func readDisposition(_ reader: inout HeaderValueReader, at offset: Int) throws(MultipartFailure) {
        guard reader.lowercasedToken() == "form-data" else {
            throw MultipartFailure(.dispositionInvalid, atByte: offset + reader.at)
        }
        var hasName = false
        do throws(MultipartFailure) {
            while try reader.parameterFollows(.dispositionInvalid) {
                let parameter = reader.lowercasedToken()
                let isName = parameter == "name"
                guard !parameter.isEmpty, !(isName && hasName), reader.skip(UInt8(ascii: "=")),
                    let value = reader.parameterValue()
                else { throw MultipartFailure(.dispositionInvalid, atByte: reader.at) }
                if isName {
                    hasName = true
                    name = value
                }
                // `filename*` is forbidden by RFC 7578 and sent all the same for names beyond ASCII.
                if parameter == "filename" || parameter == "filename*" { isFile = true }
            }
        } catch {
            throw MultipartFailure(error.reason, atByte: offset + error.atByte)
        }
        if !hasName || name.isEmpty { throw MultipartFailure(.nameMissing, atByte: offset) }
    }
}
