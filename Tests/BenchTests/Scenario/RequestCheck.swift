// Reads back what a scenario has written, with the server's own parser.

import Reactor
import TestSupport

@testable import Bench

struct WrittenRequest: Equatable {
    var method: String
    var target: String
    var body: String
    var headers: [String: String]
}

/// Takes one request apart. Throws unless it is exactly one, of the length that it announces.
func written(by scenario: some Scenario, now: Instant = Instant(nanoseconds: 0)) throws -> (Ticket, WrittenRequest) {
    var out = ByteBuffer()
    let ticket = scenario.write(to: &out, now: now)
    return (ticket, try parseRequest(out.bytes))
}

func parseRequest(_ bytes: RawSpan) throws -> WrittenRequest {
    var table = HeaderTable()
    var progress = HeadProgress()
    guard let head = try RequestParser.parse(bytes, limits: HeadLimits(), progress: &progress, into: &table) else {
        throw TestFailure("not a whole head: \(bytes.string)")
    }
    var length = 0
    if case .length(let count) = head.framing { length = count }
    guard head.byteCount + length == bytes.byteCount else {
        throw TestFailure("announces \(length) bytes and has \(bytes.byteCount - head.byteCount)")
    }
    var headers: [String: String] = [:]
    for index in 0..<table.count {
        headers[bytes.slice(table[index].name).string.lowercased()] = bytes.slice(table[index].value).string
    }
    return WrittenRequest(
        method: bytes.slice(head.methodName).string, target: bytes.slice(head.target).string,
        body: bytes.extracting(head.byteCount..<bytes.byteCount).string, headers: headers)
}

let testTarget: Target = {
    do { return try Target("http://127.0.0.1:8081") } catch { fatalError("\(error)") }
}()

let testIdentity = WorkerIdentity(token: "secret", idPrefix: "w-")
