// Tokens as they are checked.
import Testing

@testable import Gateway

@Suite struct TokenTableTests {
    private func check(_ list: String, _ token: String, _ workerID: String) throws -> TokenVerdict {
        let token = Array(token.utf8)
        let workerID = Array(workerID.utf8)
        let grants = try TokenGrant.list(list)
        let worker = WorkerTokens(grants).check(token.span.bytes, workerID: workerID.span.bytes)
        let ops = OpsTokens(grants).check(token.span.bytes, workerID: workerID.span.bytes)
        #expect(worker == ops)
        return worker
    }

    @Test func `without tokens everything is refused`() throws {
        #expect(try check("", "", "w") == .unauthorized)
        #expect(try check("", "x", "w") == .unauthorized)
    }

    @Test(arguments: ["alpha", "bravo-longer", "c"])
    func `any configured token is allowed to any worker`(_ token: String) throws {
        #expect(try check("alpha,bravo-longer,c", token, "w-1") == .allowed)
        #expect(try check("alpha,bravo-longer,c", token, "") == .allowed)
    }

    @Test(arguments: ["", "alph", "alphaa", "Alpha", "alpha ", "\0", "alpha\0", "bravo"])
    func `anything but a whole token is unauthorized`(_ token: String) throws {
        #expect(try check("alpha,bravo-longer,c", token, "w-1") == .unauthorized)
    }

    @Test func `a token of the greatest length is compared to its last byte`() throws {
        let token = String(repeating: "x", count: TokenGrant.bytesMax)
        #expect(try check(token, token, "w") == .allowed)
        #expect(try check(token, token.dropLast() + "y", "w") == .unauthorized)
        #expect(try check(token, token + "x", "w") == .unauthorized)
    }

    @Test(arguments: [
        ("t@w-*", "w-1", TokenVerdict.allowed), ("t@w-*", "w-", .allowed), ("t@w-*", "w", .forbidden),
        ("t@w-*", "x-1", .forbidden), ("t@w-*", "", .forbidden), ("t@w-1", "w-1", .allowed),
        ("t@w-1", "w-10", .forbidden),
        ("t@w-1", "w-2", .forbidden), ("t@w-1", "W-1", .forbidden), ("t@*", "", .allowed),
    ])
    func `a bound token is forbidden to other workers`(_ list: String, _ workerID: String, _ verdict: TokenVerdict)
        throws
    {
        #expect(try check(list, "t", workerID) == verdict)
        #expect(try check("first@q,\(list),last@q", "t", workerID) == verdict)
    }

    @Test func `a token given twice has both bindings`() throws {
        let list = "t@a-*,u@z,t@b-1"
        #expect(try check(list, "t", "a-7") == .allowed)
        #expect(try check(list, "t", "b-1") == .allowed)
        #expect(try check(list, "t", "z") == .forbidden)
        #expect(try check(list, "u", "z") == .allowed)
        #expect(try check("t@a,t", "t", "z") == .allowed)
    }

    @Test func `a wrong token of a known worker is unauthorized, not forbidden`() throws {
        #expect(try check("t@w-1", "x", "w-1") == .unauthorized)
    }
}
