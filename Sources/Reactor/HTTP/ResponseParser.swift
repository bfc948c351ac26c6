// Parses the head of an HTTP/1.1 response. Stateless and pure; allocates nothing; any thread, with a table of its own.
// As strict as RequestParser and for its reason: whatever two readers could end in two places is refused.
// Limits: ResponseLimits. Source: RFC 9112 sections 4 to 6, RFC 9110 section 15.

import CReactor

/// The bounds of one response's heads.
public struct ResponseLimits: Sendable {
    /// Bytes of the reason phrase.
    public var reasonBytesMax = 512
    /// Bytes of all header lines with the blank line that ends them.
    public var headerBytesMax = 64 * 1024
    /// Header lines; never more than the table holds.
    public var headerCountMax = 200
    /// Interim responses (1xx) before the final one.
    public var interimMax = 16

    public init() {}

    /// No head within the limits is longer: version, status and the spaces and line end around the reason, headers.
    var headBytesMax: Int { 8 + 5 + reasonBytesMax + 2 + headerBytesMax }
}

/// How the end of a response's body is found.
public enum ResponseFraming: Equatable, Sendable {
    /// There is no body.
    case none
    case length(Int)
    case chunked
    /// The body ends with the connection.
    case close
}

/// One parsed response head, its header lines apart (HeaderTable has those). Ranges count from the head's first byte.
public struct ResponseHeadView: Equatable, Sendable {
    public var status = 0
    public var version = HTTPVersion.http11
    /// The connection may carry another response after this one.
    public var keepAlive = false
    public var framing = ResponseFraming.none
    /// May be empty.
    public var reason = ByteRange.empty
    /// Bytes of the head, blank line included: the body starts here.
    public var byteCount = 0

    init() {}

    /// 1xx: another response follows.
    public var isInterim: Bool { status < 200 }
}

public enum ResponseParser {
    /// Parses one response head.
    /// - Parameters:
    ///   - bytes: all that has been received of it so far, from its first byte on; may hold more than the head.
    ///   - isToHEAD: it answers a HEAD request, and so has no body whatever its header lines say.
    ///   - progress: as the last call for this head left it.
    ///   - table: receives the header lines.
    /// - Returns: the head, or nil where more bytes are needed.
    /// - Throws: what is wrong; the connection must close.
    public static func parse(
        _ bytes: RawSpan, isToHEAD: Bool, limits: ResponseLimits, progress: inout HeadProgress,
        into table: inout HeaderTable
    ) throws(HTTPFailure) -> ResponseHeadView? {
        // Offsets are 32 bits; no head is longer than `headBytesMax`, so what lies beyond is never looked at.
        let count = min(bytes.byteCount, limits.headBytesMax + 1)
        if progress.wasIncomplete, count <= limits.headBytesMax, !mayBeComplete(bytes, count, &progress) { return nil }
        var head = ResponseHeadView()
        guard let fieldsStart = try scanStatusLine(bytes, count, limits, &head),
            try scanFields(bytes, count, from: fieldsStart, limits, &head, &table)
        else {
            progress.wasIncomplete = true
            return nil
        }
        progress = HeadProgress()
        if head.status == 101 { throw HTTPFailure(.protocolSwitched, atByte: 9) }
        head.framing = try framing(bytes, head, table, isToHEAD: isToHEAD)
        head.keepAlive = staysOpen(bytes, head, table)
        return head
    }

    private static func mayBeComplete(_ bytes: RawSpan, _ count: Int, _ progress: inout HeadProgress) -> Bool {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            return cr_http_head_ended(base, UInt32(count), &progress.resumeOffset) != 0
        }
    }

    /// `HTTP/1.d SP ddd [SP reason] CR LF`: servers that leave out the space before no reason are understood.
    /// - Returns: where the header lines start; nil where more bytes are needed.
    private static func scanStatusLine(
        _ bytes: RawSpan, _ count: Int, _ limits: ResponseLimits, _ head: inout ResponseHeadView
    ) throws(HTTPFailure) -> Int? {
        let shape: StaticString = "HTTP/1.0 000"
        for at in 0..<12 {
            guard at < count else { return nil }
            let byte = bytes.byte(at: at)
            // `at` is below the literal's length.
            let wanted = shape.utf8Start[at]
            let isRight = wanted == UInt8(ascii: "0") ? byte &- 0x30 < 10 : byte == wanted
            if !isRight {
                let isVersion = at == 5 && byte &- 0x30 < 10
                throw HTTPFailure(isVersion ? .versionUnsupported : .statusLineMalformed, atByte: at)
            }
            if at >= 9 { head.status = head.status * 10 + Int(byte &- 0x30) }
        }
        head.version = bytes.byte(at: 7) == UInt8(ascii: "0") ? .http10 : .http11
        guard (100...599).contains(head.status) else { throw HTTPFailure(.statusLineMalformed, atByte: 9) }
        guard count > 12 else { return nil }
        var at = 12
        if bytes.byte(at: at) == UInt8(ascii: " ") {
            at += 1
            let end = min(count, at + limits.reasonBytesMax + 1)
            while at < end, isReasonByte(bytes.byte(at: at)) { at += 1 }
            if at - 13 > limits.reasonBytesMax { throw HTTPFailure(.headersTooLarge, atByte: at) }
            guard at < count else { return nil }
            head.reason = ByteRange(offset: 13, count: at - 13)
        }
        switch bytes.byte(at: at) {
        case 0x0D: break
        case 0x0A: throw HTTPFailure(.bareLineFeed, atByte: at)
        default: throw HTTPFailure(.statusLineMalformed, atByte: at)
        }
        guard at + 1 < count else { return nil }
        guard bytes.byte(at: at + 1) == 0x0A else { throw HTTPFailure(.bareCarriageReturn, atByte: at) }
        return at + 2
    }

    private static func isReasonByte(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    /// False where more bytes are needed.
    private static func scanFields(
        _ bytes: RawSpan, _ count: Int, from start: Int, _ limits: ResponseLimits, _ head: inout ResponseHeadView,
        _ table: inout HeaderTable
    ) throws(HTTPFailure) -> Bool {
        table.reset()
        var fields = cr_http_fields()
        let linesMax = UInt32(min(limits.headerCountMax, table.capacity))
        let result = bytes.withUnsafeBytes { raw -> Int32 in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return Int32(CR_HTTP_MORE) }
            // HeaderField and cr_http_field, ByteRange and cr_http_range have one layout; the table outlives the call.
            return cr_http_scan_fields(
                base, UInt32(count), UInt32(start), UInt32(limits.headerBytesMax), linesMax,
                UnsafeMutableRawPointer(table.fields).assumingMemoryBound(to: cr_http_field.self),
                UnsafeMutableRawPointer(table.known).assumingMemoryBound(to: cr_http_range.self), &fields)
        }
        if result == CR_HTTP_MORE { return false }
        guard result == CR_HTTP_DONE else {
            // The scanner returns nothing but DONE, MORE and the reasons that share its numbers.
            throw HTTPFailure(HTTPFailure.Reason(rawValue: UInt8(result))!, atByte: Int(fields.at))
        }
        table.count = Int(fields.count)
        table.repeated = fields.repeated
        head.byteCount = Int(fields.at)
        return true
    }

    // MARK: Judgement

    /// RFC 9112 section 6.3, without its leniencies: a length beside a coding, two lengths (equal ones too) and a coding
    /// that is not exactly `chunked` are refused. They are judged where there is no body as well.
    private static func framing(
        _ bytes: RawSpan, _ head: ResponseHeadView, _ table: borrowing HeaderTable, isToHEAD: Bool
    ) throws(HTTPFailure) -> ResponseFraming {
        let hasNoBody = isToHEAD || HTTPStatus(head.status).hasNoBody
        if let coding = table[.transferEncoding] {
            let at = Int(coding.offset)
            if head.version == .http10 { throw HTTPFailure(.transferEncodingBeforeHTTP11, atByte: at) }
            if table[.contentLength] != nil { throw HTTPFailure(.lengthAndTransferEncoding, atByte: at) }
            if table.isRepeated(.transferEncoding) { throw HTTPFailure(.transferEncodingRepeated, atByte: at) }
            guard bytes.slice(coding).equalsIgnoringCase("chunked") else {
                throw HTTPFailure(.transferEncodingUnknown, atByte: at)
            }
            return hasNoBody ? .none : .chunked
        }
        guard let length = table[.contentLength] else { return hasNoBody ? .none : .close }
        if table.isRepeated(.contentLength) { throw HTTPFailure(.contentLengthRepeated, atByte: Int(length.offset)) }
        guard let count = RequestParser.decimal(bytes.slice(length)) else {
            throw HTTPFailure(.contentLengthInvalid, atByte: Int(length.offset))
        }
        return hasNoBody ? .none : .length(count)
    }

    /// RFC 9112 section 9.3; and a body announced where none may be (204) leaves doubt about what follows.
    private static func staysOpen(
        _ bytes: RawSpan, _ head: ResponseHeadView, _ table: borrowing HeaderTable
    ) -> Bool {
        if head.framing == .close { return false }
        if head.status == 204, table[.transferEncoding] != nil || table[.contentLength] != nil { return false }
        guard let connection = table[.connection] else { return head.version == .http11 }
        if table.isRepeated(.connection) { return false }
        var items = ListItems(connection)
        var keepAlive = false
        while let item = items.next(in: bytes) {
            let option = bytes.slice(item)
            if option.equalsIgnoringCase("close") { return false }
            if option.equalsIgnoringCase("keep-alive") { keepAlive = true }
        }
        return head.version == .http11 || keepAlive
    }
}
