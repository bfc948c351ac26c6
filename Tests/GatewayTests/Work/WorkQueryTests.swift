// The parameters of a pull: their defaults, ranges, lists, and a 400 that names what is wrong.

import Reactor
import Testing

@testable import Gateway

@Suite struct WorkQueryTests {
    private struct Read: Equatable {
        var capacity = 10
        var maxTier = 4
        var waitSeconds = 0.0
        var pollID = ""
        var platforms: [String] = []
    }

    private func read(_ query: String) throws(Problem) -> Read {
        let bytes = Array(query.utf8)
        var lists = WorkQueryLists()
        let found = try WorkQuery.read(bytes.span.bytes, lists: &lists)
        let names = lists.platforms.bytes.string.split(separator: "\0").map { String($0) }
        let count = lists.platformCount
        #expect(names.count == count)
        return Read(
            capacity: found.capacity, maxTier: found.maxTier, waitSeconds: found.waitSeconds,
            pollID: lists.pollID.bytes.string, platforms: names)
    }

    @Test func `without parameters the defaults hold`() throws {
        #expect(try read("") == Read())
        #expect(try read("worker_id=w&unknown=1&&=&x") == Read())
    }

    @Test func `every parameter is read, escapes undone`() throws {
        let all = try read("capacity=100&max_tier=1&wait=29.5&poll_id=a%2Db&platforms=x,y&platforms=z%3A1")
        #expect(all == Read(capacity: 100, maxTier: 1, waitSeconds: 29.5, pollID: "a-b", platforms: ["x", "y", "z:1"]))
        #expect(try read("platforms[]=a&platforms%5B%5D=b").platforms == ["a", "b"])
        #expect(try read("platforms=,a,,b,").platforms == ["a", "b"])
        #expect(try read("capac%69ty=7").capacity == 7)
    }

    @Test func `of a parameter that comes twice the last counts`() throws {
        #expect(try read("capacity=1&capacity=2&wait=1&wait=0.25").capacity == 2)
        #expect(try read("poll_id=first&poll_id=second").pollID == "second")
    }

    @Test(arguments: [
        ("capacity", ["0", "101", "-1", "", "x", "1.0", "+5", "1e1", "99999999999999999999", " 1"]),
        ("max_tier", ["0", "5", "", "+1"]),
        ("wait", ["-1", "30.01", "nan", "inf", "0x10", "1e1", "+1", "", ".", "1s"]),
        ("poll_id", ["", "a b", "ü", String(repeating: "p", count: 65)]),
        ("platforms", ["a b", "ü", "a\"b", String(repeating: "p", count: 65)]),
    ])
    func `a value outside its range is a 400 that names the parameter`(name: String, values: [String]) {
        for value in values {
            let escaped = value.utf8.map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }.joined()
            let problem = #expect(throws: Problem.self, "\(name)=\(value)") { try read("\(name)=\(escaped)") }
            #expect(problem?.status == 400)
            #expect(problem?.message.contains(name) == true)
        }
    }

    @Test func `a broken escape is a 400 that names the parameter`() {
        let problem = #expect(throws: Problem.self) { try read("platforms=%4") }
        #expect(problem?.status == 400)
    }

    @Test func `names of platforms count, empty or not`() throws {
        #expect(try read(String(repeating: "platforms=&", count: 64)).platforms == [])
        #expect(throws: Problem.self) { try read(String(repeating: "platforms=&", count: 65)) }
    }

    @Test func `64 platforms are the most, and lists start anew with each request`() throws {
        let names = (0..<64).map { "p\($0)" }
        #expect(try read("platforms=\(names.joined(separator: ","))").platforms == names)
        #expect(throws: Problem.self) { try read("platforms=\(names.joined(separator: ","))&platforms=one") }
        var lists = WorkQueryLists()
        _ = try WorkQuery.read(Array("platforms=a&poll_id=p".utf8).span.bytes, lists: &lists)
        _ = try WorkQuery.read(Array("platforms=b".utf8).span.bytes, lists: &lists)
        let (count, pollBytes) = (lists.platformCount, lists.pollID.count)
        #expect(count == 1 && pollBytes == 0)
        _ = try WorkQuery.read(Array("".utf8).span.bytes, lists: &lists)
        let countOfNone = lists.platformCount
        #expect(countOfNone == 0)
    }
}
