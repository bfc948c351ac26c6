// What the tests of the PostgreSQL client share.

@testable import Reactor

/// Keeps what the flights of a test are told, in order, as the first column's int4 or the failure.
final class StatementLog: PostgresFlightOwner {
    enum Entry: Equatable {
        case rows(tag: UInt64, [Int32], affected: Int)
        case failed(tag: UInt64, PostgresFailure.Kind, sqlState: String)
    }

    private(set) var entries: [Entry] = []
    private(set) var failures: [PostgresFailure] = []

    func completed(_ rows: PostgresRows, tag: UInt64) {
        var values: [Int32] = []
        if rows.columnCount > 0 { for row in 0..<rows.count { values.append(rows.int32(row, 0)) } }
        entries.append(.rows(tag: tag, values, affected: rows.affectedCount))
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) {
        failures.append(failure)
        entries.append(.failed(tag: tag, failure.kind, sqlState: failure.sqlState))
    }
}

/// Calls a closure with the rows of one flight.
final class RowsProbe: PostgresFlightOwner {
    private let body: (PostgresRows) -> Void
    private(set) var isDone = false
    private(set) var failure: PostgresFailure?
    init(_ body: @escaping (PostgresRows) -> Void) { self.body = body }

    func completed(_ rows: PostgresRows, tag: UInt64) {
        body(rows)
        isDone = true
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) {
        self.failure = failure
        isDone = true
    }
}

extension Reactor {
    /// Starts a client and returns once it is connected.
    func connected(
        _ url: String, statements: PostgresStatements = PostgresStatements(), limits: PostgresLimits = PostgresLimits()
    ) async throws -> PostgresClient {
        let client = PostgresClient(
            reactor: self, target: try PostgresTarget(url), statements: statements, limits: limits)
        client.start()
        try await until("connected; last failure: \(client.lastFailure?.description ?? "none")") { client.isConnected }
        return client
    }
}
