// The client for `async` callers: everything that is not the hot path. Runs on the reactor's thread.
// Limits: the client's. Cancelling the caller's task does not take a statement back; it ends within `flightTimeout`.

extension PostgresClient {
    /// Runs one statement as a transaction of its own and returns its rows as text.
    /// - Throws: `.refused` with PostgreSQL's words; `.unavailable` and `.overloaded` at once, `.timedOut` after the
    ///   limit.
    @discardableResult
    public func query(_ sql: String, _ parameters: [PostgresValue] = []) async throws(PostgresFailure) -> [PostgresRow]
    {
        precondition(reactor.executor.isCurrent, "used away from its reactor")
        guard !parameters.contains(where: \.hasZeroByte) else { throw .zeroByte }
        let result: Result<[PostgresRow], PostgresFailure> = await withUnsafeContinuation { continuation in
            let waiter = PostgresWaiter(continuation)
            if !submit(owner: waiter, tag: 0, sql: sql, parameters: parameters) {
                waiter.failed(isConnected ? .overloaded : .unavailable, tag: 0)
            }
        }
        return try result.get()
    }

    /// Asks PostgreSQL for a sign of life and returns the time it took.
    public func ping() async throws(PostgresFailure) -> Interval {
        let sent = Instant.read()
        try await query("SELECT 1")
        return Instant.read() - sent
    }
}

extension PostgresFailure {
    /// What PostgreSQL would say of a text with a zero byte, had libpq not cut it off.
    static var zeroByte: PostgresFailure {
        var failure = PostgresFailure(.refused, message: "text cannot hold a zero byte")
        failure.sqlState = "22021"
        return failure
    }
}

/// A suspended caller. Owned by its flight.
private final class PostgresWaiter: PostgresFlightOwner {
    private let continuation: UnsafeContinuation<Result<[PostgresRow], PostgresFailure>, Never>

    init(_ continuation: UnsafeContinuation<Result<[PostgresRow], PostgresFailure>, Never>) {
        self.continuation = continuation
    }

    func completed(_ rows: PostgresRows, tag: UInt64) {
        continuation.resume(returning: .success(PostgresRow.all(of: rows.result)))
    }

    func failed(_ failure: PostgresFailure, tag: UInt64) { continuation.resume(returning: .failure(failure)) }
}
