// The key set of the process, and who fetches it. Shared by all reactors under a mutex that is held for a copy: a
// reactor asks for a key once a token that it does not remember. Fetching is a reactor's own task over its own client;
// whoever waits for it is told when it ends. Limits: `waitersMax` wait; `bodyBytesMax` an answer; `timeouts`.
// Source: the HTTP contract, section 3.

import Logging
import Reactor

final class PublishedKeys: Sendable {
    static let waitersMax = 4096
    static let bodyBytesMax = 256 * 1024
    /// Between two looks whether the set is due.
    static let lookInterval = Interval.seconds(1)
    static let timeouts = HTTPClientTimeouts(
        connect: .seconds(2), firstByte: .seconds(5), idle: .seconds(5), total: .seconds(10))

    private struct State {
        var set: KeySet?
        var freshness: KeyFreshness
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let endpoint: HTTPEndpoint
    private let state: Locked<State>
    private let logger = Logger(label: "gateway.keys")

    init(endpoint: HTTPEndpoint, refetchInterval: Interval) {
        self.endpoint = endpoint
        state = Locked(State(freshness: KeyFreshness(refetchInterval: refetchInterval, now: Instant.read())))
    }

    /// The last good set; nil while none was ever loaded.
    var current: KeySet? { state.withLock { $0.set } }

    // MARK: Asking

    /// The set after it was asked for once more, where that is allowed now; else as it is.
    func refreshed(for keyID: String, by client: HTTPClient) async -> KeySet? {
        let now = client.reactor.now
        let demand = state.withLock { state in
            // Another may have brought it meanwhile.
            state.set?.holds(keyID) == true ? KeyFreshness.Demand.refuse : state.freshness.demand(now)
        }
        switch demand {
        case .refuse: return current
        case .fetch: startFetch(by: client)
        case .wait: break
        }
        await withCheckedContinuation { continuation in
            let isWaiting = state.withLock { state in
                guard state.freshness.isFetching, state.waiters.count < Self.waitersMax else { return false }
                state.waiters.append(continuation)
                return true
            }
            if !isWaiting { continuation.resume() }
        }
        return current
    }

    /// Keeps the set fresh while it is wanted: one reactor's task.
    func keepFresh(by client: HTTPClient, while isWanted: @Sendable () -> Bool) async {
        while isWanted() {
            if state.withLock({ $0.freshness.beginDue(client.reactor.now) }) { await fetch(by: client) }
            let pause = state.withLock { $0.freshness.timeUntilDue(client.reactor.now) }
            // Another reactor's fetch may set a nearer time meanwhile.
            await client.reactor.sleep(min(max(pause, .milliseconds(100)), Self.lookInterval))
        }
    }

    // MARK: Fetching

    /// In a task of its own: it goes on when the request that wanted it is gone.
    private func startFetch(by client: HTTPClient) {
        client.reactor.spawn { await self.fetch(by: client) }
    }

    private func fetch(by client: HTTPClient) async {
        let outcome: Result<(KeySet, lifetimeSeconds: Int), BadKeySet>
        do throws(BadKeySet) {
            outcome = .success(try await download(client))
        } catch {
            outcome = .failure(error)
        }
        let now = client.reactor.now
        let (waiters, isFirst) = state.withLock { state in
            let isFirst = state.set == nil
            switch outcome {
            case .success(let (set, lifetime)):
                state.set = set
                state.freshness.fetched(lifetimeSeconds: lifetime, now: now)
            case .failure: state.freshness.failed(now: now)
            }
            defer { state.waiters = [] }
            return (state.waiters, isFirst)
        }
        for waiter in waiters { waiter.resume() }
        switch outcome {
        case .success(let (set, lifetime)):
            let metadata: Logger.Metadata = ["keys": "\(set.count)", "lifetime_seconds": "\(lifetime)"]
            logger.log(level: isFirst ? .notice : .debug, "loaded the published keys", metadata: metadata)
        case .failure(let failure):
            logger.warning(
                isFirst ? "no published keys: Bearer tokens are refused" : "the published keys stay as they were",
                metadata: ["url": "\(endpoint.shown)", "reason": "\(failure.reason)"])
        }
    }

    private func download(_ client: HTTPClient) async throws(BadKeySet) -> (KeySet, lifetimeSeconds: Int) {
        let response: HTTPClientResponse
        let body: [UInt8]
        do throws(HTTPClientFailure) {
            var request = HTTPClientRequest(
                .get, endpoint.path.isEmpty ? "/" : endpoint.path, endpoints: [HTTPClientEndpoint(endpoint)],
                timeouts: Self.timeouts)
            request.addHeader("Accept", "application/json")
            response = try await client.send(request)
            body = try await response.collect(bytesMax: Self.bodyBytesMax)
        } catch {
            throw BadKeySet(reason: "\(error)")
        }
        guard response.status == 200 else { throw BadKeySet(reason: "the answer was \(response.status)") }
        let lifetime = KeyFreshness.lifetimeSeconds(
            cacheControl: response.header("cache-control"), age: response.header("age"))
        return (try await KeySet(body), lifetime)
    }
}
