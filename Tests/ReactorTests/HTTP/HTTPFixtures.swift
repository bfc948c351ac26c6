// Fixtures of the HTTP tests: bytes that end at a guard page, parsing of texts, a seeded generator.
// A read past the bytes of `GuardedBytes` is a fault that ends the test process.

import Glibc
import Reactor

/// A copy of some bytes whose last one lies just before a page that may not be read.
final class GuardedBytes {
    private let mapping: UnsafeMutableRawPointer
    private let mappedCount: Int
    private let start: UnsafeRawPointer
    let count: Int

    init(_ bytes: some Collection<UInt8>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        count = bytes.count
        let readable = (count + page) / page * page
        mappedCount = readable + page
        mapping = mmap(nil, mappedCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(mapping != MAP_FAILED && mprotect(mapping + readable, page, PROT_NONE) == 0)
        let target = mapping + (readable - count)
        for (index, byte) in bytes.enumerated() { target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
        start = UnsafeRawPointer(target)
    }

    deinit { munmap(mapping, mappedCount) }

    /// Lends the bytes; they do not outlive the object.
    func withSpan<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        let result = try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)))
        withExtendedLifetime(self) {}
        return result
    }
}

/// A head with everything its ranges point to copied out.
struct ReadHead: Equatable {
    var method: HTTPMethod
    var methodName: String
    var target: String
    var path: String
    var query: String
    var authority: String
    var version: HTTPVersion
    var framing: BodyFraming
    var keepAlive: Bool
    var expectsContinue: Bool
    var byteCount: Int
    var fields: [String]
    var known: [String?]

    init(_ head: RequestHead, _ table: borrowing HeaderTable, _ bytes: RawSpan) {
        method = head.method
        methodName = bytes.slice(head.methodName).string
        target = bytes.slice(head.target).string
        path = bytes.slice(head.path).string
        query = bytes.slice(head.query).string
        authority = bytes.slice(head.authority).string
        version = head.version
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        byteCount = head.byteCount
        fields = (0..<table.count).map {
            "\(bytes.slice(table[$0].name).string): \(bytes.slice(table[$0].value).string)"
        }
        known = KnownHeader.allCases.map { table[$0].map { bytes.slice($0).string } }
    }

    subscript(header: KnownHeader) -> String? { known[Int(header.rawValue)] }
}

/// What a parse came to.
enum Verdict: Equatable {
    case head(ReadHead)
    case more
    case failure(HTTPFailure)

    var head: ReadHead? { if case .head(let head) = self { head } else { nil } }
    var failure: HTTPFailure? { if case .failure(let failure) = self { failure } else { nil } }
    var reason: HTTPFailure.Reason? { failure?.reason }
}

/// Parses bytes that end at a guard page, in one go.
func verdict(of bytes: some Collection<UInt8>, limits: HeadLimits = HeadLimits()) -> Verdict {
    var progress = HeadProgress()
    var table = HeaderTable(capacity: 200)
    return verdict(of: bytes, limits: limits, progress: &progress, table: &table)
}

func verdict(of text: String, limits: HeadLimits = HeadLimits()) -> Verdict {
    verdict(of: Array(text.utf8), limits: limits)
}

func verdict(
    of bytes: some Collection<UInt8>, limits: HeadLimits, progress: inout HeadProgress, table: inout HeaderTable
) -> Verdict {
    do throws(HTTPFailure) {
        return try GuardedBytes(bytes).withSpan { span throws(HTTPFailure) -> Verdict in
            let head = try RequestParser.parse(span, limits: limits, progress: &progress, into: &table)
            return head.map { .head(ReadHead($0, table, span)) } ?? .more
        }
    } catch {
        return .failure(error)
    }
}
