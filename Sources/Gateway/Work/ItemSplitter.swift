// Finds the items of an endless body, a JSON array or one item a line, in whatever pieces it arrives.
// Owned by the request that streams; holds one item and never more than its limit (1 MiB by default): a larger item is
// skipped to its end and rejected alone. Items are found, not validated: what is wrong inside one is its reader's to say.
// Source: RFC 8259 section 5; NDJSON (ndjson.org) for lines; enqueue in the HTTP contract.

import Reactor

struct ItemSplitter: ~Copyable {
    static let defaultItemBytesMax = 1 << 20

    enum Format {
        /// An array where the first byte that is not whitespace is `[`, else lines.
        case detect
        case array
        case lines
    }

    enum Step {
        /// The chunk is used up.
        case needsMore
        /// `item` holds an item, with this index (array, from 0) or line number (lines, from 1).
        case item(Int)
        /// The item with this index or line number is larger than the limit.
        case tooLong(Int)
        /// Only from `finish`: there was nothing left.
        case end
    }

    private enum State {
        case start
        // An array: before the first item, before one after a comma, inside one, after one, after all of it.
        case beforeFirst, beforeNext, inScalar, inNested, afterItem, afterArray
        case inLine
    }

    private let itemBytesMax: Int
    private(set) var format: Format
    private var state = State.start
    /// The item so far.
    private var partial: ByteBuffer
    /// `partial` was handed out and is dropped with the next call.
    private var isHandedOut = false
    private var isTooLong = false
    /// Index of the current item, or number of the current line.
    private var number: Int
    /// Bytes of all chunks before the current one.
    private var bytesBefore = 0
    private var markBytesSeen = 0
    // Inside an item of an array.
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// - Parameter itemBytesMax: > 0.
    init(_ format: Format, itemBytesMax: Int = ItemSplitter.defaultItemBytesMax) {
        precondition(itemBytesMax > 0, "an item has bytes")
        self.format = format
        self.itemBytesMax = itemBytesMax
        partial = ByteBuffer()
        number = format == .array ? 0 : 1
    }

    /// Whether items are counted as lines from 1 (else as elements from 0); known once an item was found.
    var countsLines: Bool { format != .array }

    /// The bytes of the item found last; valid until the next call.
    var item: RawSpan {
        @_lifetime(borrow self)
        get { partial.bytes }
    }

    /// Reads on in `chunk` up to the end of an item or of the chunk.
    /// - Parameter position: where to read on; starts at 0 with each chunk and comes back moved.
    /// - Throws: `.syntax` where the array's own structure is broken; the offset counts from the start of the body.
    mutating func next(_ chunk: RawSpan, _ position: inout Int) throws(JSONFailure) -> Step {
        dropHandedOut()
        while position < chunk.byteCount {
            let step: Step? =
                switch state {
                case .start: try start(chunk, &position)
                case .inLine: line(chunk, &position)
                case .inScalar: scalar(chunk, &position)
                case .inNested: nested(chunk, &position)
                default: try between(chunk, &position)
                }
            if let step { return step }
        }
        bytesBefore += chunk.byteCount
        position = 0
        return .needsMore
    }

    /// Call until `.end`, once all chunks are used up.
    /// - Throws: `.syntax` where an array is unfinished, or the body is no array and should be.
    mutating func finish() throws(JSONFailure) -> Step {
        dropHandedOut()
        switch state {
        case .afterArray: return .end
        case .start where format != .array: return .end
        case .start: throw failure(.expectedArray, 0)
        case .inLine:
            let step = endLine()
            state = .afterArray
            return step ?? .end
        default: throw failure(.end, 0)
        }
    }
}

// Structure: everything outside items.
extension ItemSplitter {
    private func failure(_ reason: SyntaxFailure.Reason, _ position: Int) -> JSONFailure {
        .syntax(SyntaxFailure(reason, at: bytesBefore + position))
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// A byte of the UTF-8 byte order mark.
    private static func mark(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: 0xBFBBEF >> (8 * index)) }

    /// Passes the byte order mark and whitespace, and decides the format.
    private mutating func start(_ chunk: RawSpan, _ position: inout Int) throws(JSONFailure) -> Step? {
        let byte = chunk.byte(at: position)
        let isAtMark = bytesBefore + position == markBytesSeen
        if isAtMark, markBytesSeen < 3, byte == Self.mark(markBytesSeen) {
            markBytesSeen += 1
            position += 1
            return nil
        }
        // Part of a mark is no text at all.
        if markBytesSeen == 1 || markBytesSeen == 2 { throw .syntax(SyntaxFailure(.invalidUTF8, at: 0)) }
        if Self.isSpace(byte) {
            if byte == 0x0A, format != .array { number += 1 }
            position += 1
            return nil
        }
        if format == .lines || (format == .detect && byte != UInt8(ascii: "[")) {
            format = .lines
            state = .inLine
            return nil
        }
        guard byte == UInt8(ascii: "[") else { throw failure(.expectedArray, position) }
        format = .array
        number = 0
        state = .beforeFirst
        position += 1
        return nil
    }

    private mutating func between(_ chunk: RawSpan, _ position: inout Int) throws(JSONFailure) -> Step? {
        let byte = chunk.byte(at: position)
        if Self.isSpace(byte) {
            position += 1
            return nil
        }
        switch state {
        case .afterItem where byte == UInt8(ascii: ","):
            number += 1
            state = .beforeNext
            position += 1
        case .afterItem where byte == UInt8(ascii: "]"), .beforeFirst where byte == UInt8(ascii: "]"):
            state = .afterArray
            position += 1
        case .afterItem:
            throw failure(.expectedCommaOrBracket, position)
        case .afterArray:
            throw failure(.trailingBytes, position)
        default:
            guard byte != UInt8(ascii: ","), byte != UInt8(ascii: "]"), byte != UInt8(ascii: "}"),
                byte != UInt8(ascii: ":")
            else { throw failure(.notAValue, position) }
            depth = 0
            isInString = false
            isEscaped = false
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""): state = .inNested
            default: state = .inScalar
            }
        }
        return nil
    }
}

// Items: where they end.
extension ItemSplitter {
    /// Keeps `chunk[from..<to]`, unless the item is too long already.
    private mutating func keep(_ chunk: RawSpan, _ from: Int, _ to: Int) {
        if isTooLong { return }
        if partial.count + to - from > itemBytesMax {
            isTooLong = true
            partial.clear()
        } else {
            partial.append(chunk.extracting(from..<to))
        }
    }

    private mutating func dropHandedOut() {
        guard isHandedOut else { return }
        isHandedOut = false
        partial.clear()
    }

    private mutating func handOut(_ number: Int) -> Step {
        isHandedOut = true
        defer { isTooLong = false }
        return isTooLong ? .tooLong(number) : .item(number)
    }

    /// A number or word, or garbage in place of one: up to whitespace or the array's punctuation.
    private mutating func scalar(_ chunk: RawSpan, _ position: inout Int) -> Step? {
        let from = position
        while position < chunk.byteCount {
            let byte = chunk.byte(at: position)
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || Self.isSpace(byte) {
                keep(chunk, from, position)
                state = .afterItem
                return handOut(number)
            }
            position += 1
        }
        keep(chunk, from, position)
        return nil
    }

    /// A string, or an object or array with the strings in it.
    private mutating func nested(_ chunk: RawSpan, _ position: inout Int) -> Step? {
        let from = position
        while position < chunk.byteCount {
            if isInString {
                passString(chunk, &position)
            } else {
                passStructure(chunk, &position)
            }
            if depth == 0, !isInString {
                keep(chunk, from, position)
                state = .afterItem
                return handOut(number)
            }
        }
        keep(chunk, from, position)
        return nil
    }

    private mutating func passString(_ chunk: RawSpan, _ position: inout Int) {
        if isEscaped {
            isEscaped = false
            position += 1
            return
        }
        position = chunk.jsonStringStop(from: position)
        guard position < chunk.byteCount else { return }
        let byte = chunk.byte(at: position)
        isEscaped = byte == UInt8(ascii: "\\")
        isInString = byte != UInt8(ascii: "\"")
        position += 1
    }

    private mutating func passStructure(_ chunk: RawSpan, _ position: inout Int) {
        while position < chunk.byteCount {
            let byte = chunk.byte(at: position)
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                return
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return }
            default:
                break
            }
        }
    }

    /// A line up to its feed.
    private mutating func line(_ chunk: RawSpan, _ position: inout Int) -> Step? {
        let from = position
        let feed = chunk.firstIndex(of: 0x0A, from: position)
        keep(chunk, from, feed ?? chunk.byteCount)
        guard let feed else {
            position = chunk.byteCount
            return nil
        }
        position = feed + 1
        let step = endLine()
        number += 1
        return step
    }

    private func isBlank(_ line: RawSpan) -> Bool {
        for index in 0..<line.byteCount where !Self.isSpace(line.byte(at: index)) { return false }
        return true
    }

    /// Nil for a blank line.
    private mutating func endLine() -> Step? {
        if isTooLong || !isBlank(partial.bytes) { return handOut(number) }
        partial.clear()
        return nil
    }
}
