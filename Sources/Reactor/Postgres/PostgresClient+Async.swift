// The client for `async` callers: everything that is not the hot path. Runs on the reactor's thread.
// Limits: the client's. Cancelling the caller's task does not take a statement back.

extension PostgresClient {
    /// Runs one statement with text parameters (`$1`, `$2`, …) and returns its rows as text.
    public func query(_ sql: String, _ parameters: [String?] = []) async throws(PostgresFailure) -> [PostgresRow] {
        precondition(reactor.executor.isCurrent, "used away from its reactor")
        let result: Result<[PostgresRow], PostgresFailure> = await withUnsafeContinuation { continuation in
            let waiter = PostgresWaiter(continuation)
            if !submit(owner: waiter, tag: 0, sql: sql, parameters: parameters) {
                waiter.failed(isConnected ? .overloaded : .unavailable, tag: 0)
            }
        }
        return try result.get()
    }
}

/// A suspended caller. Owned by its flight.
private final class PostgresWaiter: PostgresFlightOwner {
    private let continuation: UnsafeContinuation<Result<[PostgresRow], PostgresFailure>, Never>

    init(_ continuation: UnsafeContinuation<Result<[PostgresRow], PostgresFailure>, Never>) {
        self.continuation = continuation
    }

    func completed(_ rows: borrowing PostgresRows, tag: UInt64) {
        var copies: [PostgresRow] = []
        for row in 0..<rows.count {
            var cells: PostgresRow = []
            for column in 0..<rows.columnCount {
                cells.append(rows.isNull(row, column) ? nil : rows.bytes(row, column).string)
            }
            copies.append(cells)
        }
        continuation.resume(returning: .success(copies))
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) { continuation.resume(returning: .failure(failure)) }
}
