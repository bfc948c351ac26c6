// Response heads and bodies: what is accepted, what is refused, and that it does not matter how the bytes arrive.

import TestSupport
import Testing

@testable import Reactor

/// What a receiver made of some bytes.
struct ReadResponse: Equatable {
    var status: Int?
    var fields: [String] = []
    var body = ""
    var isComplete = false
    var keepAlive = false
    var hasLeftover = false
    var reason: HTTPFailure.Reason?
}

/// Feeds `parts` in order, then the end of the connection if `ends`.
func receive(
    _ parts: [ArraySlice<UInt8>], isToHEAD: Bool = false, ends: Bool = false, limits: ResponseLimits = ResponseLimits()
) -> ReadResponse {
    var receiver = ResponseReceiver(limits: limits, isToHEAD: isToHEAD)
    var table = HeaderTable(capacity: limits.headerCountMax)
    var body = ByteBuffer()
    var read = ReadResponse()
    for part in parts where read.reason == nil {
        do throws(HTTPFailure) {
            try GuardedBytes(part).withSpan { span throws(HTTPFailure) in
                try receiver.receive(span, table: &table, body: &body)
            }
        } catch {
            read.reason = error.reason
        }
    }
    if ends { receiver.end() }
    read.status = receiver.head?.status
    read.keepAlive = receiver.head?.keepAlive ?? false
    read.isComplete = receiver.isComplete
    read.hasLeftover = receiver.hasLeftover
    let fields = receiver.fields
    let head = receiver.takeHeadBytes()
    read.fields = fields.map { "\(head.bytes.slice($0.name).string)=\(head.bytes.slice($0.value).string)" }
    read.body = body.bytes.string
    return read
}

func receive(_ text: String, isToHEAD: Bool = false, ends: Bool = false) -> ReadResponse {
    receive([Array(text.utf8)[...]], isToHEAD: isToHEAD, ends: ends)
}

@Suite struct ResponseParserTests {
    @Test func `a body of announced length ends there`() {
        let read = receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello")
        #expect(
            read
                == ReadResponse(
                    status: 200, fields: ["Content-Length=5", "X-A=b"], body: "hello", isComplete: true,
                    keepAlive: true))
    }

    @Test func `a chunked body loses its framing`() {
        let read = receive(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n")
        #expect(read.body == "abcde" && read.isComplete && read.keepAlive)
    }

    @Test func `without length and coding the connection's end ends the body, and the connection`() {
        let text = "HTTP/1.1 200 OK\r\n\r\nall of it"
        #expect(!receive(text).isComplete)
        let read = receive(text, ends: true)
        #expect(read.isComplete && read.body == "all of it" && !read.keepAlive)
    }

    @Test func `the end of the connection completes nothing else`() {
        #expect(!receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", ends: true).isComplete)
        #expect(
            !receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ends: true).isComplete)
        #expect(!receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ends: true).isComplete)
    }

    @Test func `some responses have no body whatever they announce`() {
        #expect(receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", isToHEAD: true).isComplete)
        #expect(receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", isToHEAD: true).isComplete)
        #expect(receive("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").keepAlive)
        #expect(receive("HTTP/1.1 204 No Content\r\n\r\n").isComplete)
        let doubtful = receive("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n")
        #expect(doubtful.isComplete && !doubtful.keepAlive)
    }

    @Test func `interim responses are skipped, not without end`() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        let read = receive(
            "HTTP/1.1 100 Continue\r\n\r\n" + interim + "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        #expect(read.status == 201 && read.isComplete && read.fields == ["Content-Length=0"])
        #expect(receive(String(repeating: interim, count: 17)).reason == .interimTooMany)
        #expect(receive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").reason == .protocolSwitched)
    }

    @Test func `the reason may be missing, with its space or without`() {
        #expect(receive("HTTP/1.1 204 \r\n\r\n").isComplete)
        #expect(receive("HTTP/1.1 204\r\n\r\n").isComplete)
    }

    @Test func `the connection stays open as its version and Connection say`() {
        func stays(_ version: String, _ connection: String) -> Bool {
            receive("HTTP/\(version) 200 OK\r\nContent-Length: 0\r\n\(connection)\r\n").keepAlive
        }
        #expect(stays("1.1", ""))
        #expect(!stays("1.1", "Connection: close\r\n"))
        #expect(!stays("1.1", "Connection: x, Close\r\n"))
        #expect(!stays("1.0", ""))
        #expect(stays("1.0", "Connection: Keep-Alive\r\n"))
        #expect(!stays("1.1", "Connection: keep-alive\r\nConnection: close\r\n"))
    }

    @Test(arguments: [
        ("Content-Length: 5\r\nContent-Length: 5", HTTPFailure.Reason.contentLengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 6", .contentLengthRepeated),
        ("Content-Length: 5, 5", .contentLengthInvalid), ("Content-Length: +5", .contentLengthInvalid),
        ("Content-Length: 0x5", .contentLengthInvalid), ("Content-Length:", .contentLengthInvalid),
        ("Content-Length: 99999999999999999999", .contentLengthInvalid),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", .lengthAndTransferEncoding),
        ("Transfer-Encoding: gzip, chunked", .transferEncodingUnknown),
        ("Transfer-Encoding: identity", .transferEncodingUnknown),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .transferEncodingRepeated),
        ("Transfer-Encoding : chunked", .spaceBeforeColon), ("X: a\r\n folded", .foldedLine),
        ("X: a\nY: b", .bareLineFeed), ("X: a\rb", .bareCarriageReturn), ("X: \u{0}", .controlCharacter),
    ])
    func `framing that could be read in two ways is refused`(_ lines: String, _ reason: HTTPFailure.Reason) {
        for isToHEAD in [false, true] {
            #expect(receive("HTTP/1.1 200 OK\r\n\(lines)\r\n\r\n", isToHEAD: isToHEAD).reason == reason)
        }
    }

    @Test(arguments: [
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTPFailure.Reason.transferEncodingBeforeHTTP11),
        ("HTTP/2.0 200 OK\r\n", .versionUnsupported), ("http/1.1 200 OK\r\n", .statusLineMalformed),
        ("HTTP/1.1  200 OK\r\n", .statusLineMalformed), ("HTTP/1.1 20 OK\r\n", .statusLineMalformed),
        ("HTTP/1.1 2000 OK\r\n", .statusLineMalformed), ("HTTP/1.1 099 OK\r\n", .statusLineMalformed),
        ("HTTP/1.1 600 OK\r\n", .statusLineMalformed), ("HTTP/1.1 200 O\u{1}K\r\n", .statusLineMalformed),
        ("HTTP/1.1 200 OK\n", .bareLineFeed), ("HTTP/1.1 200 OK\rX", .bareCarriageReturn),
        ("\r\nHTTP/1.1 200 OK\r\n", .statusLineMalformed), ("SSH-2.0-OpenSSH\r\n", .statusLineMalformed),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .chunkSizeInvalid),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", .chunkUnterminated),
    ])
    func `what is no response is refused`(_ text: String, _ reason: HTTPFailure.Reason) {
        #expect(receive(text).reason == reason)
    }

    @Test func `heads are bounded`() {
        var limits = ResponseLimits()
        limits.headerCountMax = 3
        limits.headerBytesMax = 200
        limits.reasonBytesMax = 10
        func reason(_ text: String) -> HTTPFailure.Reason? {
            receive([Array(text.utf8)[...]], limits: limits).reason
        }
        #expect(reason("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n") == nil)
        #expect(reason("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n") == .headersTooMany)
        #expect(reason("HTTP/1.1 200 OK\r\nA: \(String(repeating: "x", count: 200))") == .headersTooLarge)
        #expect(reason("HTTP/1.1 200 \(String(repeating: "x", count: 11))") == .headersTooLarge)
    }

    @Test(arguments: [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: y\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\nT: u\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nnothing", "HTTP/1.1 204\r\n\r\nleftover",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nX\u{1}: y\r\n\r\n",
    ])
    func `every split of a response reads the same`(_ text: String) {
        let bytes = Array(text.utf8)
        let whole = receive([bytes[...]], ends: true)
        for first in 0...bytes.count {
            #expect(receive([bytes[..<first], bytes[first...]], ends: true) == whole, "split at \(first)")
        }
        #expect(receive(bytes.indices.map { bytes[$0...$0] }, ends: true) == whole, "byte by byte")
    }

    @Test func `bytes after the end are noticed`() {
        #expect(receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab").hasLeftover)
        #expect(receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n").hasLeftover)
        #expect(receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx").hasLeftover)
        #expect(!receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").hasLeftover)
    }

    @Test func `damaged responses read the same in one piece and in two`() {
        var random = RandomSource()
        let good = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n".utf8)
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let split = Int.random(in: 0...bytes.count, using: &random)
            let read = receive([bytes[..<split], bytes[split...]], ends: true)
            let whole = receive([bytes[...]], ends: true)
            // A fault in a head that comes in parts may be told at its end only, which here may never come.
            #expect(read == whole || (whole.reason != nil && !read.isComplete), "\(bytes) split at \(split)")
        }
    }
}
