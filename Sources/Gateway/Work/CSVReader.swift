// Reads the records of a CSV text that lies in memory, one at a time. A plain value; the text is lent to each call.
// Limits: `fieldsMax` fields a record, `recordBytesMax` bytes. Line ends are LF or CRLF, empty lines are passed over, a
// byte order mark at the start too. Source: RFC 4180.

import Reactor

struct CSVReader {
    static let fieldsMax = 4096
    static let recordBytesMax = 1 << 20

    enum Failure: Error, Equatable {
        /// A quote is never closed, or something follows a closed one.
        case badQuote
        case tooLong
    }

    /// Where the next record begins.
    private(set) var position = 0
    /// Line that the last record began on, from 1.
    private(set) var line = 0
    private var linesRead = 0

    /// Reads the next record into `fields`.
    /// - Returns: false at the end of the text.
    /// - Throws: what is wrong with this record; reading goes on behind its line.
    mutating func next(_ text: RawSpan, into fields: inout [String]) throws(Failure) -> Bool {
        fields.removeAll(keepingCapacity: true)
        if position == 0, text.byteCount >= 3, text.extracting(0..<3).equals("\u{FEFF}") { position = 3 }
        passEmptyLines(text)
        guard position < text.byteCount else { return false }
        line = linesRead + 1
        let start = position
        do throws(Failure) {
            repeat {
                fields.append(try field(text))
                guard position - start <= Self.recordBytesMax, fields.count <= Self.fieldsMax else { throw .tooLong }
            } while passComma(text)
        } catch {
            passLine(text)
            throw error
        }
        passLine(text)
        return true
    }

    private mutating func passEmptyLines(_ text: RawSpan) {
        while position < text.byteCount {
            let byte = text.byte(at: position)
            guard byte == 0x0A || byte == 0x0D else { return }
            if byte == 0x0A { linesRead += 1 }
            position += 1
        }
    }

    /// Goes behind the end of the current line.
    private mutating func passLine(_ text: RawSpan) {
        while position < text.byteCount {
            position += 1
            if text.byte(at: position - 1) == 0x0A {
                linesRead += 1
                return
            }
        }
    }

    private mutating func passComma(_ text: RawSpan) -> Bool {
        guard position < text.byteCount, text.byte(at: position) == UInt8(ascii: ",") else { return false }
        position += 1
        return true
    }

    /// Reads one field up to the comma or line end behind it.
    private mutating func field(_ text: RawSpan) throws(Failure) -> String {
        guard position < text.byteCount, text.byte(at: position) == UInt8(ascii: "\"") else {
            let start = position
            while position < text.byteCount, !Self.endsField(text.byte(at: position)) { position += 1 }
            return text.extracting(start..<position).string
        }
        return try quoted(text)
    }

    private mutating func quoted(_ text: RawSpan) throws(Failure) -> String {
        var field = ByteBuffer(capacity: 64)
        position += 1
        while position < text.byteCount {
            let byte = text.byte(at: position)
            position += 1
            if byte == 0x0A { linesRead += 1 }
            guard byte == UInt8(ascii: "\"") else {
                guard field.count < Self.recordBytesMax else { throw .tooLong }
                field.append(byte)
                continue
            }
            if position == text.byteCount || Self.endsField(text.byte(at: position)) { return field.bytes.string }
            // Two quotes are one; anything else has no place behind a closing one.
            guard text.byte(at: position) == UInt8(ascii: "\"") else { throw .badQuote }
            field.append(byte)
            position += 1
        }
        throw .badQuote
    }

    private static func endsField(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == 0x0A || byte == 0x0D
    }
}
