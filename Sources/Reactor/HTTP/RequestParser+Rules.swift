// What the lines of a head mean together: target form, host, framing, persistence, expectation.
// Pure judgement over ranges already found; refuses whatever could be read in two ways.
// Source: RFC 9112 sections 3.2 (target, Host), 6.1 to 6.3 (framing), 9.3 (persistence); RFC 9110 section 10.1.1.

import CReactor

extension RequestParser {
    static func judge(
        _ bytes: RawSpan, _ head: inout RequestHead, _ table: borrowing HeaderTable
    ) throws(HTTPFailure) {
        try judgeHost(bytes, &head, table)
        try judgeTarget(bytes, &head)
        try judgeFraming(bytes, &head, table)
        head.keepAlive = staysOpen(bytes, head, table)
        try judgeExpectation(bytes, &head, table)
    }

    /// RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0.
    private static func judgeHost(
        _ bytes: RawSpan, _ head: inout RequestHead, _ table: borrowing HeaderTable
    ) throws(HTTPFailure) {
        guard let host = table[.host] else {
            if head.version == .http11 { throw HTTPFailure(.hostMissing, atByte: head.byteCount) }
            return
        }
        if table.isRepeated(.host) { throw HTTPFailure(.hostRepeated, atByte: Int(host.offset)) }
        if !isAuthority(bytes.slice(host)) { throw HTTPFailure(.hostInvalid, atByte: Int(host.offset)) }
        head.authority = host
    }

    /// RFC 9112 section 3.2: origin-form, absolute-form, and `*` for OPTIONS.
    private static func judgeTarget(_ bytes: RawSpan, _ head: inout RequestHead) throws(HTTPFailure) {
        let start = Int(head.target.offset)
        if head.method == .connect { throw HTTPFailure(.connectUnsupported, atByte: Int(head.methodName.offset)) }
        let first = bytes.byte(at: start)
        if first == UInt8(ascii: "/") { return }
        if first == UInt8(ascii: "*"), head.target.count == 1, head.method == .options { return }
        let path = bytes.slice(head.path)
        var schemeCount = 0
        if path.byteCount > 7, path.extracting(0..<7).equalsIgnoringCase("http://") {
            schemeCount = 7
        } else if path.byteCount > 8, path.extracting(0..<8).equalsIgnoringCase("https://") {
            schemeCount = 8
        } else {
            throw HTTPFailure(.targetForm, atByte: start)
        }
        var end = schemeCount
        while end < path.byteCount, path.byte(at: end) != UInt8(ascii: "/") { end += 1 }
        guard isAuthority(path.extracting(schemeCount..<end)) else {
            throw HTTPFailure(.targetForm, atByte: start + schemeCount)
        }
        head.authority = ByteRange(offset: start + schemeCount, count: end - schemeCount)
        head.path = ByteRange(offset: start + end, count: path.byteCount - end)
    }

    /// `host [":" port]` without user, percent-encoding or an empty host. RFC 3986 section 3.2.2, RFC 9110 section 4.2.
    static func isAuthority(_ text: RawSpan) -> Bool {
        text.withUnsafeBytes { raw in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            let count = raw.count
            var at = 0
            if count > 0, base[0] == UInt8(ascii: "[") {
                at = 1
                while at < count, cr_http_is(base[at], hexDigits) != 0 || base[at] == 0x3A || base[at] == 0x2E {
                    at += 1
                }
                guard at > 2, at < count, base[at] == UInt8(ascii: "]") else { return false }
                at += 1
            } else {
                at = cr_http_run(base, count, UInt8(truncatingIfNeeded: CR_HTTP_HOST))
                guard at > 0 else { return false }
            }
            if at == count { return true }
            guard base[at] == UInt8(ascii: ":"), count - at <= 6 else { return false }
            at += 1
            while at < count, base[at] &- 0x30 < 10 { at += 1 }
            return at == count
        }
    }

    private static var hexDigits: UInt8 { UInt8(truncatingIfNeeded: CR_HTTP_HEX) }

    /// RFC 9112 section 6.3: one way only to find the end of the body.
    private static func judgeFraming(
        _ bytes: RawSpan, _ head: inout RequestHead, _ table: borrowing HeaderTable
    ) throws(HTTPFailure) {
        if let coding = table[.transferEncoding] {
            let at = Int(coding.offset)
            if head.version == .http10 { throw HTTPFailure(.transferEncodingBeforeHTTP11, atByte: at) }
            if table[.contentLength] != nil { throw HTTPFailure(.lengthAndTransferEncoding, atByte: at) }
            if table.isRepeated(.transferEncoding) { throw HTTPFailure(.transferEncodingRepeated, atByte: at) }
            if !bytes.slice(coding).equalsIgnoringCase("chunked") {
                throw HTTPFailure(codingFault(bytes, coding), atByte: at)
            }
            head.framing = .chunked
            return
        }
        guard let length = table[.contentLength] else { return }
        if table.isRepeated(.contentLength) { throw HTTPFailure(.contentLengthRepeated, atByte: Int(length.offset)) }
        guard let count = decimal(bytes.slice(length)) else {
            throw HTTPFailure(.contentLengthInvalid, atByte: Int(length.offset))
        }
        head.framing = .length(count)
    }

    /// A list of tokens of which only the last may be `chunked` is a coding we do not know (501), anything else a fault.
    private static func codingFault(_ bytes: RawSpan, _ value: ByteRange) -> HTTPFailure.Reason {
        var items = ListItems(value)
        var count = 0
        var chunkedSeen = false
        while let item = items.next(in: bytes) {
            if chunkedSeen { return .transferEncodingMalformed }
            let coding = bytes.slice(item)
            if !isToken(coding) { return .transferEncodingMalformed }
            if coding.equalsIgnoringCase("chunked") { chunkedSeen = true }
            count += 1
        }
        // "chunked" with empty list members around it.
        let onlyChunked = count == 1 && chunkedSeen
        return count == 0 || onlyChunked ? .transferEncodingMalformed : .transferEncodingUnknown
    }

    static func isToken(_ text: RawSpan) -> Bool {
        text.withUnsafeBytes { raw in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: UInt8.self), raw.count > 0 else { return false }
            return cr_http_run(base, raw.count, UInt8(truncatingIfNeeded: CR_HTTP_TOKEN)) == raw.count
        }
    }

    /// Digits only, 1 to 19 of them, not above Int.max.
    static func decimal(_ text: RawSpan) -> Int? {
        guard text.byteCount > 0, text.byteCount <= 19 else { return nil }
        var value = 0
        for at in 0..<text.byteCount {
            let digit = text.byte(at: at) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = product.addingReportingOverflow(Int(digit))
            if productOverflow || sumOverflow { return nil }
            value = sum
        }
        return value
    }

    /// RFC 9112 section 9.3. More than one Connection line is rare enough to close instead of searching the table.
    private static func staysOpen(_ bytes: RawSpan, _ head: RequestHead, _ table: borrowing HeaderTable) -> Bool {
        guard let connection = table[.connection] else { return head.version == .http11 }
        if table.isRepeated(.connection) { return false }
        if bytes.slice(connection).equalsIgnoringCase("keep-alive") { return true }
        var items = ListItems(connection)
        var keepAlive = false
        while let item = items.next(in: bytes) {
            let option = bytes.slice(item)
            if option.equalsIgnoringCase("close") { return false }
            if option.equalsIgnoringCase("keep-alive") { keepAlive = true }
        }
        return head.version == .http11 || keepAlive
    }

    /// RFC 9110 section 10.1.1. HTTP/1.0's is ignored; without a body to wait for nothing is expected.
    private static func judgeExpectation(
        _ bytes: RawSpan, _ head: inout RequestHead, _ table: borrowing HeaderTable
    ) throws(HTTPFailure) {
        guard let expectation = table[.expect], head.version == .http11 else { return }
        guard !table.isRepeated(.expect), bytes.slice(expectation).equalsIgnoringCase("100-continue") else {
            throw HTTPFailure(.expectationUnknown, atByte: Int(expectation.offset))
        }
        head.expectsContinue = head.framing != .none && head.framing != .length(0)
    }
}
