// Lines written from a thread of their own, through pipes.
import Dispatch
import Foundation
import Testing

@testable import Reactor

@Suite struct LineWriterTests {
    private let pipe = Pipe()
    private var input: Int32 { pipe.fileHandleForWriting.fileDescriptor }

    private func writer(bufferedBytesMax: Int = LineWriter.bufferedBytesMax) -> LineWriter {
        LineWriter(descriptor: input, bufferedBytesMax: bufferedBytesMax) { Array("dropped \($0)\n".utf8) }
    }

    private func write(_ text: String, _ writer: LineWriter) {
        let bytes = Array((text + "\n").utf8)
        writer.write(bytes.span.bytes)
    }

    private func readToEnd() -> [Substring] {
        pipe.fileHandleForWriting.closeFile()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return text.split(separator: "\n")
    }

    @Test func `lines arrive whole, in order, before close returns`() {
        let writer = writer()
        for number in 0..<1000 { write("line \(number)", writer) }
        #expect(writer.close())
        #expect(writer.droppedCount == 0)
        #expect(readToEnd() == (0..<1000).map { "line \($0)" })
    }

    @Test func `lines of several threads are never mixed`() {
        let writer = writer()
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for number in 0..<100 { write("\(thread) \(number) \(String(repeating: "x", count: thread * 10))", writer) }
        }
        #expect(writer.close())
        let lines = readToEnd()
        #expect(lines.count == 800)
        for thread in 0..<8 {
            let own = lines.filter { $0.hasPrefix("\(thread) ") }
            #expect(own == (0..<100).map { "\(thread) \($0) \(String(repeating: "x", count: thread * 10))" })
        }
    }

    @Test func `a reader that takes nothing costs lines, not time, and is told how many`() async throws {
        let writer = writer(bufferedBytesMax: 4096)
        let line = String(repeating: "x", count: 1023)
        // A pipe holds 64 KiB, the writer two buffers of 4 KiB: of 200 KiB most must go.
        for _ in 0..<200 { write(line, writer) }
        let dropped = writer.droppedCount
        #expect(dropped >= 200 - 64 - 8)

        let handle = pipe.fileHandleForReading
        let reader = Task.detached { String(decoding: handle.readDataToEndOfFile(), as: UTF8.self) }
        #expect(writer.close())
        pipe.fileHandleForWriting.closeFile()
        let lines = await reader.value.split(separator: "\n")
        let told = lines.filter { $0.hasPrefix("dropped ") }.compactMap { Int($0.dropFirst("dropped ".count)) }
        #expect(told.reduce(0, +) == dropped)
        #expect(lines.count { $0 == line } == 200 - dropped)
    }

    @Test func `closing gives up on a reader that takes nothing`() {
        let writer = writer()
        let line = String(repeating: "x", count: 1023)
        for _ in 0..<200 { write(line, writer) }
        #expect(!writer.close(waitMsMax: 1))
        // The thread ends once the reader takes the rest; it holds the descriptor until then.
        var taken = 0
        while taken < 200 * 1024 { taken += pipe.fileHandleForReading.availableData.count }
        #expect(writer.close())
        #expect(readToEnd() == [])
    }

    @Test func `what comes after close is dropped and counted`() {
        let writer = writer()
        #expect(writer.close())
        write("late", writer)
        #expect(writer.droppedCount == 1)
        #expect(readToEnd() == [])
    }

    @Test func `a closed reader costs the lines and nothing else`() {
        let writer = writer()
        pipe.fileHandleForReading.closeFile()
        write("nobody reads this", writer)
        #expect(writer.close())
        #expect(writer.droppedCount == 1)
    }

    @Test func `a line for a command ends with a newline`() {
        writeLine("hello", to: input)
        #expect(readToEnd() == ["hello"])
    }
}
