// The tasks of a file, one after the other: NDJSON, a JSON array, or CSV with a mapping of its columns.
// Owned by the command that reads; the file is mapped, so its size does not matter. Limit: 1 MiB an item.

import FoundationEssentials
import Reactor

struct TaskFile: ~Copyable {
    static let chunkBytes = 1 << 20

    enum Item {
        /// `item` is a task, as a producer would send it.
        case task
        /// This item is none, and why.
        case bad(String)
        case end
    }

    private let data: Data
    private var position = 0
    // JSON: the splitter, with the chunk it is in.
    private var splitter = ItemSplitter(.detect)
    private var chunk = 0..<0
    private var isFinished = false
    // CSV.
    private let columns: TaskColumns?
    private var csv = CSVReader()
    private var record: [String] = []

    private(set) var item = ByteBuffer()
    /// Where the last item stands: "line 7" or "item 7".
    private(set) var place = ""
    /// Items taken so far, good and bad.
    private(set) var count = 0

    /// A file of JSON.
    init(json data: Data) {
        self.data = data
        columns = nil
    }

    /// A file of CSV, whose first record names the columns.
    init(csv data: Data, columns: ([String]) throws(TaskColumns.Failure) -> TaskColumns) throws(TaskColumns.Failure) {
        self.data = data
        var reader = CSVReader()
        var header: [String] = []
        let hasHeader: Bool
        do throws(CSVReader.Failure) {
            hasHeader = try reader.next(data.bytes, into: &header)
        } catch {
            throw TaskColumns.Failure(description: "the first line is no CSV header")
        }
        guard hasHeader else { throw TaskColumns.Failure(description: "the file is empty") }
        self.columns = try columns(header)
        csv = reader
    }

    /// 0 … 1 of the bytes.
    var share: Double {
        data.isEmpty ? 1 : Double(columns == nil ? position : csv.position) / Double(data.count)
    }

    /// Takes the next item.
    /// - Throws: where the structure of a JSON array is broken: nothing more can be read.
    mutating func next() throws(JSONFailure) -> Item {
        item.clear()
        let next = columns == nil ? try nextJSON() : nextRecord()
        if case .end = next { return next }
        count += 1
        return next
    }

    private mutating func nextJSON() throws(JSONFailure) -> Item {
        while true {
            let step = try step()
            switch step {
            case .item(let number):
                // Taken out while it is written: a span must not see its owner change.
                var copy = exchange(&item, for: ByteBuffer())
                copy.append(splitter.item)
                item = copy
                place = "\(splitter.countsLines ? "line" : "item") \(number)"
                return .task
            case .tooLong(let number):
                place = "\(splitter.countsLines ? "line" : "item") \(number)"
                return .bad("larger than 1 MiB")
            case .end: return .end
            case .needsMore:
                chunk = position..<min(position + Self.chunkBytes, data.count)
                if chunk.isEmpty { isFinished = true }
            }
        }
    }

    private mutating func step() throws(JSONFailure) -> ItemSplitter.Step {
        if isFinished {
            let last = try splitter.finish()
            if case .needsMore = last { return .end }
            return last
        }
        var at = position - chunk.lowerBound
        let step = try splitter.next(data.bytes.extracting(chunk), &at)
        // Where the chunk is used up the splitter starts to count anew.
        if case .needsMore = step { position = chunk.upperBound } else { position = chunk.lowerBound + at }
        return step
    }

    private mutating func nextRecord() -> Item {
        guard let columns else { return .end }
        do throws(CSVReader.Failure) {
            guard try csv.next(data.bytes, into: &record) else { return .end }
            place = "line \(csv.line)"
            return columns.append(record, to: &item) ? .task : .bad("it has no task id")
        } catch {
            place = "line \(csv.line)"
            return .bad(error == .badQuote ? "a quote is not closed, or not where one may be" : "longer than 1 MiB")
        }
    }
}
