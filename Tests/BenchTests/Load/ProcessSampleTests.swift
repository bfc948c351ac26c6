// What /proc says of a process.

import Testing

@testable import Bench

@Suite struct ProcessSampleTests {
    @Test func `fields are counted behind the name, whatever that holds`() throws {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 1 0 100 1000 50"
        let sample = try #require(ProcessSample.parse(stat: stat, status: "Name:\ta\nVmRSS:\t   2048 kB\n"))
        #expect(sample == ProcessSample(cpuSeconds: 3.0, residentBytes: 2048 * 1024))
    }

    @Test func `this process has memory, and one that is not there has nothing`() throws {
        #expect(try #require(ProcessSample.read("self")).residentBytes > 1 << 20)
        #expect(ProcessSample.read("4194999") == nil)
        #expect(ProcessSample.parse(stat: "nonsense", status: "") == nil)
    }
}
