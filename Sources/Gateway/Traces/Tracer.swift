// Which requests leave a span, and how spans get to the collector of GATEWAY_OTLP_ENDPOINT. One a reactor, on its thread; none
// where no endpoint is set, so that tracing costs a request one comparison then.
// A parent's choice is followed; what begins here is kept with the chance of GATEWAY_OTLP_SAMPLE.
// Limits: those of SpanQueue; `batchesMax` messages a round. What the collector does not take is dropped and counted.

import Logging
import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class Tracer: @unchecked Sendable {
    static let interval = Interval.seconds(1)
    static let batchesMax = 8
    static let answerBytesMax = 64 * 1024
    static let timeouts = HTTPClientTimeouts(
        connect: .seconds(2), firstByte: .seconds(3), idle: .seconds(2), total: .seconds(5))

    private let reactor: Reactor
    private let client: HTTPClient
    private let endpoint: HTTPClientEndpoint
    private let target: String
    private let document: OTLPDocument
    private let live: LiveTables
    private let metrics: GatewayMetrics
    private let shard: MetricsShard
    private let share: Double
    private let rounds: Rounds
    private let logger = Logger(label: "gateway.traces")
    private var open: [SlotID: OpenSpan] = [:]
    private var queue = SpanQueue()
    /// Whether the collector took the last message; told in the log when it changes.
    private var isTaken = true

    /// nil: no endpoint is set.
    init?(shared: SharedState, reactor: Reactor, client: HTTPClient, shard: MetricsShard) {
        guard let collector = shared.configuration.otlpEndpoint else { return nil }
        self.reactor = reactor
        self.client = client
        self.shard = shard
        endpoint = HTTPClientEndpoint(collector)
        target = collector.path + "/v1/traces"
        document = OTLPDocument(instance: String(shared.processToken.prefix(16)))
        live = shared.live
        metrics = shared.metrics
        share = shared.configuration.otlpSample
        rounds = Rounds(every: Self.interval, on: reactor)
    }

    func start() { rounds.start { [self] in await send() } }

    /// Sends what is there, once.
    func drain() async {
        rounds.end()
        await send()
    }

    func close() { rounds.end() }

    // MARK: Spans

    /// A request of a route has begun.
    func begin(_ request: borrowing Request, _ access: Access) {
        var parent: TraceContext?
        // Two parents are none.
        if let sent = request.header(.traceparent), !request.isRepeated(.traceparent) { parent = TraceContext(sent) }
        guard isKept(parent, access) else { return }
        var trace = parent?.child(using: &reactor.random) ?? .fresh(using: &reactor.random)
        trace.flags |= TraceContext.sampled
        open[request.exchange] = OpenSpan(
            trace: trace, parent: parent?.span ?? 0, started: request.now, startedNs: request.wallMicroseconds * 1000)
    }

    private func isKept(_ parent: TraceContext?, _ access: Access) -> Bool {
        if let parent { return parent.flags & TraceContext.sampled != 0 }
        // Probes and scrapes begin no trace.
        return access != .open && Double(reactor.random.next() >> 11) * 0x1p-53 < share
    }

    /// - Parameter callers: by exchange: the worker or the user.
    func answered(_ exchange: borrowing AnsweredExchange, by callers: ShortTexts) {
        guard !open.isEmpty, let span = open.removeValue(forKey: exchange.id) else { return }
        let access = live.tables.routes.rules[Int(exchange.note.route)].access
        let tier = access == .caller ? Tier(rawValue: exchange.note.tier)?.name : nil
        add(
            Span(
                open: span, kind: .server, endedNs: span.startedNs + exchange.duration.nanoseconds,
                method: exchange.method,
                name: live.tables.routes.routes[Int(exchange.note.route)].pattern, status: exchange.status,
                requestID: exchange.requestID, caller: callers.text(exchange.id.index), isWorker: access == .worker,
                tier: tier ?? ""))
    }

    /// The client left before there was an answer.
    func abandoned(_ exchange: SlotID, note: RequestNote) {
        guard !open.isEmpty, let span = open.removeValue(forKey: exchange) else { return }
        let route = live.tables.routes.routes[Int(note.route)]
        add(
            Span(
                open: span, kind: .server, endedNs: now(span), method: route.method, name: route.pattern,
                failure: "the connection ended before the answer"))
    }

    /// A question to an upstream for a request; nil where its request leaves no span, or has been answered.
    func child(of exchange: SlotID) -> OpenSpan? {
        guard let parent = open[exchange] else { return nil }
        return OpenSpan(
            trace: parent.trace.child(using: &reactor.random), parent: parent.trace.span, started: reactor.now,
            startedNs: now(parent))
    }

    /// - Parameter failure: why there is no answer.
    func end(_ child: OpenSpan, _ method: HTTPMethod, to service: ServiceName, status: Int?, failure: String? = nil) {
        add(
            Span(
                open: child, kind: .client, endedNs: now(child), method: method, name: service.rawValue, status: status,
                failure: failure))
    }

    /// By the monotonic clock: a step of the wall clock does not lengthen a span.
    private func now(_ span: OpenSpan) -> Int64 { span.startedNs + (reactor.now - span.started).nanoseconds }

    private func add(_ span: Span) {
        if !queue.add(span) { shard.add(metrics.spansDropped, 1) }
    }

    // MARK: Sending

    private func send() async {
        for _ in 0..<Self.batchesMax where !queue.isEmpty {
            let batch = queue.takeBatch()
            let reason = await send(batch)
            shard.add(reason == nil ? metrics.spansSent : metrics.spansDropped, batch.count)
            note(reason)
            if reason != nil { return }
        }
    }

    /// - Returns: why the collector did not take them; nil where it did.
    private func send(_ batch: [Span]) async -> String? {
        var body = ByteBuffer(capacity: 512 * batch.count)
        document.write(batch, to: &body)
        var request = HTTPClientRequest(
            .post, target, endpoints: [endpoint], body: body.bytes.array, timeouts: Self.timeouts)
        request.addHeader("Content-Type", "application/json")
        do throws(HTTPClientFailure) {
            let response = try await client.send(request)
            _ = try await response.collect(bytesMax: Self.answerBytesMax)
            return (200..<300).contains(response.status) ? nil : "status \(response.status)"
        } catch {
            return "\(error)"
        }
    }

    private func note(_ reason: String?) {
        guard (reason == nil) != isTaken else { return }
        isTaken = reason == nil
        if let reason {
            logger.warning("spans are dropped: the collector does not take them", metadata: ["reason": "\(reason)"])
        } else {
            logger.notice("the collector takes spans again")
        }
    }
}
