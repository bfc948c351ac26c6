// Hears of every lock that ends and every drop, on whichever gateway: wakes those of its reactor who wait for an answer.
// Owned by its reactor. Redis forgets what it published while nobody listened: waiters look again by themselves after
// `AnswerCache.lookAgainMs`, and a new subscription empties the near cache.

import Reactor

/// Somebody who waits for a lock to end. Made before the look that finds it held, so that no word is missed between.
final class CacheWaiter: TimerOwner {
    private var continuation: CheckedContinuation<Void, Never>?
    private(set) var word: CacheStore.Word?

    func wake(_ word: CacheStore.Word) {
        self.word = word
        continuation.take()?.resume()
    }

    func wait() async {
        if word != nil { return }
        await withCheckedContinuation { continuation = $0 }
    }

    func timerFired(tag: UInt64) { wake(.lookAgain) }
}

final class CacheWake: RedisSubscriberOwner {
    private var subscriber: RedisSubscriber!
    private var waiters: [CacheKey: [CacheWaiter]] = [:]
    /// What was dropped may be in the near cache.
    private let dropped: () -> Void
    private let passes: (CacheKey) -> Void

    /// - Throws: `.unsupported` where the endpoint asks for TLS and has no context for it.
    init(
        reactor: Reactor, endpoint: RedisEndpoint, dropped: @escaping () -> Void,
        passes: @escaping (CacheKey) -> Void
    ) throws(RedisFailure) {
        self.dropped = dropped
        self.passes = passes
        subscriber = try RedisSubscriber(reactor: reactor, endpoint: endpoint, owner: self)
        subscriber.subscribe(CacheStore.channel)
    }

    func start() { subscriber.start() }

    func close() {
        subscriber.close()
        wakeAll()
    }

    func add(_ waiter: CacheWaiter, _ key: CacheKey) { waiters[key, default: []].append(waiter) }

    func remove(_ waiter: CacheWaiter, _ key: CacheKey) {
        waiters[key]?.removeAll { $0 === waiter }
        if waiters[key]?.isEmpty == true { waiters[key] = nil }
    }

    func subscribed() {
        dropped()
        wakeAll()
    }

    func published(_ payload: RawSpan, channel: RawSpan) {
        guard payload.byteCount > 0 else { return }
        let key = CacheKey(bytes: payload.extracting(1..<payload.byteCount).array)
        switch payload.byte(at: 0) {
        case UInt8(ascii: "D"):
            dropped()
            wakeAll()
        case UInt8(ascii: "P"):
            passes(key)
            for waiter in waiters[key] ?? [] { waiter.wake(.goByYourselves) }
        default: for waiter in waiters[key] ?? [] { waiter.wake(.lookAgain) }
        }
    }

    func subscriptionLost(_ failure: RedisFailure) {}

    private func wakeAll() {
        for waiter in waiters.values.joined() { waiter.wake(.lookAgain) }
    }
}
