// Requests to upstream services from one reactor: the circuit, the retry and its budget, the clock, the count.
// Owned by its reactor. Limits: one request's `timeoutMs` to the head of its answer, retries included;
// `relaySecondsMax` for its body; `discardBytesMax` of a failed answer are read to keep its connection.
// Source: the HTTP contract, section 3, "Upstream".

import Reactor

/// A request on its way to a service.
struct UpstreamRequest: Sendable {
    var http: HTTPClientRequest
    var timeoutMs: Int
    var retries: Int

    /// May be sent again after a failure that it may have caused (RFC 9110 section 9.2.2).
    var isIdempotent: Bool {
        // A body that was sent as it came is gone.
        if http.stream != nil { return false }
        return switch http.method {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }
}

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class Upstream: @unchecked Sendable {
    static let relaySecondsMax = 3600.0
    static let connectSecondsMax = 5.0
    static let discardBytesMax = 16 * 1024

    private let reactor: Reactor
    private let client: HTTPClient
    private let metrics: UpstreamMetrics
    private let shard: MetricsShard

    init(reactor: Reactor, client: HTTPClient, metrics: UpstreamMetrics, shard: MetricsShard) {
        self.reactor = reactor
        self.client = client
        self.metrics = metrics
        self.shard = shard
    }

    /// Sends a request and returns when the head of an answer below 500 is there.
    /// - Throws: 502 for a lasting failure, 504 for a slow answer, 503 where the circuit is open or nothing can be sent.
    func send(_ request: UpstreamRequest, to service: UpstreamService) async throws(Problem) -> HTTPClientResponse {
        guard !service.groups.isEmpty else {
            throw .unavailable("the \(service.name.rawValue) service is not configured", retryAfterSeconds: 60)
        }
        let permit: BreakerState.Permit
        switch service.admit(reactor.now) {
        case .pass(let given): permit = given
        case .refuse(let retryAfterMs):
            throw .unavailable(
                "the \(service.name.rawValue) service fails: its circuit is open",
                retryAfterSeconds: max(1, (retryAfterMs + 999) / 1000))
        }
        service.noteRequest()
        let deadline = reactor.now + .milliseconds(Int64(request.timeoutMs))
        // One probe is one request.
        var retriesLeft = permit.isProbe ? 0 : request.retries
        while true {
            let attempt = await attempt(request, service, deadline)
            switch attempt {
            case .answered(let response):
                service.settle(permit, .success, reactor.now)
                return response
            case .failed(let problem, let mayRepeat):
                if mayRepeat, retriesLeft > 0, reactor.now < deadline, service.takeRetry(reactor.now) {
                    retriesLeft -= 1
                    continue
                }
                service.settle(permit, .failure, reactor.now)
                throw problem
            case .withdrawn(let problem):
                service.settle(permit, .neutral, reactor.now)
                throw problem
            }
        }
    }

    private enum Attempt {
        case answered(HTTPClientResponse)
        case failed(Problem, mayRepeat: Bool)
        /// Not the service's fault.
        case withdrawn(Problem)
    }

    private func attempt(_ request: UpstreamRequest, _ service: UpstreamService, _ deadline: Instant) async -> Attempt {
        let started = reactor.now
        let left = max(deadline - started, .milliseconds(1))
        var http = request.http
        if let group = service.choose(using: &reactor.random) {
            http.endpoints = group.endpoints
            if !group.path.isEmpty { http.target = group.path + http.target }
        }
        http.timeouts = HTTPClientTimeouts(
            connect: min(left, .seconds(Self.connectSecondsMax)), firstByte: left,
            idle: .milliseconds(Int64(request.timeoutMs)), total: .seconds(Self.relaySecondsMax))
        do throws(HTTPClientFailure) {
            let response = try await client.send(http)
            metrics.count(service.name, status: response.status, reactor.now - started, on: shard)
            guard response.status >= 500 else { return .answered(response) }
            let status = response.status
            await discard(response)
            let problem = Problem.upstreamFailed("the \(service.name.rawValue) service answered \(status)")
            return .failed(problem, mayRepeat: request.isIdempotent)
        } catch {
            metrics.count(service.name, failure: error, reactor.now - started, on: shard)
            let problem = Problem(error, of: "the \(service.name.rawValue) service")
            switch error {
            case .cancelled, .overloaded, .unsupported: return .withdrawn(problem)
            case .connectFailed: return .failed(problem, mayRepeat: true)
            case .timedOut: return .failed(problem, mayRepeat: error.isUnsent)
            case .resetBeforeResponse, .resetDuringResponse, .protocolViolation, .tooLarge:
                return .failed(problem, mayRepeat: request.isIdempotent)
            }
        }
    }

    /// Reads a short body to its end, so that the connection can carry another request.
    private func discard(_ response: HTTPClientResponse) async {
        guard let length = response.contentLength, length <= Self.discardBytesMax else { return }
        // `try?`: the connection is lost then, and nothing else.
        _ = try? await response.collect(bytesMax: Self.discardBytesMax)
    }
}
