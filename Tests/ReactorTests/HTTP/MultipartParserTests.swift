// The multipart parser: what it reads, what it refuses and where, and that cuts of the stream change nothing.
// Sections are RFC 2046's unless named.

import Reactor
import TestSupport
import Testing

@Suite struct MultipartParserTests {
    private static let head = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"

    /// What curl 7.88 sent for `-F 'metadata={…};type=application/json' -F 'file=@page.html;type=text/html'`.
    private static let curlBoundary = "------------------------60e1a20194c1cbf1"
    private static let curl =
        "--\(curlBoundary)\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
        + "Content-Type: application/json\r\n\r\n{\"platform\":\"beacon\"}\r\n--\(curlBoundary)\r\n"
        + "Content-Disposition: form-data; name=\"file\"; filename=\"page.html\"\r\nContent-Type: text/html\r\n\r\n"
        + "<html>\r\n--x\r\n</html>\r\n--\(curlBoundary)--\r\n"

    /// What requests 2.34 sent for a file with a name beyond ASCII, and metadata with a type.
    private static let requestsBoundary = "d9782b4dd5988de96e71d7c3f85b2c42"
    private static let requests =
        "--\(requestsBoundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"séite.html\"\r\n"
        + "Content-Type: text/html\r\n\r\n<html>\r\n--x\r\n</html>\r\n--\(requestsBoundary)\r\n"
        + "Content-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json\r\n\r\n"
        + "{\"platform\":\"beacon\"}\r\n--\(requestsBoundary)--\r\n"

    private static let file = ReadPart(
        name: "file", isFile: true, contentType: "text/html", data: Array("<html>\r\n--x\r\n</html>".utf8))
    private static let metadata = ReadPart(
        name: "metadata", contentType: "application/json", data: Array("{\"platform\":\"beacon\"}".utf8))

    @Test func `what curl sends is read, cut in two anywhere`() {
        for cut in 0...Self.curl.utf8.count {
            let verdict = form(Self.curl, boundary: Self.curlBoundary, cut: [cut])
            #expect(verdict == .parts([Self.metadata, Self.file]), "cut at \(cut)")
        }
    }

    @Test func `what Python's requests sends is read, cut in two anywhere and byte by byte`() {
        let bytes = Array(Self.requests.utf8)
        for cut in 0...bytes.count {
            let verdict = form(bytes, boundary: Self.requestsBoundary, cut: [cut])
            #expect(verdict == .parts([Self.file, Self.metadata]), "cut at \(cut)")
        }
        let single = [Int](repeating: 1, count: bytes.count)
        #expect(form(bytes, boundary: Self.requestsBoundary, cut: single) == .parts([Self.file, Self.metadata]))
    }

    @Test func `section 5-1-1: preamble and epilogue are ignored, padding after a boundary too, cut in three anywhere`()
    {
        let body =
            "This is the preamble.  It is to be ignored.\r\n--B \t\r\nContent-Disposition: form-data; name=a\r\n\r\n"
            + "This does not end with a linebreak.\r\n--B\r\ncontent-disposition:form-data;name=\"b\"\r\n"
            + "Content-type: text/plain; charset=us-ascii\r\n\r\nThis does end with a linebreak.\r\n\r\n--B-- \r\n"
            + "This is the epilogue.  It is also to be ignored."
        let expected = FormVerdict.parts([
            ReadPart(name: "a", data: Array("This does not end with a linebreak.".utf8)),
            ReadPart(
                name: "b", contentType: "text/plain; charset=us-ascii",
                data: Array("This does end with a linebreak.\r\n".utf8)),
        ])
        #expect(form(body) == expected)
        for first in stride(from: 0, to: body.utf8.count, by: 3) {
            for second in stride(from: 0, through: body.utf8.count - first, by: 7) {
                #expect(form(body, cut: [first, second]) == expected, "cut at \(first) and \(first + second)")
            }
        }
    }

    @Test func `data that looks like the start of a boundary is data, wherever it is cut`() {
        let lookalikes = [
            "\r\n--", "\r\n-", "\r", "\r\r\n--", "\r\n\r\n--C", "\r\n--\r\n--", "x\r\n-\r\n--A\r", "\n--B--",
        ]
        for data in lookalikes {
            let body = "\(Self.head)\(data)\r\n--B--"
            for cut in 0...body.utf8.count {
                let verdict = form(body, cut: [cut])
                #expect(verdict.parts?.map(\.text) == [data], "\(data.debugDescription) cut at \(cut)")
            }
        }
    }

    @Test func `what follows the last boundary is ignored, other boundaries too`() {
        #expect(form("\(Self.head)x\r\n--B--\r\n--B\r\njunk\r\n--B--").parts?.map(\.text) == ["x"])
        #expect(form("\(Self.head)--B--\r\nx\r\n--B--\r\n").parts?.map(\.text) == [""])
    }

    @Test func `a part may be empty, with and without a line end of its own`() {
        #expect(form("\(Self.head)\r\n--B--").parts?.map(\.text) == [""])
        #expect(form("\(Self.head)--B--\r\n").parts?.map(\.text) == [""])
    }

    @Test func `RFC 7578 section 4-2: names are taken with their escapes, file names only noted`() {
        func part(_ disposition: String) -> ReadPart? {
            form("--B\r\nContent-Disposition: \(disposition)\r\n\r\nx\r\n--B--").parts?.first
        }
        #expect(part("form-data; name=\"a \\\"b\\\" c\"")?.name == "a \"b\" c")
        #expect(part("FORM-DATA; NAME=file; FileName=\"C:\\dir\\\"")?.isFile == nil)
        #expect(part("form-data; name=file; filename=\"C:\\dir\\x.html\"")?.isFile == true)
        #expect(part("form-data; name=file; filename*=utf-8''s%C3%A9ite.html")?.isFile == true)
        #expect(part("form-data; filename=\"../../etc/passwd\"; name=\"file\"")?.name == "file")
        #expect(part("form-data; name=\"größe\"")?.name == "größe")
        #expect(part("form-data; name=a; x=y")?.isFile == false)
    }

    private struct Refusal: Sendable {
        var body: String
        var reason: MultipartFailure.Reason
        /// The text up to the byte at fault; nil where the body's end is.
        var before: String?
    }

    private static let refusals: [Refusal] = [
        Refusal(body: "", reason: .endedEarly),
        Refusal(body: "--B", reason: .endedEarly),
        Refusal(body: "--B-", reason: .endedEarly),
        Refusal(body: "\(head)data", reason: .endedEarly),
        Refusal(body: "\(head)data\r\n--B", reason: .endedEarly),
        Refusal(body: "\(head)data\r\n--B\r\n", reason: .endedEarly),
        Refusal(body: "\(head)data\r\n--B--\r", reason: .endedEarly),
        Refusal(body: "--B--\r\n", reason: .noParts),
        Refusal(body: "--Bx\r\n", reason: .delimiterMalformed, before: "--B"),
        Refusal(body: "--B\n", reason: .delimiterMalformed, before: "--B"),
        Refusal(body: "--B\rx", reason: .delimiterMalformed, before: "--B\r"),
        Refusal(body: "--B x\r\n", reason: .delimiterMalformed, before: "--B "),
        Refusal(body: "\(head)d\r\n--B-x", reason: .delimiterMalformed, before: "\(head)d\r\n--B-"),
        Refusal(body: "\(head)d\r\n--B--x", reason: .delimiterMalformed, before: "\(head)d\r\n--B--"),
        Refusal(body: "--B\r\n\r\nx", reason: .dispositionMissing, before: "--B\r\n"),
        Refusal(body: "--B\r\nX: y\r\n\r\nx", reason: .dispositionMissing, before: "--B\r\n"),
        Refusal(body: "--B\r\nX y\r\n\r\nx", reason: .headerMalformed, before: "--B\r\nX"),
        Refusal(body: "--B\r\n--B--\r\n\r\n", reason: .headerMalformed, before: "--B\r\n--B--"),
        Refusal(body: "--B\r\nX : y\r\n\r\nx", reason: .headerMalformed, before: "--B\r\nX"),
        Refusal(body: "--B\r\n: y\r\n\r\nx", reason: .headerMalformed, before: "--B\r\n"),
        Refusal(body: "--B\r\nX: y\r\n z\r\n\r\nx", reason: .foldedHeader, before: "--B\r\nX: y\r\n"),
        Refusal(body: "--B\r\nX: y\nZ: z\r\n\r\nx", reason: .lineMalformed, before: "--B\r\nX: y"),
        Refusal(body: "--B\r\nX: \u{0}\r\n\r\nx", reason: .lineMalformed, before: "--B\r\nX: "),
        Refusal(body: "--B\r\nX: \r\r\n\r\nx", reason: .lineMalformed, before: "--B\r\nX: "),
        Refusal(
            body: "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx", reason: .dispositionInvalid,
            before: nil),
        Refusal(body: "--B\r\nContent-Disposition: form-data\r\n\r\nx", reason: .nameMissing, before: "--B\r\n"),
        Refusal(
            body: "--B\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx", reason: .nameMissing,
            before: "--B\r\n"),
        Refusal(
            body: "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx", reason: .dispositionInvalid, before: nil),
        Refusal(
            body: "--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx", reason: .dispositionInvalid,
            before: nil),
        Refusal(
            body: "--B\r\nContent-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=b\r\n\r\nx",
            reason: .dispositionRepeated, before: "--B\r\nContent-Disposition: form-data; name=a\r\n"),
        Refusal(
            body: "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nx",
            reason: .encodingUnsupported, before: "--B\r\nContent-Disposition: form-data; name=a\r\n"),
    ]

    @Test func `what is no form is refused with its reason and byte, the same wherever it is cut`() {
        for refusal in Self.refusals {
            let whole = form(refusal.body)
            #expect(whole.reason == refusal.reason, "\(refusal.body.debugDescription)")
            if let before = refusal.before {
                #expect(whole.failure?.atByte == before.utf8.count, "\(refusal.body.debugDescription)")
            }
            for cut in 0...refusal.body.utf8.count {
                #expect(form(refusal.body, cut: [cut]) == whole, "\(refusal.body.debugDescription) cut at \(cut)")
            }
        }
    }

    @Test func `each limit holds to the byte`() {
        var limits = MultipartLimits()
        limits.outsideBytesMax = 5
        limits.headerBytesMax = 60
        limits.partsMax = 2
        limits.fieldBytesMax = 4
        limits.fileBytesMax = 6
        limits.paddingBytesMax = 3
        func reason(_ body: String) -> MultipartFailure.Reason? {
            let whole = form(body, limits: limits)
            for cut in 0...body.utf8.count {
                #expect(form(body, limits: limits, cut: [cut]).reason == whole.reason, "\(body) cut at \(cut)")
            }
            return whole.reason
        }
        let fileHead = "--B\r\nContent-Disposition:form-data;name=f;filename=f\r\n\r\n"
        #expect(reason("12345\r\n\(Self.head)1234\r\n--B--\r\n12345") == nil)
        #expect(reason("123456\r\n\(Self.head)1234\r\n--B--\r\n") == .preambleTooLong)
        #expect(reason("\(Self.head)1234\r\n--B--\r\n123456") == .epilogueTooLong)
        #expect(reason("\(Self.head)12345\r\n--B--\r\n") == .partTooLarge)
        #expect(reason("\(Self.head)\r\n--\r\r\n--B--\r\n") == .partTooLarge)
        #expect(reason("\(fileHead)123456\r\n--B--\r\n") == nil)
        #expect(reason("\(fileHead)1234567\r\n--B--\r\n") == .partTooLarge)
        #expect(reason("\(Self.head)1\r\n\(Self.head)2\r\n--B--") == nil)
        #expect(reason("\(Self.head)1\r\n\(Self.head)2\r\n\(Self.head)3\r\n--B--") == .tooManyParts)
        #expect(reason("\(Self.head)1\r\n--B--   ") == nil)
        #expect(reason("\(Self.head)1\r\n--B--    ") == .delimiterMalformed)
        let filler = String(repeating: "x", count: 60 - "Content-Disposition:form-data;name=a\r\nX:\r\n\r\n".utf8.count)
        #expect(reason("--B\r\nContent-Disposition:form-data;name=a\r\nX:\(filler)\r\n\r\n1\r\n--B--") == nil)
        #expect(
            reason("--B\r\nContent-Disposition:form-data;name=a\r\nX:\(filler)x\r\n\r\n1\r\n--B--")
                == .headersTooLarge)
    }

    @Test func `the reader of a part can set its limit`() throws {
        let boundary = try #require(MultipartBoundary("B"))
        var parser = MultipartParser(boundary: boundary)
        let body = Array("\(Self.head)12345\r\n--B--".utf8)
        #expect(try parser.next(body.rawBytes) == .partBegan)
        parser.limitPart(bytesMax: 4)
        let failure = #expect(throws: MultipartFailure.self) { _ = try parser.next(body.rawBytes) }
        #expect(failure?.reason == .partTooLarge)
    }

    @Test func `any body in any pieces is what a naive parser of the whole makes of it`() {
        var random = RandomSource()
        // Few different bytes, and all those of delimiters: lookalikes and real boundaries come often.
        let alphabet = Array("\r\n--Bb:x".utf8)
        var accepted = 0
        for _ in 0..<1500 {
            let parts = (0..<random.int(in: 1...3)).map { index in
                ReadPart(
                    name: "p\(index)", isFile: random.chance(0.5),
                    data: (0..<random.int(in: 0...40)).map { _ in random.pick(alphabet) })
            }
            let body = formBytes(parts, boundary: "Bb")
            let cuts = Array(random.pieces(of: body.count, lengthMax: random.pick([1, 3, 10, 200])).dropLast())
            let verdict = form(body, boundary: "Bb", cut: cuts)
            #expect(verdict == form(body, boundary: "Bb"))
            let naive = naiveParts(body, boundary: "Bb")
            if let parts = verdict.parts {
                accepted += 1
                #expect(parts.map(\.data) == naive)
            } else if naive?.count == parts.count, naive == parts.map(\.data) {
                let text = String(decoding: body, as: UTF8.self).debugDescription
                Issue.record("refused a well-formed body: \(verdict) \(text)")
            }
        }
        #expect(accepted > 700, "the generator makes too few well-formed bodies: \(accepted)")
    }

    @Test func `random damage never traps and gives the same verdict however it is cut`() {
        var random = RandomSource()
        let whole = Array(Self.curl.utf8)
        for _ in 0..<1000 {
            var body = whole
            for _ in 0..<random.int(in: 1...4) {
                let at = random.int(in: 0...(body.count - 1))
                switch random.int(in: 0...2) {
                case 0: body[at] = random.pick(Array("\r\n-:;=\"\0 x".utf8))
                case 1: body.remove(at: at)
                default: body.insert(contentsOf: body[at..<min(body.count, at + 9)], at: at)
                }
            }
            let cuts = Array(random.pieces(of: body.count, lengthMax: random.pick([1, 5, 50])).dropLast())
            #expect(form(body, boundary: Self.curlBoundary, cut: cuts) == form(body, boundary: Self.curlBoundary))
        }
    }
}
