// CSV as RFC 4180 has it, and what is not.

import Testing

@testable import Gateway
import Reactor

@Suite struct CSVReaderTests {
    private func records(_ text: String) throws -> [[String]] {
        var reader = CSVReader()
        var (all, fields): ([[String]], [String]) = ([], [])
        while try reader.next(Array(text.utf8).rawBytes, into: &fields) { all.append(fields) }
        return all
    }

    @Test func `records end at line feeds, with or without carriage returns, or at the end`() throws {
        #expect(try records("a,b\r\n1,2\n3,4") == [["a", "b"], ["1", "2"], ["3", "4"]])
        #expect(try records("").isEmpty)
        #expect(try records("\n\r\n\n").isEmpty)
        #expect(try records("a\n\nb\n") == [["a"], ["b"]])
    }

    @Test func `fields may be empty`() throws {
        #expect(try records(",,\n") == [["", "", ""]])
        #expect(try records("a,") == [["a", ""]])
    }

    @Test func `quoted fields hold commas, line ends and doubled quotes`() throws {
        #expect(try records("\"a,b\",\"c\r\nd\",\"say \"\"hi\"\"\",\"\"\n") == [["a,b", "c\r\nd", "say \"hi\"", ""]])
    }

    @Test func `a byte order mark is no part of the first name`() throws {
        #expect(try records("\u{FEFF}id,name\n1,2\n") == [["id", "name"], ["1", "2"]])
    }

    @Test func `a broken record is told with its line, and the next one is read`() throws {
        let text = Array("a\n\"b\" c\nd\n".utf8)
        var reader = CSVReader()
        var fields: [String] = []
        #expect(try reader.next(text.rawBytes, into: &fields))
        #expect(throws: CSVReader.Failure.badQuote) { _ = try reader.next(text.rawBytes, into: &fields) }
        #expect(reader.line == 2)
        #expect(try reader.next(text.rawBytes, into: &fields))
        #expect(fields == ["d"] && reader.line == 3)
    }

    @Test func `a quote that is never closed ends at the end`() {
        #expect(throws: CSVReader.Failure.badQuote) { try records("a\n\"b") }
        #expect(throws: CSVReader.Failure.tooLong) {
            try records("\"" + String(repeating: "x", count: CSVReader.recordBytesMax + 2))
        }
    }

    @Test func `lines inside quotes count`() throws {
        let text = Array("\"a\nb\"\nc\n".utf8)
        var reader = CSVReader()
        var fields: [String] = []
        #expect(try reader.next(text.rawBytes, into: &fields))
        #expect(try reader.next(text.rawBytes, into: &fields))
        #expect(reader.line == 3)
    }
}
