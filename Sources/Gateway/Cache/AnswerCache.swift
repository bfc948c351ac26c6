// Answers a request from the near cache, from Redis, or by asking the upstream once for all who ask now. Owned by its
// reactor; its flights are tasks of it. Limits: those of `NearCache` and `CacheStore`; a flight waits for another
// gateway's for as long as its route's timeout.
//
//     near cache ─► flight of this reactor ─► Redis ─ fresh, or stale: served, and refreshed behind
//                                                └── none ─► the lock ─► upstream ─► everybody who waits ─► Redis
//                                                └── another's lock ─► woken by its end ─► Redis
//
// Source: the HTTP contract, section 3, "Cache"; RFC 9111; RFC 5861.

import Reactor

/// What a request asks the cache for.
struct CacheQuery: Sendable {
    var base: CacheKey
    var fields: VariantFields
    var routeMs: Int
    var timeoutMs: Int
}

/// An upstream's answer that is not kept, and what has been read of its body.
struct LiveAnswer: Sendable {
    var response: HTTPClientResponse
    var collected: [UInt8] = []
}

enum CacheOutcome: Sendable {
    /// The raw value is the `detail` of a request's note; 0 is a request that the cache has no part in.
    enum Source: UInt8, Sendable { case hit = 1, miss, stale }

    case answer(CachedAnswer, Source)
    case live(LiveAnswer)
    /// Ask the upstream without the cache.
    case pass
    case failed(Problem)
}

/// Asks the upstream.
typealias CacheFetch = @Sendable () async -> Result<HTTPClientResponse, Problem>

/// One question to Redis, or to the upstream, for all of a reactor who ask it meanwhile.
final class CacheFlight {
    enum Outcome {
        case answer(CachedAnswer, CacheOutcome.Source)
        case varies([String])
        case live(LiveAnswer)
        case pass
        case failed(Problem)
    }

    let key: CacheKey
    let query: CacheQuery
    let fetch: CacheFetch
    let token: String
    /// For those who come while it is being stored.
    private(set) var outcome: Outcome?
    private var waiters: [CheckedContinuation<Outcome, Never>] = []

    init(_ key: CacheKey, _ query: CacheQuery, token: String, _ fetch: @escaping CacheFetch) {
        self.key = key
        self.query = query
        self.token = token
        self.fetch = fetch
    }

    func wait() async -> Outcome {
        // Who comes while it is being stored finds it there.
        if case .answer(let answer, .miss) = outcome { return .answer(answer, .hit) }
        if let outcome { return outcome }
        return await withCheckedContinuation { waiters.append($0) }
    }

    /// A live answer is the first one's; the others ask by themselves.
    func finish(_ outcome: Outcome) {
        let waiters = exchange(&self.waiters, for: [])
        var others = outcome
        if case .live = outcome { others = .pass }
        self.outcome = others
        for (index, waiter) in waiters.enumerated() {
            waiter.resume(returning: index == 0 ? outcome : others)
        }
    }
}

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class AnswerCache: TimerOwner, @unchecked Sendable {
    static let lookAgainMs = 1_000
    static let renewMs = CacheStore.lockMs / 3
    /// After a refresh that failed nobody tries for this long.
    static let refreshPauseMs = 1_000
    /// Keys that one request tries: the base, its variant, and what these turn out to be meanwhile.
    private static let looksMax = 4

    private let reactor: Reactor
    private let redis: RedisClient
    private let store: CacheStore
    private var wake: CacheWake!
    private var near = NearCache()
    private var flights: [CacheKey: CacheFlight] = [:]
    /// Locks that are held while the upstream is asked.
    private var fetching: [String: CacheKey] = [:]
    private var timer = TimerID.none

    /// - Throws: `.unsupported` where the endpoint asks for TLS and has no context for it.
    init(
        reactor: Reactor, redis: RedisClient, store: CacheStore, endpoint: RedisEndpoint
    ) throws(RedisFailure) {
        self.reactor = reactor
        self.redis = redis
        self.store = store
        wake = try CacheWake(
            reactor: reactor, endpoint: endpoint, dropped: { [unowned self] in forgetAll() },
            passes: { [unowned self] in near.put($0, .passes, now: self.reactor.now) })
    }

    func start() { wake.start() }

    func close() {
        wake.close()
        reactor.cancel(timer)
    }

    var nowMs: Int { Int(redis.fleetMilliseconds(reactor.now)) }

    // MARK: Asking

    /// A fresh answer of the near cache, without a look anywhere else.
    func answerAtHand(_ base: CacheKey, for request: borrowing Request) -> CachedAnswer? {
        var found = near.find(base, now: reactor.now)
        if case .varies(let names)? = found {
            found = near.find(base.varying(by: names, VariantFields(request)), now: reactor.now)
        }
        guard case .answer(let answer)? = found, nowMs < answer.freshUntilMs else { return nil }
        return answer
    }

    /// - Parameter fetch: asks the upstream, in the words of this request.
    func answer(_ query: CacheQuery, _ fetch: @escaping CacheFetch) async -> CacheOutcome {
        var key = query.base
        for _ in 0..<Self.looksMax {
            switch near.find(key, now: reactor.now) {
            case .answer(let answer) where nowMs < answer.freshUntilMs: return .answer(answer, .hit)
            case .passes: return .pass
            case .varies(let names) where key == query.base:
                key = query.base.varying(by: names, query.fields)
                continue
            case .answer, .varies, nil: break
            }
            let flight = flight(key, query, fetch)
            switch await flight.wait() {
            case .live(let live): return .live(live)
            case .pass: return .pass
            case .failed(let problem): return .failed(problem)
            case .varies(let names): key = query.base.varying(by: names, query.fields)
            case .answer(let answer, let source):
                // Another's answer, which may be told apart from ours.
                let wanted = query.base.varying(by: answer.vary, query.fields)
                if wanted == flight.query.base.varying(by: answer.vary, flight.query.fields) {
                    return .answer(answer, source)
                }
                key = wanted
            }
        }
        return .pass
    }

    private func flight(_ key: CacheKey, _ query: CacheQuery, _ fetch: @escaping CacheFetch) -> CacheFlight {
        if let flight = flights[key] { return flight }
        let flight = CacheFlight(key, query, token: store.makeToken(), fetch)
        flights[key] = flight
        let passenger = Passenger(flight: flight)
        reactor.spawn { [self] in await run(passenger.flight) }
        return flight
    }

    /// `@unchecked Sendable`: carries a flight into a task of its own reactor.
    private struct Passenger: @unchecked Sendable { let flight: CacheFlight }

    private func finish(_ flight: CacheFlight, _ outcome: CacheFlight.Outcome) {
        if flights[flight.key] === flight { flights[flight.key] = nil }
        flight.finish(outcome)
    }

    // MARK: A flight

    private func run(_ flight: CacheFlight) async {
        let deadline = reactor.now + .milliseconds(Int64(flight.query.timeoutMs))
        var waiter: CacheWaiter?
        defer { if let waiter { wake.remove(waiter, flight.key) } }
        while true {
            let found: CacheStore.Found
            do throws(RedisFailure) {
                found = try await store.lookup(flight.key, token: flight.token)
            } catch {
                return finish(flight, .pass)
            }
            switch found {
            case .fresh(let answer):
                near.put(flight.key, .answer(answer), now: reactor.now)
                return finish(flight, .answer(answer, .hit))
            case .stale(let answer, let mayRefresh):
                finish(flight, .answer(answer, .stale))
                if mayRefresh { await fetch(flight, isRefresh: true) }
                return
            case .varies(let names):
                near.put(flight.key, .varies(names), now: reactor.now)
                return finish(flight, .varies(names))
            case .none(mayFetch: true): return await fetch(flight, isRefresh: false)
            case .none(mayFetch: false):
                if let waiting = waiter {
                    guard reactor.now < deadline else {
                        return finish(flight, .failed(.upstreamTimedOut("another gateway's request takes too long")))
                    }
                    if await word(for: waiting) == .goByYourselves { return finish(flight, .pass) }
                    wake.remove(waiting, flight.key)
                }
                // Heard of from here on: the next look is for what happened before.
                let next = CacheWaiter()
                wake.add(next, flight.key)
                waiter = next
            }
        }
    }

    /// Waits until the lock's holder has done, or might have without being heard.
    private func word(for waiter: CacheWaiter) async -> CacheStore.Word? {
        let timer = reactor.schedule(at: reactor.now + .milliseconds(Int64(Self.lookAgainMs)), waiter, tag: 0)
        await waiter.wait()
        reactor.cancel(timer)
        return waiter.word
    }

    // MARK: Fetching

    /// Asks the upstream under the flight's lock.
    /// - Parameter isRefresh: nobody waits: a stale answer was served.
    private func fetch(_ flight: CacheFlight, isRefresh: Bool) async {
        hold(flight)
        let result = await flight.fetch()
        let response: HTTPClientResponse
        switch result {
        case .success(let answered): response = answered
        case .failure(let problem): return await failed(flight, problem, isRefresh: isRefresh)
        }
        let terms = CachePolicy.terms(
            status: response.status, CacheFields(response), routeMs: flight.query.routeMs, chance: .random(in: 0...1))
        guard let terms, response.contentLength ?? 0 <= CachedAnswer.bodyBytesMax else {
            return await passBy(flight, LiveAnswer(response: response), isRefresh: isRefresh)
        }
        var body = ByteBuffer()
        do throws(HTTPClientFailure) {
            while try await response.read(into: &body) {
                guard body.count > CachedAnswer.bodyBytesMax else { continue }
                let live = LiveAnswer(response: response, collected: body.bytes.array)
                return await passBy(flight, live, isRefresh: isRefresh)
            }
        } catch {
            return await failed(flight, Problem(error, of: "the upstream service"), isRefresh: isRefresh)
        }
        let answer = CachedAnswer(
            terms, nowMs: nowMs, etag: response.field("etag"), lines: response.passingLines(isCached: true),
            body: body.bytes.array)
        flight.finish(.answer(answer, .miss))
        await keep(answer, flight)
    }

    private func keep(_ answer: CachedAnswer, _ flight: CacheFlight) async {
        let query = flight.query
        let key = query.base.varying(by: answer.vary, query.fields)
        // `try?`: with Redis away nothing is kept, and the next request finds out by itself.
        let isKept = try? await store.store(
            answer, as: key, base: query.base, locked: flight.key, token: flight.token, nowMs: nowMs)
        if isKept == true {
            near.put(key, .answer(answer), now: reactor.now)
            if !answer.vary.isEmpty { near.put(query.base, .varies(answer.vary), now: reactor.now) }
        }
        release(flight)
    }

    private func failed(_ flight: CacheFlight, _ problem: Problem, isRefresh: Bool) async {
        release(flight)
        finish(flight, .failed(problem))
        // `try?`: the lock ends by itself.
        _ = try? await store.release(
            flight.key, token: flight.token, keepMs: isRefresh ? Self.refreshPauseMs : 0, .lookAgain)
    }

    private func passBy(_ flight: CacheFlight, _ live: LiveAnswer, isRefresh: Bool) async {
        near.put(flight.key, .passes, now: reactor.now)
        release(flight)
        finish(flight, .live(live))
        // `try?`: the lock ends by itself.
        _ = try? await store.release(flight.key, token: flight.token, .goByYourselves, isGone: isRefresh)
    }

    // MARK: Locks

    private func hold(_ flight: CacheFlight) {
        fetching[flight.token] = flight.key
        if timer == .none { schedule() }
    }

    private func release(_ flight: CacheFlight) {
        fetching[flight.token] = nil
        if flights[flight.key] === flight { flights[flight.key] = nil }
    }

    private func schedule() {
        timer = reactor.schedule(at: reactor.now + .milliseconds(Int64(Self.renewMs)), self, tag: 0)
    }

    /// Renews the locks of those who wait for a slow upstream.
    func timerFired(tag: UInt64) {
        timer = .none
        if fetching.isEmpty { return }
        schedule()
        let held = fetching
        reactor.spawn { [self] in
            for (token, key) in held where fetching[token] != nil {
                // `try?`: a lock that is lost lets another ask too, which does no harm.
                _ = try? await store.renew(key, token: token)
            }
        }
    }

    // MARK: Dropping

    /// Drops what is kept of one path, for every tier.
    func drop(path: [UInt8]) async throws(RedisFailure) -> Int {
        forgetAll()
        defer { forgetAll() }
        return try await store.drop(path: path)
    }

    func drop(prefix: [UInt8]) async throws(RedisFailure) -> Int {
        forgetAll()
        defer { forgetAll() }
        return try await store.drop(prefix: prefix)
    }

    /// What is at hand may have been dropped. Flights go on for those who wait for them already.
    private func forgetAll() {
        near.removeAll()
        flights.removeAll()
    }
}
