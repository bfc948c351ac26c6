// Reads JSON by pulling: the caller asks for what its schema expects, the reader validates everything it passes.
// A value of the caller's stack, bound to the lifetime of the bytes; allocates nothing (but for nesting beyond 64).
// Ranges that it returns count from the start of those bytes. Source: RFC 8259.
//
//     var more = try reader.openObject()
//     while more {
//         let key = try reader.key()
//         let value = try reader.value()
//         if reader.key(key, is: "task_id") { taskID = value }      // the last of equal names wins
//         more = try reader.moreMembers()
//     }
//     try reader.end()

import CReactor

@safe
public struct JSONReader: ~Escapable {
    /// Levels inside one value that storage takes; deeper is JSON all the same.
    public static let depthMax = 128

    @usableFromInline let scanner: JSONScanner
    @usableFromInline var at: Int

    /// - Parameter offset: where to start reading; ranges still count from the start of `bytes`.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, at offset: Int = 0) {
        precondition(bytes.byteCount <= Int(UInt32.max), "a range would not reach")
        precondition(offset >= 0 && offset <= bytes.byteCount, "offset outside the bytes")
        scanner = bytes.withUnsafeBytes { JSONScanner($0) }
        at = offset
    }

    /// Index of the next byte that will be read.
    public var offset: Int { at }

    /// Reads and validates a whole document.
    public static func document(_ bytes: RawSpan) throws(JSONFailure) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value()
        try reader.end()
        return value
    }

    /// Which failure to report for a body: a document that is not JSON at all is that first, wherever its schema fails.
    public static func failure(_ failure: JSONFailure, of body: RawSpan) -> JSONFailure {
        guard case .schema = failure else { return failure }
        do throws(JSONFailure) {
            _ = try document(body)
            return failure
        } catch {
            return error
        }
    }

    /// The kind of the value that comes next, which is not read yet.
    /// - Throws: where the document ends, or what comes next cannot start a value.
    @_lifetime(self: copy self)
    public mutating func peek() throws(JSONFailure) -> JSONValue.Kind {
        at = scanner.space(at)
        guard at < scanner.count else { throw .syntax(.end, at: at) }
        switch scanner.byte(at) {
        case JSONByte.quote: return .string
        case JSONByte.openObject: return .object
        case JSONByte.openArray: return .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): return .number
        default:
            throw .syntax(scanner.notAValue(at, scanner.byte(at)))
        }
    }

    /// Reads one value of any kind, all of it.
    @_lifetime(self: copy self)
    public mutating func value() throws(JSONFailure) -> JSONValue {
        do throws(SyntaxFailure) {
            return try anyValue()
        } catch {
            throw .syntax(error)
        }
    }

    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func anyValue() throws(SyntaxFailure) -> JSONValue {
        let start = scanner.space(at)
        guard start < scanner.count else { throw SyntaxFailure(.end, at: start) }
        let first = scanner.byte(start)
        var findings = JSONFindings()
        let kind: JSONValue.Kind
        switch first {
        case JSONByte.quote:
            at = try scanner.string(start + 1, &findings)
            kind = .string
        case JSONByte.openObject:
            at = try scanner.container(start, &findings)
            kind = .object
        case JSONByte.openArray:
            at = try scanner.container(start, &findings)
            kind = .array
        default:
            at = try scanner.scalar(start, first, &findings)
            kind = first == UInt8(ascii: "n") ? .null : first > UInt8(ascii: "9") ? .bool : .number
        }
        return JSONValue(kind, ByteRange(offset: start, count: at - start), findings)
    }

    /// Enters an object.
    /// - Returns: whether it has a member, whose `key()` comes next.
    /// - Throws: `.schema` where something else comes next.
    @_lifetime(self: copy self)
    public mutating func openObject() throws(JSONFailure) -> Bool {
        guard try peek() == .object else { throw .schema("", "expected an object") }
        return open(JSONByte.closeObject)
    }

    /// Enters an array.
    /// - Returns: whether it has an element, which comes next.
    /// - Throws: `.schema` where something else comes next.
    @_lifetime(self: copy self)
    public mutating func openArray() throws(JSONFailure) -> Bool {
        guard try peek() == .array else { throw .schema("", "expected an array") }
        return open(JSONByte.closeArray)
    }

    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func open(_ close: UInt8) -> Bool {
        at = scanner.space(at + 1)
        guard at < scanner.count, scanner.byte(at) == close else { return true }
        at += 1
        return false
    }

    /// Reads a member's name and its colon.
    @_lifetime(self: copy self)
    public mutating func key() throws(JSONFailure) -> JSONString {
        do throws(SyntaxFailure) {
            return try name()
        } catch {
            throw .syntax(error)
        }
    }

    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func name() throws(SyntaxFailure) -> JSONString {
        at = scanner.space(at)
        guard at < scanner.count else { throw SyntaxFailure(.end, at: at) }
        guard scanner.byte(at) == JSONByte.quote else { throw SyntaxFailure(.expectedKey, at: at) }
        let start = at + 1
        var findings = JSONFindings()
        let end = try scanner.string(start, &findings)
        at = try scanner.colon(end)
        return JSONString(ByteRange(offset: start, count: end - 1 - start), findings)
    }

    /// Whether a name is `name`, written with or without escapes.
    @inlinable @inline(__always)
    public func key(_ key: JSONString, is name: StaticString) -> Bool {
        if key.hasEscapes { return keyWithEscapes(key, is: name) }
        return Int(key.range.count) == name.utf8CodeUnitCount
            && memcmp(scanner.base + Int(key.range.offset), name.utf8Start, name.utf8CodeUnitCount) == 0
    }

    @usableFromInline @inline(never)
    func keyWithEscapes(_ key: JSONString, is name: StaticString) -> Bool {
        var plain = ByteBuffer(capacity: Int(key.range.count))
        scanner.appendUnescaped(key.range, to: &plain)
        return plain.bytes.equals(name)
    }

    /// After a member's value.
    /// - Returns: whether another member follows; false has left the object.
    @_lifetime(self: copy self)
    public mutating func moreMembers() throws(JSONFailure) -> Bool {
        try more(JSONByte.closeObject, .expectedCommaOrBrace)
    }

    /// After an element.
    /// - Returns: whether another element follows; false has left the array.
    @_lifetime(self: copy self)
    public mutating func moreElements() throws(JSONFailure) -> Bool {
        try more(JSONByte.closeArray, .expectedCommaOrBracket)
    }

    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func more(_ close: UInt8, _ otherwise: SyntaxFailure.Reason) throws(JSONFailure) -> Bool {
        at = scanner.space(at)
        guard at < scanner.count else { throw .syntax(.end, at: at) }
        let next = scanner.byte(at)
        guard next == JSONByte.comma || next == close else { throw .syntax(otherwise, at: at) }
        at += 1
        return next == JSONByte.comma
    }

    /// Checks that nothing but whitespace follows.
    @_lifetime(self: copy self)
    public mutating func end() throws(JSONFailure) {
        at = scanner.space(at)
        guard at == scanner.count else { throw .syntax(.trailingBytes, at: at) }
    }
}

/// The strings of an array that was validated before: anything else in it ends the walk.
@safe
public struct JSONStrings: ~Escapable {
    @usableFromInline var reader: JSONReader
    @usableFromInline var hasMore: Bool

    /// - Parameter array: the raw range of an array in `bytes`; an empty range is an empty list.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, _ array: ByteRange) {
        reader = JSONReader(bytes, at: Int(array.offset))
        // Validated before: an error cannot happen, and would mean there is nothing to read.
        hasMore = array.isEmpty ? false : (try? reader.openArray()) ?? false
    }

    /// Looks at every element of a validated array.
    /// - Returns: how many there are; or, where one is no string, the index of the first such.
    public static func count(_ bytes: RawSpan, _ array: ByteRange) -> (count: Int, areAllStrings: Bool) {
        bytes.withUnsafeBytes { JSONScanner($0).countStrings(Int(array.offset)) }
    }

    @_lifetime(self: copy self)
    public mutating func next() -> JSONString? {
        guard hasMore else { return nil }
        do throws(JSONFailure) {
            let value = try reader.value()
            hasMore = try reader.moreElements()
            return value.string
        } catch {
            hasMore = false
            return nil
        }
    }
}
