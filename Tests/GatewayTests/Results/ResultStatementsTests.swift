// Which statement a group of rows takes, and that both kinds have theirs, each for its own table.

import Testing

@testable import Gateway
@testable import Reactor

@Suite struct ResultStatementsTests {
    private func chunk(_ count: Int) throws -> ResultChunk {
        var chunk = ResultChunk()
        for index in 0..<count { try ChunkItem(parcel: "p-\(index)", minute: 1).add(to: &chunk, item: index) }
        chunk.close()
        return chunk
    }

    @Test func `each kind has a statement for one row and one for many, into its own table`() {
        var statements = PostgresStatements()
        for kind in WorkKind.allCases { _ = ResultStatements(kind, in: &statements) }
        #expect(statements.list.count == 4)
        #expect(Set(statements.list.map(\.name)).count == 4)
        for (index, statement) in statements.list.enumerated() {
            let table = index < 2 ? "parcel" : "party"
            #expect(statement.sql.contains("INSERT INTO \(table)_results AS r (\(table)_id,"))
        }
    }

    @Test func `a row alone takes the plain statement, several take the other`() throws {
        var list = PostgresStatements()
        var parameters = PostgresParameters()
        for kind in WorkKind.allCases {
            let statements = ResultStatements(kind, in: &list)
            let one = statements.encode(try chunk(1), 0..<1, into: &parameters)
            let many = statements.encode(try chunk(5), 0..<5, into: &parameters)
            let part = statements.encode(try chunk(5), 2..<3, into: &parameters)
            #expect(list.list[many.index].sql.contains("unnest"))
            #expect(list.list[one.index].sql.contains("VALUES"))
            #expect(part == one)
        }
    }
}
