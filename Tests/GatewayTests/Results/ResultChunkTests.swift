// What gathers for one statement: one row for each key, the newest, of equals the last; outcomes for all the others.

import Reactor
import TestSupport
import Testing

@testable import Gateway

/// Results for a chunk, made from text.
struct ChunkItem {
    var parcel: String
    var county = "Larimer"
    var minute: Int

    func add(to chunk: inout ResultChunk, item: Int, submission: SlotID = SlotID(index: 1, generation: 1)) throws {
        let text = """
            [{"task_id":"t","parcel_id":"\(parcel)","platform":"b","state":"CO","county":"\(county)","data":{"m":\(minute)},
            "scraped_at":"2026-02-04T10:\(minute / 10)\(minute % 10):00Z","parse_duration_ms":1,"raw_html_hash":"h","attempt":2}]
            """
        let bytes = Array(text.utf8)
        var results: [ParcelResult] = []
        try ParcelResult.decode(bytes.span.bytes, key: .parcel, into: &results)
        chunk.add(
            results[0], of: bytes.span.bytes, worker: Array("w".utf8).span.bytes, submission: submission, item: item,
            arrivedUs: 5)
    }
}

@Suite struct ResultChunkTests {
    private func chunk(_ items: [(String, Int)]) throws -> ResultChunk {
        var chunk = ResultChunk()
        for (index, (parcel, minute)) in items.enumerated() {
            try ChunkItem(parcel: parcel, minute: minute).add(to: &chunk, item: index)
        }
        chunk.close()
        return chunk
    }

    /// The items that are written, in the order of their arrival.
    private func written(_ chunk: borrowing ResultChunk) -> [Int] { chunk.order.map { Int($0) }.sorted() }

    private func outcomes(_ chunk: borrowing ResultChunk) -> [ResultRow.Outcome] { chunk.rows.map(\.outcome) }

    @Test func `different keys are all written, in the order of their hashes`() throws {
        let chunk = try chunk((0..<20).map { ("p-\($0)", 1) })
        #expect(written(chunk) == Array(0..<20))
        let hashes = (0..<20).map { chunk.row(at: $0).keyHash }
        #expect(hashes == hashes.sorted())
    }

    @Test func `of one key the newest is written, of equals the last`() throws {
        #expect(written(try chunk([("p", 1), ("p", 3), ("p", 2)])) == [1])
        #expect(written(try chunk([("p", 3), ("p", 3), ("p", 3)])) == [2])
        #expect(written(try chunk([("p", 9), ("q", 1), ("p", 1), ("q", 2)])) == [0, 3])
    }

    @Test func `names that run together are different keys`() throws {
        var chunk = ResultChunk()
        try ChunkItem(parcel: "ab", county: "c", minute: 1).add(to: &chunk, item: 0)
        try ChunkItem(parcel: "a", county: "bc", minute: 1).add(to: &chunk, item: 1)
        chunk.close()
        let count = chunk.order.count
        #expect(count == 2)
    }

    @Test func `a row keeps its bytes after its request is gone`() throws {
        let chunk = try chunk([("p-\\u00e9", 7)])
        let row = chunk.rows[0]
        let bytes = chunk.bytes.bytes
        #expect(bytes.slice(row.recordID).string == "p-é")
        #expect(bytes.slice(row.data).string == "{\"m\":7}")
        #expect(bytes.slice(row.worker).string == "w")
        #expect(row.rawHTMLHash.map { bytes.slice($0).string } == "h")
        #expect(row.attempt == 2)
        #expect(row.outcome == .pending)
    }

    @Test func `superseded rows follow their winner: older ones are stale, equal ones updates`() throws {
        var chunk = try chunk([("p", 1), ("p", 3), ("p", 2), ("p", 3)])
        let winner = chunk.winner(of: 0)
        #expect(winner == 3)
        chunk.settle(3, .inserted)
        chunk.settleSuperseded()
        #expect(outcomes(chunk) == [.stale, .updated, .stale, .inserted])
    }

    @Test func `rows whose winner failed must be tried themselves, rows whose winner is unknown are unknown`() throws {
        var failed = try chunk([("p", 1), ("p", 2)])
        failed.settle(1, .failed)
        failed.settleSuperseded()
        #expect(outcomes(failed) == [.pending, .failed])
        var lost = try chunk([("p", 1), ("p", 2)])
        lost.settle(1, .unknown)
        lost.settleSuperseded()
        #expect(outcomes(lost) == [.unknown, .unknown])
    }

    @Test func `a row that must be tried again moves to another chunk with its bytes`() throws {
        let first = try chunk([("p", 1), ("p", 2)])
        var second = ResultChunk()
        second.add(first.rows[0], of: first.bytes.bytes)
        second.close()
        #expect(written(second) == [0])
        let row = second.rows[0]
        let bytes = second.bytes.bytes
        #expect(bytes.slice(row.recordID).string == "p")
        #expect(bytes.slice(row.data).string == "{\"m\":1}")
        #expect(row.item == 0)
    }

    @Test func `64 rows fill a chunk, and cleared it is as new`() throws {
        var chunk = ResultChunk()
        var fullAfter: Int?
        for index in 0..<ResultChunk.rowsMax {
            try ChunkItem(parcel: "p", minute: index % 60).add(to: &chunk, item: index)
            if chunk.isFull, fullAfter == nil { fullAfter = index + 1 }
        }
        #expect(fullAfter == 64)
        chunk.close()
        #expect(written(chunk).count == 1)
        chunk.clear()
        let (isFull, isEmpty) = (chunk.isFull, chunk.rows.isEmpty)
        #expect(!isFull && isEmpty)
        try ChunkItem(parcel: "p", minute: 1).add(to: &chunk, item: 0)
        chunk.close()
        #expect(written(chunk) == [0])
    }

    @Test func `against a model: random keys and times give each key its newest`() throws {
        var random = RandomSource()
        for _ in 0..<200 {
            let items = (0..<Int.random(in: 1...64, using: &random)).map { _ in
                ("k\(Int.random(in: 0...9, using: &random))", Int.random(in: 0...5, using: &random))
            }
            var newest: [String: Int] = [:]
            for (index, (key, minute)) in items.enumerated() {
                if let known = newest[key], items[known].1 > minute { continue }
                newest[key] = index
            }
            let chunk = try chunk(items)
            #expect(written(chunk) == newest.values.sorted(), "\(items)")
        }
    }
}
