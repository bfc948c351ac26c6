// The tokens that steer the fleet (X-Ops-Token), GATEWAY_OPS_TOKENS. A type of its own, so that neither list can be
// asked in place of the other. An immutable value, shared by all reactors. Source: api.md section 2.

struct OpsTokens: Sendable {
    private let table: TokenTable

    init(_ grants: [TokenGrant]) { table = TokenTable(grants) }

    /// - Parameter workerID: what the caller names itself; only bound tokens look at it.
    func check(_ token: RawSpan, workerID: RawSpan) -> TokenVerdict { table.check(token, workerID: workerID) }
}
