// A chunk on its way: split where the server refuses it, until the guilty row stands alone; what is finished in Redis.

import Reactor
import Testing

@testable import Gateway

@Suite struct ResultFlightTests {
    private func flight(_ count: Int) throws -> ResultFlight {
        let flight = ResultFlight(id: 3)
        for index in 0..<count { try ChunkItem(parcel: "p-\(index)", minute: 1).add(to: &flight.chunk, item: index) }
        flight.close(now: Instant(nanoseconds: 7))
        return flight
    }

    /// Plays a server that refuses every group with a guilty row; returns what was stored and who was blamed.
    private func play(_ flight: ResultFlight, guilty: Set<Int>) -> (stored: [Int], blamed: [Int], statements: Int) {
        var (stored, blamed, statements) = ([Int](), [Int](), 0)
        while let group = flight.groups.last {
            statements += 1
            let rows = group.map { Int(flight.chunk.order[$0]) }
            if guilty.isDisjoint(with: rows) {
                for row in rows {
                    flight.chunk.settle(row, .inserted)
                    stored.append(row)
                }
                flight.settleStale()
            } else if let row = flight.split() {
                flight.chunk.settle(row, .failed)
                blamed.append(row)
            }
        }
        return (stored, blamed, statements)
    }

    @Test func `what nobody refuses goes in one statement`() throws {
        let flight = try flight(64)
        let (stored, blamed, statements) = play(flight, guilty: [])
        #expect(stored.count == 64)
        #expect(blamed.isEmpty)
        #expect(statements == 1)
        #expect(flight.departed == Instant(nanoseconds: 7))
    }

    @Test(arguments: [Set([0]), [63], [5, 6], [1, 17, 42], Set(0..<64)])
    func `refused rows are found and all the others stored`(guilty: Set<Int>) throws {
        let flight = try flight(64)
        let (stored, blamed, statements) = play(flight, guilty: guilty)
        #expect(Set(blamed) == guilty && blamed.count == guilty.count)
        #expect(Set(stored) == Set(0..<64).subtracting(guilty))
        // A binary search for each, never more than all the nodes of the tree.
        #expect(statements <= min(127, 1 + 2 * 6 * guilty.count))
    }

    @Test func `rows that a statement did not return are stale`() throws {
        let flight = try flight(3)
        flight.chunk.settle(1, .updated)
        flight.settleStale()
        #expect(flight.chunk.rows.map(\.outcome) == [.stale, .updated, .stale])
        #expect(flight.groups.isEmpty)
    }

    @Test func `all that is stored or stale is finished, what failed or is unknown is not`() throws {
        let flight = try flight(5)
        for (row, outcome) in [ResultRow.Outcome.inserted, .updated, .stale, .failed, .unknown].enumerated() {
            flight.chunk.settle(row, outcome)
        }
        flight.prepareFinish()
        #expect(flight.finishing == [0, 1, 2])
    }

    @Test func `what a lost server left open is unknown, what it had stored is not`() throws {
        let flight = try flight(3)
        flight.chunk.settle(0, .inserted)
        flight.settleUnknown()
        #expect(flight.chunk.rows.map(\.outcome) == [.inserted, .unknown, .unknown])
        flight.clear()
        #expect(flight.chunk.rows.isEmpty && flight.groups.isEmpty)
    }
}
