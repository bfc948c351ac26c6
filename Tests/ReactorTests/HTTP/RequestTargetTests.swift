// Reading path segments, query items, percent-encoding and ids. Sections are RFC 3986's unless named.

import Reactor
import Testing

private func decoded(_ text: String, plusIsSpace: Bool = false) -> Result<String, HTTPFailure> {
    GuardedBytes(Array(text.utf8)).withSpan { span in
        var buffer = ByteBuffer()
        buffer.append("kept")
        do throws(HTTPFailure) {
            let range = ByteRange(offset: 0, count: span.byteCount)
            try RequestTarget.decode(range, of: span, plusIsSpace: plusIsSpace, into: &buffer)
        } catch {
            #expect(buffer.bytes.string == "kept")
            return .failure(error)
        }
        return .success(buffer.bytes.extracting(4..<buffer.count).string)
    }
}

private func items(_ query: String) -> [String] {
    GuardedBytes(Array(query.utf8)).withSpan { span in
        var items = QueryItems(ByteRange(offset: 0, count: span.byteCount))
        var found: [String] = []
        while let item = items.next(in: span) {
            found.append("\(span.slice(item.name).string)=\(span.slice(item.value).string)")
        }
        return found
    }
}

private func segments(_ path: String) -> [String] {
    GuardedBytes(Array(path.utf8)).withSpan { span in
        var segments = PathSegments(ByteRange(offset: 0, count: span.byteCount))
        var found: [String] = []
        while let segment = segments.next(in: span) { found.append(span.slice(segment).string) }
        return found
    }
}

private func firstValue(_ name: StaticString, _ query: String) -> String? {
    GuardedBytes(Array(query.utf8)).withSpan { span in
        let range = RequestTarget.firstValue(of: name, in: ByteRange(offset: 0, count: span.byteCount), of: span)
        return range.map { span.slice($0).string }
    }
}

@Suite struct RequestTargetTests {
    @Test func `escapes decode once, plus is a space in queries only, section 2_1`() {
        #expect(decoded("a%2Fb%20c+d") == .success("a/b c+d"))
        #expect(decoded("a%2bb+c", plusIsSpace: true) == .success("a+b c"))
        #expect(decoded("%2525") == .success("%25"))
        #expect(decoded("%C3%A9%e2%82%ac") == .success("é€"))
        #expect(decoded("") == .success(""))
    }

    @Test(arguments: [
        ("%", HTTPFailure.Reason.escapeInvalid, 0), ("ab%4", .escapeInvalid, 2), ("a%4g", .escapeInvalid, 1),
        ("%%41", .escapeInvalid, 0), ("%+1", .escapeInvalid, 0), ("a%00b", .escapedNUL, 1),
        ("%C3", .escapedUTF8Invalid, 0), ("%FF", .escapedUTF8Invalid, 0), ("%C0%AF", .escapedUTF8Invalid, 0),
        ("%ED%A0%80", .escapedUTF8Invalid, 0), ("%F4%90%80%80", .escapedUTF8Invalid, 0),
    ])
    func `a bad escape, a NUL and invalid UTF-8 are refused`(_ text: String, _ reason: HTTPFailure.Reason, _ at: Int) {
        #expect(decoded(text) == .failure(HTTPFailure(reason, atByte: at)))
        #expect(HTTPFailure(reason, atByte: at).status == .badRequest)
    }

    @Test func `encoding is undone by decoding`() {
        for scalar in (1...0x7FF).compactMap(Unicode.Scalar.init) {
            var buffer = ByteBuffer()
            RequestTarget.encode(String(scalar).utf8Span.span.bytes, into: &buffer)
            #expect(decoded(buffer.bytes.string) == .success(String(scalar)))
        }
    }

    @Test func `a query gives its items in order, repeated ones too`() {
        #expect(items("a=1&b=&c&a=2=3&&=x&") == ["a=1", "b=", "c=", "a=2=3", "=x"])
        #expect(items("").isEmpty && items("&&").isEmpty)
    }

    @Test func `a name is found encoded or not, the first one wins`() {
        #expect(firstValue("wait", "capacity=5&wait=3&wait=4") == "3")
        #expect(firstValue("max_tier", "max%5Ftier=2") == "2")
        #expect(firstValue("a b", "a+b=1") == "1")
        #expect(firstValue("wait", "=x&wait=3") == "3")
        #expect(firstValue("wait", "waits=1&wai=2&%zz=3&WAIT=4") == nil)
    }

    @Test func `a path gives its segments, section 3_3`() {
        #expect(segments("/internal/tasks/t%2F1/complete") == ["internal", "tasks", "t%2F1", "complete"])
        #expect(segments("/") == [""] && segments("") == [""])
        #expect(segments("/a//b/") == ["a", "", "b", ""])
    }

    @Test func `ids are 1 to 128 of their characters, contract sections 1 and 2`() {
        func isIDs(_ text: String) -> [Bool] {
            GuardedBytes(Array(text.utf8)).withSpan { [RequestTarget.isRequestID($0), RequestTarget.isWorkerID($0)] }
        }
        #expect(isIDs("req_01.A-z") == [true, true])
        #expect(isIDs("host:1") == [false, true])
        #expect(isIDs(String(repeating: "a", count: 128)) == [true, true])
        #expect(isIDs(String(repeating: "a", count: 129)) == [false, false])
        for bad in ["", "a b", "a/b", "é", "a\u{00}", "a\r", "a+b", "a~b"] { #expect(isIDs(bad) == [false, false]) }
    }
}
