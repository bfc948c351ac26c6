// Texts that end where a page without rights begins: one byte read too many kills the test.

import Glibc
import Reactor
import Testing

/// A page of memory before one that cannot be touched.
private struct GuardedPage: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    init() {
        let flags = MAP_PRIVATE | Int32(MAP_ANONYMOUS)
        guard let both = mmap(nil, pageBytes * 2, PROT_READ | PROT_WRITE, flags, -1, 0), both != MAP_FAILED else {
            preconditionFailure("no memory")
        }
        precondition(mprotect(both + pageBytes, pageBytes, PROT_NONE) == 0, "no guard")
        start = both
    }

    deinit { munmap(start, pageBytes * 2) }

    /// Lends `bytes` copied so that they end at the guard.
    func withCopy<Result>(of bytes: [UInt8], _ body: (RawSpan) -> Result) -> Result {
        let at = start + pageBytes - bytes.count
        bytes.withUnsafeBytes { at.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(at), byteCount: bytes.count) }
        return body(UnsafeRawBufferPointer(start: at, count: bytes.count).bytes)
    }
}

@Suite struct JSONGuardPageTests {
    private func failure(_ span: RawSpan) -> SyntaxFailure? {
        do throws(JSONFailure) {
            _ = try JSONReader.document(span)
            return nil
        } catch {
            guard case .syntax(let failure) = error else { return nil }
            return failure
        }
    }

    @Test func `no prefix makes the reader look past its end`() {
        let page = GuardedPage()
        let text = "{\"key\":[1.5e+10,-0,true,false,null,\"\\u00e9\\ud834\\udd1eé€𝄞 0123456789abcdef0123\"],\"z\":{}} "
        let bytes = Array(text.utf8)
        for from in 0..<bytes.count {
            for to in from...bytes.count {
                let part = Array(bytes[from..<to])
                #expect(page.withCopy(of: part) { failure($0) } == JSONVerdict.failure(part))
            }
        }
    }

    @Test func `the stop of a string is found at every length and position`() {
        let page = GuardedPage()
        for length in 0...80 {
            #expect(page.withCopy(of: [UInt8](repeating: 0x61, count: length)) { $0.jsonStringStop(from: 0) } == length)
            for position in 0..<length {
                for stop: UInt8 in [0x22, 0x5C, 0x00, 0x1F, 0x80, 0xFF] {
                    var bytes = [UInt8](repeating: 0x61, count: length)
                    bytes[position] = stop
                    let found = page.withCopy(of: bytes) { $0.jsonStringStop(from: 0) }
                    #expect(found == position, "length \(length), byte \(stop)")
                }
            }
        }
    }

    @Test func `exactly the bytes that a string cannot hold stop it`() {
        for byte: UInt8 in 0...255 {
            for position in [0, 7, 15, 16, 17, 31] {
                var bytes = [UInt8](repeating: 0x20, count: 32)
                bytes[position] = byte
                let isStop = byte < 0x20 || byte == 0x22 || byte == 0x5C || byte >= 0x80
                let found = bytes.span.bytes.jsonStringStop(from: 0)
                #expect(found == (isStop ? position : 32))
            }
        }
    }

    @Test func `strings, numbers, words and times of every length end at the guard`() {
        let page = GuardedPage()
        for count in 0...70 {
            let fill = [UInt8](repeating: 0x61, count: count)
            #expect(page.withCopy(of: [0x22] + fill + [0x22]) { failure($0) } == nil)
            #expect(page.withCopy(of: [0x22] + fill) { failure($0) } == SyntaxFailure(.endInString, at: count + 1))
            #expect(page.withCopy(of: [0x22] + fill + [0xE2, 0x82]) { failure($0)?.reason } == .invalidUTF8)
            #expect(page.withCopy(of: [0x22] + fill + Array("\\ud800".utf8)) { failure($0)?.reason } == .endInString)
            #expect(page.withCopy(of: [0x31] + [UInt8](repeating: 0x30, count: count)) { failure($0) } == nil)
        }
        let time = Array("2026-02-04T10:00:00.123456+01:30".utf8)
        for count in 0...time.count {
            let isWhole = [19, 21, 22, 23, 24, 25, 26, 32].contains(count)
            #expect(page.withCopy(of: Array(time[..<count])) { Timestamp($0) != nil } == isWhole, "\(count) bytes")
        }
        for word in ["true", "false", "null", "NaN", "Infinity", "-Infinity"] {
            let bytes = Array(word.utf8)
            for count in 0..<bytes.count {
                #expect(page.withCopy(of: Array(bytes[..<count])) { failure($0) } != nil)
            }
        }
    }

    @Test func `a byte is found at every length and position, and none past the end`() {
        let page = GuardedPage()
        for length in 0...40 {
            #expect(page.withCopy(of: [UInt8](repeating: 1, count: length)) { $0.firstIndex(of: 10, from: 0) } == nil)
            for position in 0..<length {
                var bytes = [UInt8](repeating: 1, count: length)
                bytes[position] = 10
                #expect(page.withCopy(of: bytes) { $0.firstIndex(of: 10, from: position / 2) } == position)
            }
        }
    }
}
