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
    func container(_ start: Int, _ findings: inout JSONFindings) throws(JSONFailure) -> Int {
        var open = JSONDepth()
        var at = start
        while true {
            at = space(at)
            guard at < count else { throw .syntax(.end, at: count) }
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
            at = try afterValue(at, &open, &findings)
            if open.depth == 0 { return at }
        }
    }

    /// Closes what closes here.
    /// - Returns: where the next value starts, or the index after the outermost bracket.
    @inline(__always)
    private func afterValue(
        _ start: Int, _ open: inout JSONDepth, _ findings: inout JSONFindings
    ) throws(JSONFailure) -> Int {
        var at = start
        while open.depth > 0 {
            at = space(at)
            guard at < count else { throw .syntax(.end, at: count) }
            let next = byte(at)
            if next == JSONByte.comma {
                return open.isObject ? try member(space(at + 1), &findings) : at + 1
            }
            guard next == (open.isObject ? JSONByte.closeObject : JSONByte.closeArray) else {
                throw .syntax(open.isObject ? .expectedCommaOrBrace : .expectedCommaOrBracket, at: at)
            }
            at += 1
            open.pop()
        }
        return at
    }

    /// A member's name and colon.
    /// - Returns: index after the colon.
    @inline(__always)
    private func member(_ start: Int, _ findings: inout JSONFindings) throws(JSONFailure) -> Int {
        guard start < count else { throw .syntax(.end, at: count) }
        guard byte(start) == JSONByte.quote else { throw .syntax(.expectedKey, at: start) }
        return try colon(try string(start + 1, &findings))
    }

    /// - Returns: index after the colon that comes next.
    @inline(__always)
    func colon(_ start: Int) throws(JSONFailure) -> Int {
        let at = space(start)
        guard at < count else { throw .syntax(.end, at: count) }
        guard byte(at) == JSONByte.colon else { throw .syntax(.expectedColon, at: at) }
        return at + 1
    }
}
