// The members that a schema names, as JSONMembers collects them.

import Testing

@testable import Reactor

@Suite struct JSONMembersTests {
    private func read(_ text: String) throws(JSONFailure) -> (kinds: [JSONValue.Kind], values: [String], whole: String)
    {
        let bytes = Array(text.utf8)
        let members = try JSONMembers<3>(bytes.rawBytes, ["a", "bb", "c"])
        let all = [members[0], members[1], members[2]]
        return (
            all.map(\.kind), all.map { bytes.rawBytes.slice($0.range).string },
            bytes.rawBytes.slice(members.document).string
        )
    }

    @Test func `members are found in any order, others are left out, missing ones are absent`() throws {
        let found = try read(#" {"x":[{"a":1}],"c":null,"a":"text","":0} "#)
        #expect(found.kinds == [.string, .absent, .null])
        #expect(found.values == [#""text""#, "", "null"])
        #expect(found.whole == #"{"x":[{"a":1}],"c":null,"a":"text","":0}"#)
    }

    @Test func `of equal names the last wins, however it is written`() throws {
        let found = try read(##"{"bb":1,"\u0062b":2,"a":3,"a":[]}"##)
        #expect(found.kinds == [.array, .number, .absent])
        #expect(found.values == ["[]", "2", ""])
    }

    @Test func `an empty object has none of them`() throws {
        let found = try read("{}")
        #expect(found.kinds == [.absent, .absent, .absent] && found.whole == "{}")
    }

    @Test(arguments: ["[]", "1", "null", "\"a\""])
    func `what is no object is a fault of the schema`(text: String) {
        let failure = #expect(throws: JSONFailure.self) { try read(text) }
        guard case .schema = failure else { Issue.record("\(text): \(String(describing: failure))"); return }
    }

    @Test(arguments: ["", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{} x", "{\"zz\":tru}"])
    func `what is no JSON is a fault of the syntax`(text: String) {
        let failure = #expect(throws: JSONFailure.self) { try read(text) }
        guard case .syntax = failure else { Issue.record("\(text): \(String(describing: failure))"); return }
    }
}
