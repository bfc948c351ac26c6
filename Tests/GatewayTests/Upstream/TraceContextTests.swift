// traceparent as W3C Trace Context section 3.2 has it.

import Reactor
import TestSupport
import Testing

@testable import Gateway

@Suite struct TraceContextTests {
    private func read(_ text: String) -> TraceContext? {
        let bytes = Array(text.utf8)
        return TraceContext(bytes.rawBytes)
    }

    private func text(_ trace: TraceContext) -> String {
        var out = ByteBuffer()
        trace.write(to: &out)
        return out.bytes.string
    }

    @Test func `a trace is read and written as it was`() throws {
        let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        #expect(text(try #require(read(sent))) == sent)
    }

    @Test func `a later version is read as far as it is known`() throws {
        let sent = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later"
        #expect(text(try #require(read(sent))) == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    }

    @Test(arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    ])
    func `what is none is not continued`(_ sent: String) {
        #expect(read(sent) == nil)
    }

    @Test func `a child keeps the trace and its flags and has a span of its own`() throws {
        var generator = RandomSource(seed: 7)
        let parent = try #require(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        let child = parent.child(using: &generator)
        #expect(child.span != parent.span)
        #expect((child.traceHigh, child.traceLow, child.flags) == (parent.traceHigh, parent.traceLow, parent.flags))
        #expect(read(text(TraceContext.fresh(using: &generator))) != nil)
    }
}
