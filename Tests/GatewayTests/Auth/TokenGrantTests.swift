// Tokens as they are configured.
import Testing

@testable import Gateway

@Suite struct TokenGrantTests {
    @Test func `a token is bound by what follows its last at sign`() throws {
        let grants = try TokenGrant.list("plain, a@w-1 ,b@parcel-*,c@*,d@x@y.z*\ne")
        #expect(grants.map(\.token) == ["plain", "a", "b", "c", "d@x", "e"])
        #expect(grants.map(\.binding) == [.any, .exactly("w-1"), .prefix("parcel-"), .any, .prefix("y.z"), .any])
        #expect(grants.map(\.shown) == ["***", "***@w-1", "***@parcel-*", "***", "***@y.z*", "***"])
    }

    @Test(arguments: ["@w", "a@", "a@w/1", "a@w*x", "a@**", "a b", "té", "a\u{7F}"])
    func `a malformed token is refused by position and never repeated`(_ text: String) throws {
        let error = #expect(throws: BadSetting.self) { try TokenGrant.list("good,\(text)") }
        #expect(error?.reason.hasPrefix("token 2 ") == true)
        #expect(error?.reason.contains(text) == false)
    }

    @Test func `length and number are bounded`() throws {
        let longest = String(repeating: "x", count: TokenGrant.bytesMax)
        #expect(try TokenGrant.list(longest).count == 1)
        #expect(throws: BadSetting.self) { try TokenGrant.list(longest + "x") }
        let most = (0..<TokenGrant.countMax).map { "t\($0)" }
        #expect(try TokenGrant.list(most.joined(separator: ",")).count == TokenGrant.countMax)
        #expect(throws: BadSetting("more than 1024 tokens")) {
            try TokenGrant.list((most + ["x"]).joined(separator: ","))
        }
        #expect(throws: BadSetting.self) { try TokenGrant.list("t@" + String(repeating: "w", count: 129)) }
    }
}
