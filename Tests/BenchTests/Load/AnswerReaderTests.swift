// Where answers end, whole or in pieces, in every framing.

import Reactor
import Testing

@testable import Bench

@Suite struct AnswerReaderTests {
    private struct Seen: Equatable {
        var status: Int
        var body: String
        var keepAlive: Bool
    }

    private static let several =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + "HTTP/1.1 204 No Content\r\n\r\n"
        + "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
        + "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"

    private static let wanted = [
        Seen(status: 200, body: "hello", keepAlive: true), Seen(status: 204, body: "", keepAlive: true),
        Seen(status: 503, body: "", keepAlive: true), Seen(status: 200, body: "abcdefg", keepAlive: true),
        Seen(status: 404, body: "no", keepAlive: false),
    ]

    /// Feeds the pieces as a load loop does.
    private func read(_ pieces: [[UInt8]], readsBodies: Bool = true) throws -> [Seen] {
        var reader = AnswerReader()
        var table = HeaderTable(capacity: 200)
        var unused = ByteBuffer()
        var seen: [Seen] = []
        for piece in pieces {
            unused.append(piece.span.bytes)
            var offset = 0
            while let answer = try reader.next(
                unused.bytes, from: &offset, readsBodies: readsBodies, isToHEAD: false, limits: ResponseLimits(),
                table: &table)
            {
                let body = answer.isBodyKept ? reader.body.bytes.string : unused.bytes.slice(answer.body).string
                seen.append(Seen(status: answer.status, body: body, keepAlive: answer.keepAlive))
            }
            unused.consume(offset)
        }
        let left = unused.count
        #expect(left == 0)
        return seen
    }

    @Test func `answers in a row are told apart, wherever the network cuts them`() throws {
        let bytes = Array(Self.several.utf8)
        #expect(try read([bytes]) == Self.wanted)
        #expect(try read(bytes.map { [$0] }) == Self.wanted)
        for cut in 1..<bytes.count {
            #expect(try read([Array(bytes[..<cut]), Array(bytes[cut...])]) == Self.wanted, "cut at \(cut)")
        }
    }

    @Test func `bodies that nobody reads are skipped in pieces`() throws {
        let bytes = Array(Self.several.utf8)
        for cut in 1..<bytes.count {
            let seen = try read([Array(bytes[..<cut]), Array(bytes[cut...])], readsBodies: false)
            #expect(seen.map(\.status) == Self.wanted.map(\.status), "cut at \(cut)")
        }
    }

    @Test func `a body without a length ends with the connection`() throws {
        var reader = AnswerReader()
        var table = HeaderTable(capacity: 200)
        var offset = 0
        let bytes = Array("HTTP/1.1 200 OK\r\n\r\nall of it".utf8)
        let early = try reader.next(
            bytes.span.bytes, from: &offset, readsBodies: true, isToHEAD: false, limits: ResponseLimits(), table: &table
        )
        #expect(early == nil && offset == bytes.count)
        let last = reader.peerEnded()
        let answer = try #require(last)
        let body = reader.body.bytes.string
        #expect(answer.status == 200 && !answer.keepAlive && body == "all of it")
    }

    @Test func `what is no HTTP is an error`() {
        #expect(throws: HTTPFailure.self) { try read([Array("SSH-2.0-OpenSSH\r\n\r\n".utf8)]) }
    }
}

extension Answer: Equatable {
    public static func == (left: Answer, right: Answer) -> Bool {
        left.status == right.status && left.keepAlive == right.keepAlive && left.body == right.body
    }
}
