// The leaf of the JSON reader: finds where a string, number or literal that starts at an index ends, validating all of it.
// Stateless and without allocation. JSON/ reads memory through this type's pointer only; every read is checked against
// `count` first. Source: RFC 8259 sections 2, 6 and 7; RFC 3629 section 4 for UTF-8.

import CReactor

/// What storage would refuse although it is JSON; found on the way, reported with the value, never a syntax failure.
public enum JSONStorageProblem: UInt8, Sendable {
    case none
    /// `\u0000`.
    case nulCharacter
    /// Half of a surrogate pair, as an escape.
    case loneSurrogate
    /// More than `JSONReader.depthMax` levels.
    case tooDeep
    /// Beyond what PostgreSQL's `numeric` holds: 131,072 digits before the point, 16,383 after it.
    case numberTooLarge
}

/// What a scan noticed besides the end of the value.
@usableFromInline
struct JSONFindings {
    @usableFromInline var hasEscapes = false
    @usableFromInline var problem = JSONStorageProblem.none
    @usableFromInline var problemOffset = 0

    @usableFromInline init() {}

    /// Keeps the first problem.
    @usableFromInline
    mutating func note(_ found: JSONStorageProblem, at offset: Int) {
        guard problem == .none else { return }
        problem = found
        problemOffset = offset
    }
}

enum JSONByte {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openObject = UInt8(ascii: "{")
    static let closeObject = UInt8(ascii: "}")
    static let openArray = UInt8(ascii: "[")
    static let closeArray = UInt8(ascii: "]")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
}

/// Bytes that someone else keeps alive for as long as the scanner is used: only `JSONReader` (bound to a span's lifetime)
/// and functions that lend a span make one.
@usableFromInline
struct JSONScanner {
    @usableFromInline let base: UnsafeRawPointer
    @usableFromInline let count: Int

    /// Empty spans have no address; theirs is never read.
    @usableFromInline
    init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        count = bytes.count
    }

    /// `index < count` is the caller's to have checked.
    @inline(__always)
    func byte(_ index: Int) -> UInt8 {
        assert(index >= 0 && index < count)
        return base.load(fromByteOffset: index, as: UInt8.self)
    }

    /// First index from `at` on that is not whitespace.
    @inline(__always)
    func space(_ start: Int) -> Int {
        var at = start
        while at < count {
            let next = byte(at)
            if next > 0x20 { return at }
            guard next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 else { return at }
            at += 1
        }
        return at
    }

    /// - Parameter start: index after the opening quote.
    /// - Returns: index after the closing one.
    @inline(__always)
    func string(_ start: Int, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        var at = start
        while true {
            at += cr_json_string_stop(base + at, count - at)
            guard at < count else { throw SyntaxFailure(.endInString, at: count) }
            let next = byte(at)
            if next == JSONByte.quote { return at + 1 }
            at = try special(at, next, &findings)
        }
    }

    /// A byte inside a string that needs a look.
    /// - Returns: index after the escape or after the run of non-ASCII.
    @inline(never)
    private func special(_ at: Int, _ first: UInt8, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        if first == JSONByte.backslash { return try escape(at, &findings) }
        if first < 0x20 { throw SyntaxFailure(.controlCharacter, at: at) }
        var at = at
        repeat {
            let length = characterLength(at)
            if length == 0 { throw SyntaxFailure(.invalidUTF8, at: at) }
            at += length
        } while at < count && byte(at) >= 0x80
        return at
    }

    private func escape(_ at: Int, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        findings.hasEscapes = true
        guard at + 1 < count else { throw SyntaxFailure(.endInString, at: count) }
        switch byte(at + 1) {
        case JSONByte.quote, JSONByte.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return at + 2
        case UInt8(ascii: "u"):
            guard let unit = codeUnit(at) else {
                throw SyntaxFailure(at + 6 > count ? .endInString : .badEscape, at: at + 6 > count ? count : at)
            }
            if unit == 0 { findings.note(.nulCharacter, at: at) }
            guard unit & 0xF800 == 0xD800 else { return at + 6 }
            // A pair is two escapes, high half first (RFC 8259 section 7).
            if unit < 0xDC00, let low = codeUnit(at + 6), low & 0xFC00 == 0xDC00 { return at + 12 }
            findings.note(.loneSurrogate, at: at)
            return at + 6
        default:
            throw SyntaxFailure(.badEscape, at: at)
        }
    }

    /// The UTF-16 code unit of the `\uXXXX` at an index; nil where there is none.
    func codeUnit(_ at: Int) -> UInt16? {
        guard at + 6 <= count, byte(at) == JSONByte.backslash, byte(at + 1) == UInt8(ascii: "u") else { return nil }
        var unit: UInt16 = 0
        for index in (at + 2)..<(at + 6) {
            let digit = byte(index)
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt16(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): unit = unit << 4 | UInt16(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): unit = unit << 4 | UInt16(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return unit
    }

    /// Bytes of the non-ASCII character at an index; 0 where it is not UTF-8 (overlong, surrogate, beyond U+10FFFF, cut).
    func characterLength(_ at: Int) -> Int {
        let first = byte(at)
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard at + length <= count, second.contains(byte(at + 1)) else { return 0 }
        for index in (at + 2)..<max(at + 2, at + length) where byte(index) & 0xC0 != 0x80 { return 0 }
        return length
    }

    /// A number, `true`, `false` or `null` (or an error that names what stands there instead).
    @inline(__always)
    func scalar(_ at: Int, _ first: UInt8, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): return try number(at, &findings)
        case UInt8(ascii: "t") where follows(at, "true"): return at + 4
        case UInt8(ascii: "f") where follows(at, "false"): return at + 5
        case UInt8(ascii: "n") where follows(at, "null"): return at + 4
        default: throw notAValue(at, first)
        }
    }

    @inline(__always)
    func follows(_ at: Int, _ literal: StaticString) -> Bool {
        literal.utf8CodeUnitCount <= count - at && memcmp(base + at, literal.utf8Start, literal.utf8CodeUnitCount) == 0
    }

    @inline(never)
    func notAValue(_ at: Int, _ first: UInt8) -> SyntaxFailure {
        switch first {
        case UInt8(ascii: "N") where follows(at, "NaN"): return SyntaxFailure(.nan, at: at)
        case UInt8(ascii: "I") where follows(at, "Infinity"): return SyntaxFailure(.infinity, at: at)
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return SyntaxFailure(.badLiteral, at: at)
        case 0x80...0xFF where characterLength(at) == 0: return SyntaxFailure(.invalidUTF8, at: at)
        default: return SyntaxFailure(.notAValue, at: at)
        }
    }
}
