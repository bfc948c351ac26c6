// The leaf for objects and arrays: skips and validates one of any depth without recursion.
// A level costs one bit: 64 in a register, the others in a buffer that only absurd input makes it allocate (a body of
// nothing but brackets costs an eighth of its size).

/// Which brackets are open, innermost last.
struct JSONDepth: ~Copyable {
    private(set) var depth = 0
    /// Bit 0 is the innermost level; 1 is an object, 0 an array.
    private var top: UInt64 = 0
    /// Full words of outer levels.
    private var outer = ByteBuffer()

    @inline(__always) var isObject: Bool { top & 1 == 1 }

    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth > 0, depth & 63 == 0 { spill() }
        top = top << 1 | (isObject ? 1 : 0)
        depth += 1
    }

    @inline(__always)
    mutating func pop() {
        depth -= 1
        top >>= 1
        if depth > 0, depth & 63 == 0 { unspill() }
    }

    @inline(never)
    private mutating func spill() { outer.append(bigEndian: top) }

    @inline(never)
    private mutating func unspill() {
        let at = outer.count - 8
        top = UInt64(bigEndian: outer.bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
        outer.truncate(to: at)
    }
}

extension JSONScanner {
    /// - Parameter start: index of the opening bracket or brace.
    /// - Returns: index after the closing one.
    func container(_ start: Int, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        var open = JSONDepth()
        var at = start
        while true {
            at = space(at)
            guard at < count else { throw SyntaxFailure(.end, at: count) }
            let first = byte(at)
            switch first {
            case JSONByte.quote:
                at = try string(at + 1, &findings)
            case JSONByte.openObject:
                open.push(isObject: true)
                if open.depth == JSONReader.depthMax + 1 { findings.note(.tooDeep, at: at) }
                at = space(at + 1)
                guard at < count, byte(at) == JSONByte.closeObject else {
                    at = try member(at, &findings)
                    continue
                }
                at += 1
                open.pop()
            case JSONByte.openArray:
                open.push(isObject: false)
                if open.depth == JSONReader.depthMax + 1 { findings.note(.tooDeep, at: at) }
                at = space(at + 1)
                guard at < count, byte(at) == JSONByte.closeArray else { continue }
                at += 1
                open.pop()
            default:
                at = try scalar(at, first, &findings)
            }
            // What closes here, up to the comma before the next value or the outermost bracket.
            while open.depth > 0 {
                at = space(at)
                guard at < count else { throw SyntaxFailure(.end, at: count) }
                let next = byte(at)
                if next == JSONByte.comma {
                    at = open.isObject ? try member(space(at + 1), &findings) : at + 1
                    break
                }
                guard next == (open.isObject ? JSONByte.closeObject : JSONByte.closeArray) else {
                    throw SyntaxFailure(open.isObject ? .expectedCommaOrBrace : .expectedCommaOrBracket, at: at)
                }
                at += 1
                open.pop()
            }
            if open.depth == 0 { return at }
        }
    }

    /// A member's name and colon.
    /// - Returns: index after the colon.
    @inline(__always)
    private func member(_ start: Int, _ findings: inout JSONFindings) throws(SyntaxFailure) -> Int {
        guard start < count else { throw SyntaxFailure(.end, at: count) }
        guard byte(start) == JSONByte.quote else { throw SyntaxFailure(.expectedKey, at: start) }
        return try colon(try string(start + 1, &findings))
    }

    /// - Returns: index after the colon that comes next.
    @inline(__always)
    func colon(_ start: Int) throws(SyntaxFailure) -> Int {
        let at = space(start)
        guard at < count else { throw SyntaxFailure(.end, at: count) }
        guard byte(at) == JSONByte.colon else { throw SyntaxFailure(.expectedColon, at: at) }
        return at + 1
    }

    /// - Parameter start: index of the opening bracket of a validated array.
    func countStrings(_ start: Int) -> (count: Int, areAllStrings: Bool) {
        var findings = JSONFindings()
        var at = space(start + 1)
        var found = 0
        while at < count, byte(at) != JSONByte.closeArray {
            if byte(at) == JSONByte.comma { at = space(at + 1) }
            // Validated before: a string that does not end cannot happen.
            guard at < count, byte(at) == JSONByte.quote, let end = try? string(at + 1, &findings) else {
                return (found, false)
            }
            found += 1
            at = space(end)
        }
        return (found, true)
    }
}
