// Spans that wait: in order, bounded, counted when dropped.

import Reactor
import Testing

@testable import Gateway

@Suite struct SpanQueueTests {
    private func span(_ number: Int) -> Span {
        let trace = TraceContext(traceHigh: 1, traceLow: 2, span: UInt64(number), flags: 1)
        let open = OpenSpan(trace: trace, parent: 0, started: .read(), startedNs: 0)
        return Span(open: open, kind: .server, endedNs: 1, method: .get, name: "/", status: 200)
    }

    @Test func `batches come in order, each within its bound, until nothing is left`() {
        var queue = SpanQueue()
        for number in 1...1200 { queue.add(span(number)) }
        #expect(queue.count == 1200)
        var (taken, sizes): ([UInt64], [Int]) = ([], [])
        while !queue.isEmpty {
            let batch = queue.takeBatch()
            sizes.append(batch.count)
            taken += batch.map(\.open.trace.span)
        }
        #expect(sizes == [512, 512, 176])
        #expect(taken == (1...1200).map { UInt64($0) })
    }

    @Test func `a full queue drops what comes, counts it, and takes again when there is room`() {
        var queue = SpanQueue()
        for number in 1...SpanQueue.spansMax { queue.add(span(number)) }
        #expect(queue.count == SpanQueue.spansMax)
        #expect(queue.droppedCount == 0)
        for number in 1...10 {
            let isTaken = queue.add(span(number))
            #expect(!isTaken)
        }
        #expect(queue.count == SpanQueue.spansMax)
        #expect(queue.droppedCount == 10)
        let batch = queue.takeBatch()
        #expect(batch.first?.open.trace.span == 1)
        let isTaken = queue.add(span(1))
        #expect(isTaken)
    }

    @Test func `a server's span has failed from 500 on, a client's from 400 on, either without an answer`() {
        var (server, client) = (span(1), span(2))
        client.kind = .client
        for (status, isServers, isClients) in [(200, false, false), (404, false, true), (500, true, true)] {
            (server.status, client.status) = (status, status)
            #expect(server.hasFailed == isServers)
            #expect(client.hasFailed == isClients)
        }
        server.status = nil
        #expect(server.hasFailed)
    }
}
