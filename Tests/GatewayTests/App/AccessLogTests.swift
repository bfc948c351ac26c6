// The rule of which requests are logged.
import Testing

@testable import Gateway

@Suite struct AccessLogTests {
    @Test(arguments: [AccessLog.all, .errors, .sample(every: 3)])
    func `server errors and slow requests are always written`(_ log: AccessLog) {
        #expect(log.includes(status: 500, latencyMs: 0, sequence: 1))
        #expect(log.includes(status: 200, latencyMs: 501, sequence: 1))
    }

    @Test func `the others are written all, never, or one in N`() {
        func count(_ log: AccessLog) -> Int {
            (0..<300).count { log.includes(status: 404, latencyMs: 500, sequence: UInt64($0)) }
        }
        #expect(count(.all) == 300)
        #expect(count(.errors) == 0)
        #expect(count(.sample(every: 3)) == 100)
        #expect(count(.sample(every: 1)) == 300)
    }

    @Test func `each rule is written as it is read`() throws {
        for text in ["all", "errors", "sample:7"] { #expect(try AccessLog(text).shown == text) }
        #expect(throws: BadSetting("not a choice")) { try AccessLog("some") }
        #expect(throws: BadSetting("N is out of range")) { try AccessLog("sample:x") }
    }
}
