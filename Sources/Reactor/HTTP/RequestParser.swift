// Parses one HTTP/1.1 request head and decides where its body ends. Stateless, allocates nothing, any thread.
// Strict, so that two readers can never see two different requests in the same bytes: what is ambiguous is refused.
// A bare LF never ends a line and a folded line is refused, though RFC 9112 would let a server forgive both.
// Limits: HeadLimits (414, 431), 32 bytes of method (501), one empty line before the request.
// Source: RFC 9112 sections 2 to 6, RFC 9110 sections 7.2 and 10.1.1.

import CReactor

/// The bounds of one request head; the defaults are the contract's.
public struct HeadLimits: Sendable {
    /// Bytes of the request target.
    public var uriBytesMax: Int
    /// Bytes of all header lines with the blank line that ends them.
    public var headerBytesMax: Int
    /// Header lines; never more than the table holds.
    public var headerCountMax: Int

    public init(uriBytesMax: Int = 8192, headerBytesMax: Int = 16384, headerCountMax: Int = 100) {
        precondition(uriBytesMax > 0 && headerBytesMax > 0 && headerCountMax > 0, "a head limit that admits nothing")
        precondition(uriBytesMax < 1 << 28 && headerBytesMax < 1 << 28, "a head limit beyond 256 MiB")
        self.uriBytesMax = uriBytesMax
        self.headerBytesMax = headerBytesMax
        self.headerCountMax = headerCountMax
    }

    /// No head within the limits is longer: empty line, method, target, version and the spaces and line end, headers.
    public var headBytesMax: Int { 2 + Int(CR_HTTP_METHOD_BYTES_MAX) + uriBytesMax + 12 + headerBytesMax }
}

/// How far an incomplete head was searched, so that a head that trickles in costs linear time.
/// One per connection; a new value for each request.
public struct HeadProgress: Sendable {
    var wasIncomplete = false
    var resumeOffset: UInt32 = 0

    public init() {}
}

public enum RequestParser {
    /// Parses one request head.
    /// - Parameters:
    ///   - bytes: all that has been received of this request so far, from its first byte on; may hold more than the head.
    ///   - progress: as the last call for this request left it.
    ///   - table: receives the header lines.
    /// - Returns: the head, or nil where more bytes are needed.
    /// - Throws: what to answer before closing. Faults are reported as soon as the line that has them is complete, in a
    ///   head that needed several reads possibly only at its end.
    public static func parse(
        _ bytes: RawSpan, limits: HeadLimits, progress: inout HeadProgress, into table: inout HeaderTable
    ) throws(HTTPFailure) -> RequestHead? {
        // Offsets are 32 bits; no head is longer than `headBytesMax`, so what lies beyond is never looked at.
        let count = UInt32(min(bytes.byteCount, limits.headBytesMax + 1))
        var head = RequestHead()
        let scanned = try bytes.withUnsafeBytes { raw throws(HTTPFailure) -> Bool in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: UInt8.self), count > 0 else { return false }
            if progress.wasIncomplete, count <= limits.headBytesMax,
                cr_http_head_ended(base, count, &progress.resumeOffset) == 0
            {
                return false
            }
            return try scan(base, count, limits, &head, &table)
        }
        guard scanned else {
            progress.wasIncomplete = true
            return nil
        }
        progress = HeadProgress()
        try judge(bytes, &head, table)
        return head
    }

    /// Fills everything that is a matter of bytes; false where more are needed.
    private static func scan(
        _ base: UnsafePointer<UInt8>, _ count: UInt32, _ limits: HeadLimits,
        _ head: inout RequestHead, _ table: inout HeaderTable
    ) throws(HTTPFailure) -> Bool {
        table.reset()
        var line = cr_http_line()
        var result = cr_http_scan_line(base, count, UInt32(limits.uriBytesMax), &line)
        guard result == CR_HTTP_DONE else { return try incomplete(result, line.at) }
        head.methodName = ByteRange(offset: Int(line.method.offset), count: Int(line.method.count))
        head.target = ByteRange(offset: Int(line.target.offset), count: Int(line.target.count))
        head.version = line.minor == 0 ? .http10 : .http11
        head.method = method(base + Int(line.method.offset), Int(line.method.count))
        split(&head, queryMark: Int(line.query_mark))

        var fields = cr_http_fields()
        let linesMax = UInt32(min(limits.headerCountMax, table.capacity))
        // HeaderField and cr_http_field, ByteRange and cr_http_range have one layout; the table outlives the call.
        result = cr_http_scan_fields(
            base, count, line.at, UInt32(limits.headerBytesMax), linesMax,
            UnsafeMutableRawPointer(table.fields).assumingMemoryBound(to: cr_http_field.self),
            UnsafeMutableRawPointer(table.known).assumingMemoryBound(to: cr_http_range.self), &fields)
        guard result == CR_HTTP_DONE else { return try incomplete(result, fields.at) }
        table.count = Int(fields.count)
        table.repeated = fields.repeated
        head.byteCount = Int(fields.at)
        return true
    }

    private static func incomplete(_ result: Int32, _ at: UInt32) throws(HTTPFailure) -> Bool {
        if result == CR_HTTP_MORE { return false }
        // The scanner returns nothing but DONE, MORE and the reasons that share its numbers.
        throw HTTPFailure(HTTPFailure.Reason(rawValue: UInt8(result))!, atByte: Int(at))
    }

    private static func split(_ head: inout RequestHead, queryMark: Int) {
        let target = head.target
        if queryMark == 0 {
            head.path = target
            head.query = .empty
        } else {
            head.path = ByteRange(offset: Int(target.offset), count: queryMark - Int(target.offset))
            head.query = ByteRange(offset: queryMark + 1, count: target.end - queryMark - 1)
        }
    }

    private static func method(_ name: UnsafePointer<UInt8>, _ count: Int) -> HTTPMethod {
        func isName(_ method: HTTPMethod) -> Bool { memcmp(name, method.name.utf8Start, count) == 0 }
        switch count {
        case 3: return isName(.get) ? .get : isName(.put) ? .put : .other
        case 4: return isName(.post) ? .post : isName(.head) ? .head : .other
        case 5: return isName(.patch) ? .patch : isName(.trace) ? .trace : .other
        case 6: return isName(.delete) ? .delete : .other
        case 7: return isName(.options) ? .options : isName(.connect) ? .connect : .other
        default: return .other
        }
    }
}
