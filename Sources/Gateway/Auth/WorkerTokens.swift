// The tokens of the worker surface (X-Worker-Token), GATEWAY_WORKER_TOKENS.
// An immutable value, shared by all reactors. Without any token everything is refused. Source: api.md section 2.

struct WorkerTokens: Sendable {
    private let table: TokenTable

    init(_ grants: [TokenGrant]) { table = TokenTable(grants) }

    /// See `TokenTable.check`.
    func check(_ token: RawSpan, workerID: RawSpan) -> TokenVerdict { table.check(token, workerID: workerID) }
}
