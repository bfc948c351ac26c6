// The boundary of a multipart body, out of the request's Content-Type. Pure.
// Limit: 70 characters. Source: RFC 2046 section 5.1.1, RFC 9110 section 8.3.1 (parameters), RFC 7578 section 4.1.
// Unquoted values may hold any boundary character but the space: clients forget the quotes.

public struct MultipartBoundary: Equatable, Sendable {
    public static let charactersMax = 70

    /// 1 to 70 ASCII characters.
    public let text: String

    /// - Parameter contentType: the header's value.
    /// - Throws: `.notMultipart` for another type; `atByte` counts in `contentType`.
    public init(contentType: RawSpan) throws(MultipartFailure) {
        var reader = HeaderValueReader(contentType)
        guard reader.lowercasedToken() == "multipart", reader.skip(UInt8(ascii: "/")),
            reader.lowercasedToken() == "form-data"
        else { throw MultipartFailure(.notMultipart, atByte: 0) }
        var found: String?
        while try reader.parameterFollows(.boundaryInvalid) {
            let name = reader.lowercasedToken()
            guard !name.isEmpty, reader.skip(UInt8(ascii: "=")) else {
                throw MultipartFailure(.boundaryInvalid, atByte: reader.at)
            }
            let start = reader.at
            guard let value = reader.parameterValue() else {
                throw MultipartFailure(.boundaryInvalid, atByte: start)
            }
            guard name == "boundary" else { continue }
            if found != nil { throw MultipartFailure(.boundaryRepeated, atByte: start) }
            guard Self.isValid(value) else { throw MultipartFailure(.boundaryInvalid, atByte: start) }
            found = value
        }
        guard let found else { throw MultipartFailure(.boundaryMissing, atByte: contentType.byteCount) }
        text = found
    }

    /// - Parameter text: a boundary; nil for what can be none.
    public init?(_ text: String) {
        guard Self.isValid(text) else { return nil }
        self.text = text
    }

    private static func isValid(_ text: String) -> Bool {
        (1...charactersMax).contains(text.utf8.count) && !text.hasSuffix(" ") && text.utf8.allSatisfy(isCharacter)
    }

    static func isCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "'()+_,-./:=? ".utf8.contains(byte)
        }
    }
}

/// Reads a header value of the form `token/token; name=value; name="value"`. For values read once a request at most.
struct HeaderValueReader: ~Escapable {
    private let bytes: RawSpan
    private(set) var at = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.byteCount }

    @_lifetime(self: copy self)
    mutating func skip(_ byte: UInt8) -> Bool {
        guard !isAtEnd, bytes.byte(at: at) == byte else { return false }
        at += 1
        return true
    }

    @_lifetime(self: copy self)
    mutating func skipSpace() {
        while !isAtEnd, bytes.byte(at: at) == 0x20 || bytes.byte(at: at) == 0x09 { at += 1 }
    }

    /// The token that comes next, ASCII letters in lower case; empty where none does.
    @_lifetime(self: copy self)
    mutating func lowercasedToken() -> String {
        let start = at
        while !isAtEnd, Self.isTokenByte(bytes.byte(at: at)) { at += 1 }
        return bytes.extracting(start..<at).string.lowercased()
    }

    /// Whether another parameter follows, whose name comes next. Semicolons without one are passed over.
    /// - Throws: `reason` where anything but a semicolon comes next.
    @_lifetime(self: copy self)
    mutating func parameterFollows(_ reason: MultipartFailure.Reason) throws(MultipartFailure) -> Bool {
        skipSpace()
        if isAtEnd { return false }
        guard skip(UInt8(ascii: ";")) else { throw MultipartFailure(reason, atByte: at) }
        repeat { skipSpace() } while skip(UInt8(ascii: ";"))
        return !isAtEnd
    }

    /// The value of a parameter: a quoted string with its escapes resolved, or all up to a space or semicolon. Nil for a
    /// quoted string without an end. Invalid UTF-8 becomes U+FFFD.
    @_lifetime(self: copy self)
    mutating func parameterValue() -> String? {
        guard skip(UInt8(ascii: "\"")) else {
            let start = at
            while !isAtEnd, !" \t;".utf8.contains(bytes.byte(at: at)) { at += 1 }
            return bytes.extracting(start..<at).string
        }
        var value: [UInt8] = []
        while !isAtEnd {
            let byte = bytes.byte(at: at)
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: value, as: UTF8.self) }
            // Only a quote is taken as escaped: Windows paths come with single backslashes.
            if byte == UInt8(ascii: "\\"), skip(UInt8(ascii: "\"")) {
                value.append(UInt8(ascii: "\""))
            } else {
                value.append(byte)
            }
        }
        return nil
    }

    /// Source: RFC 9110 section 5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
