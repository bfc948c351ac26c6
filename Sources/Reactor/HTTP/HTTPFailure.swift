// Why a message is refused by the HTTP layer: status, error code of the contract, message with the byte at fault.
// Plain data, a typed error that allocates nothing. After any of these but an escape's the connection must close,
// for nobody knows where the next request starts. Source: the contract's error table; RFC 9112.

/// A refused request.
public struct HTTPFailure: Error, Equatable, Sendable {
    /// What is wrong. Raw values up to 15 are those of creactor/http.h.
    public enum Reason: UInt8, CaseIterable, Sendable {
        case controlCharacter = 1, bareLineFeed = 2, bareCarriageReturn = 3
        case requestLineMalformed = 4, methodTooLong = 5, targetCharacter = 6, targetTooLong = 7
        case versionMalformed = 8, versionUnsupported = 9
        case headersTooLarge = 10, headersTooMany = 11
        case fieldWithoutColon = 12, fieldNameInvalid = 13, foldedLine = 14, spaceBeforeColon = 15
        case targetForm = 16, connectUnsupported = 17
        case hostMissing = 18, hostRepeated = 19, hostInvalid = 20
        case contentLengthInvalid = 21, contentLengthRepeated = 22, lengthAndTransferEncoding = 23
        case transferEncodingRepeated = 24, transferEncodingMalformed = 25, transferEncodingUnknown = 26
        case transferEncodingBeforeHTTP11 = 27
        case expectationUnknown = 28
        case chunkSizeInvalid = 29, chunkExtensionInvalid = 30, chunkExtensionTooLong = 31, chunkUnterminated = 32
        case trailerInvalid = 33, trailersTooLarge = 34
        case bodyTooLarge = 35
        case escapeInvalid = 36, escapedNUL = 37, escapedUTF8Invalid = 38
        // Of responses only.
        case statusLineMalformed = 39, protocolSwitched = 40, interimTooMany = 41
    }

    public let reason: Reason
    /// The byte at fault: from the start of the request for heads, of the body for chunks, of the text for escapes.
    public let atByte: Int

    @inlinable
    public init(_ reason: Reason, atByte: Int) {
        self.reason = reason
        self.atByte = atByte
    }

    public var status: HTTPStatus {
        switch reason {
        case .methodTooLong, .connectUnsupported, .transferEncodingUnknown: .notImplemented
        case .targetTooLong: .uriTooLong
        case .versionUnsupported: .versionNotSupported
        case .headersTooLarge, .headersTooMany, .trailersTooLarge: .headersTooLarge
        case .expectationUnknown: .expectationFailed
        case .bodyTooLarge: .contentTooLarge
        default: .badRequest
        }
    }

    /// The `error.code` of the contract.
    public var code: StaticString {
        switch status {
        case .notImplemented: "NOT_IMPLEMENTED"
        case .uriTooLong: "URI_TOO_LONG"
        case .versionNotSupported: "HTTP_VERSION_NOT_SUPPORTED"
        case .headersTooLarge: "HEADERS_TOO_LARGE"
        case .expectationFailed: "EXPECTATION_FAILED"
        case .contentTooLarge: "PAYLOAD_TOO_LARGE"
        default: "INVALID_REQUEST"
        }
    }

    /// Appends the message: "<what is wrong> at byte <n>". Plain ASCII that needs no JSON escaping.
    public func appendMessage(to buffer: inout ByteBuffer) {
        buffer.append(text)
        buffer.append(" at byte ")
        buffer.append(decimal: atByte)
    }

    var text: StaticString {
        switch reason {
        case .controlCharacter: "control character"
        case .bareLineFeed: "line feed without carriage return"
        case .bareCarriageReturn: "carriage return without line feed"
        case .requestLineMalformed: "malformed request line: expected a method and one space"
        case .methodTooLong: "method name too long"
        case .targetCharacter: "character not allowed in the request target"
        case .targetTooLong: "request target too long"
        case .versionMalformed: "malformed HTTP version"
        case .versionUnsupported: "only HTTP/1.0 and HTTP/1.1 are supported"
        case .headersTooLarge: "header block too large"
        case .headersTooMany: "too many header lines"
        case .fieldWithoutColon: "header line without a colon"
        case .fieldNameInvalid: "invalid header name"
        case .foldedLine: "folded header line"
        case .spaceBeforeColon: "whitespace between header name and colon"
        case .targetForm: "request target of a form not allowed for this method"
        case .connectUnsupported: "CONNECT is not implemented"
        case .hostMissing: "Host header missing"
        case .hostRepeated: "more than one Host header"
        case .hostInvalid: "invalid Host header"
        case .contentLengthInvalid: "invalid Content-Length"
        case .contentLengthRepeated: "more than one Content-Length"
        case .lengthAndTransferEncoding: "Content-Length together with Transfer-Encoding"
        case .transferEncodingRepeated: "more than one Transfer-Encoding"
        case .transferEncodingMalformed: "malformed Transfer-Encoding"
        case .transferEncodingUnknown: "only the transfer coding chunked is implemented"
        case .transferEncodingBeforeHTTP11: "Transfer-Encoding in an HTTP/1.0 message"
        case .expectationUnknown: "only the expectation 100-continue can be met"
        case .chunkSizeInvalid: "invalid chunk size"
        case .chunkExtensionInvalid: "invalid chunk extension"
        case .chunkExtensionTooLong: "chunk extensions too long"
        case .chunkUnterminated: "chunk not ended by CRLF"
        case .trailerInvalid: "invalid trailer line"
        case .trailersTooLarge: "trailers too large"
        case .bodyTooLarge: "body too large"
        case .escapeInvalid: "invalid percent-encoding"
        case .escapedNUL: "encoded NUL"
        case .escapedUTF8Invalid: "percent-encoding of invalid UTF-8"
        case .statusLineMalformed: "malformed status line"
        case .protocolSwitched: "switch of protocols that nobody asked for"
        case .interimTooMany: "too many interim responses"
        }
    }
}

extension HTTPFailure: CustomStringConvertible {
    public var description: String { "\(status.code) \(text) at byte \(atByte)" }
}
