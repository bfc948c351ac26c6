// Why a multipart body is refused, with the byte at fault; and every bound of reading one. Plain data.

/// A refused multipart body.
public struct MultipartFailure: Error, Equatable, Sendable {
    public enum Reason: UInt8, CaseIterable, Sendable {
        case notMultipart, boundaryMissing, boundaryInvalid, boundaryRepeated
        case preambleTooLong, delimiterMalformed, epilogueTooLong
        case headersTooLarge, lineMalformed, headerMalformed, foldedHeader
        case dispositionMissing, dispositionRepeated, dispositionInvalid, nameMissing, encodingUnsupported
        case tooManyParts, partTooLarge, noParts, endedEarly
    }

    public let reason: Reason
    /// From the start of the body; of the Content-Type's value for what is wrong there.
    public let atByte: Int

    public init(_ reason: Reason, atByte: Int) {
        self.reason = reason
        self.atByte = atByte
    }

    /// What is wrong, as half a sentence.
    public var text: StaticString {
        switch reason {
        case .notMultipart: "expected the content type multipart/form-data"
        case .boundaryMissing: "the content type has no boundary"
        case .boundaryInvalid: "the boundary is not 1 to 70 of the characters that RFC 2046 allows"
        case .boundaryRepeated: "the content type has more than one boundary"
        case .preambleTooLong: "no boundary at the start of the body"
        case .delimiterMalformed: "malformed boundary line"
        case .epilogueTooLong: "too many bytes after the last part"
        case .headersTooLarge: "part headers too large"
        case .lineMalformed: "a line of part headers must end with CRLF and hold no control characters"
        case .headerMalformed: "malformed part header"
        case .foldedHeader: "folded part header"
        case .dispositionMissing: "part without Content-Disposition"
        case .dispositionRepeated: "part with more than one Content-Disposition"
        case .dispositionInvalid: "invalid Content-Disposition"
        case .nameMissing: "part without a name"
        case .encodingUnsupported: "only the transfer encodings binary, 8bit and 7bit are supported in a part"
        case .tooManyParts: "too many parts"
        case .partTooLarge: "part too large"
        case .noParts: "no parts"
        case .endedEarly: "the body ends before the last boundary"
        }
    }

    /// HTTP status: 415, 413 or 400.
    public var status: HTTPStatus {
        switch reason {
        case .notMultipart: .unsupportedMediaType
        case .partTooLarge: .contentTooLarge
        default: .badRequest
        }
    }
}

/// What one multipart body may use.
public struct MultipartLimits: Sendable {
    /// Bytes before the first boundary and, each for itself, after the last.
    public var outsideBytesMax = 1024
    /// The header lines of one part together.
    public var headerBytesMax = 4096
    public var partsMax = 16
    /// A part without a file name, unless its reader sets another bound.
    public var fieldBytesMax = 64 * 1024
    /// A part with a file name, likewise.
    public var fileBytesMax = 64 * 1024 * 1024
    /// Spaces and tabs that may follow a boundary on its line.
    public var paddingBytesMax = 64

    public init() {}
}
