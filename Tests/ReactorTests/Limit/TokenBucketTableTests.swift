// The buckets of many identities, from one thread and from several.
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Reactor

/// A key that lies in `group` of any table, with a tag made of `number`.
private func key(group: UInt64 = 0, _ number: UInt64) -> UInt64 { (number + 1) << 40 | group }

private let secondNs: UInt64 = 1_000_000_000
private let start: UInt64 = 1_000 * secondNs

@Suite struct TokenBucketTableTests {
    private let perSecond = BucketRate(perMinute: 60, burst: 3)

    /// How many of `count` takes are allowed.
    private func allowed(
        _ table: TokenBucketTable, _ key: UInt64, _ nowNs: UInt64, _ rate: BucketRate, of count: Int
    ) -> Int {
        (0..<count).count { _ in table.take(key: key, nowNs: nowNs, rate: rate).isAllowed }
    }

    @Test func `each identity has its burst, then its rate`() {
        let table = TokenBucketTable(groups: 16)
        for number in 0..<5 as Range<UInt64> {
            let key = key(group: number % 2, number)
            #expect(allowed(table, key, start, perSecond, of: 10) == 3)
            #expect(allowed(table, key, start + secondNs - 1000, perSecond, of: 10) == 0)
            #expect(allowed(table, key, start + secondNs, perSecond, of: 10) == 1)
            #expect(allowed(table, key, start + 3 * secondNs, perSecond, of: 10) == 2)
            #expect(allowed(table, key, start + 60 * secondNs, perSecond, of: 10) == 3)
        }
    }

    @Test func `a decision tells what is left, when the next comes and when all are back`() {
        let table = TokenBucketTable(groups: 1)
        let first = table.take(key: key(1), nowNs: start, rate: perSecond)
        #expect(first == BucketDecision(isAllowed: true, remaining: 2, fullInUs: 1_000_000, retryInUs: 0))
        #expect(allowed(table, key(1), start, perSecond, of: 2) == 2)
        let refused = table.take(key: key(1), nowNs: start + secondNs / 2, rate: perSecond)
        #expect(refused == BucketDecision(isAllowed: false, remaining: 0, fullInUs: 2_500_000, retryInUs: 500_000))
    }

    @Test func `a rate of zero allows everything and takes no room`() {
        let table = TokenBucketTable(groups: 1)
        let off = BucketRate(perMinute: 0, burst: 1)
        for number in 0..<100 as Range<UInt64> { #expect(allowed(table, key(number), start, off, of: 3) == 3) }
        #expect(allowed(table, key(7), start, perSecond, of: 10) == 3)
    }

    @Test func `newcomers of a full group share one bucket, whoever has one keeps it`() {
        let table = TokenBucketTable(groups: 1)
        for number in 0..<7 as Range<UInt64> { #expect(allowed(table, key(number), start, perSecond, of: 1) == 1) }
        #expect(
            allowed(table, key(7), start, perSecond, of: 10) + allowed(table, key(8), start, perSecond, of: 10) == 3)
        for number in 0..<7 as Range<UInt64> { #expect(allowed(table, key(number), start, perSecond, of: 10) == 2) }
    }

    @Test func `the word of a bucket that is full again goes to another identity after the grace`() {
        let table = TokenBucketTable(groups: 1)
        for number in 0..<7 as Range<UInt64> { #expect(allowed(table, key(number), start, perSecond, of: 1) == 1) }
        // Full after a second, free a second later: at 1.9 s all newcomers share, at 2 s each has its own.
        let almost = start + 1_900_000_000
        #expect((7..<14 as Range<UInt64>).reduce(0) { $0 + allowed(table, key($1), almost, perSecond, of: 3) } == 3)
        let later = start + 2 * secondNs
        #expect((7..<14 as Range<UInt64>).reduce(0) { $0 + allowed(table, key($1), later, perSecond, of: 3) } == 21)
    }

    @Test func `clocks that differ neither give tokens back nor take them`() {
        let table = TokenBucketTable(groups: 1)
        #expect(allowed(table, key(1), start, perSecond, of: 10) == 3)
        // A reactor whose clock is ten seconds behind sees a bucket that fills later, not a new one.
        #expect(allowed(table, key(1), start - 10 * secondNs, perSecond, of: 10) == 0)
        #expect(allowed(table, key(1), start + secondNs, perSecond, of: 10) == 1)
    }

    @Test func `time runs on where 40 bits of microseconds wrap`() {
        let table = TokenBucketTable(groups: 1)
        let wrapNs: UInt64 = (1 << 40) * 1000
        #expect(allowed(table, key(1), wrapNs - secondNs / 2, perSecond, of: 10) == 3)
        #expect(allowed(table, key(1), wrapNs + secondNs / 4, perSecond, of: 10) == 0)
        #expect(allowed(table, key(1), wrapNs + secondNs / 2, perSecond, of: 10) == 1)
    }

    @Test(arguments: [1, 7, 8, 11, 12] as [UInt64])
    func `an identity that was away for days has a full bucket`(_ days: UInt64) {
        let table = TokenBucketTable(groups: 1)
        #expect(allowed(table, key(1), start, perSecond, of: 10) == 3)
        let later = start + days * 86_400 * secondNs
        #expect(allowed(table, key(1), later, perSecond, of: 10) == 3)
    }

    @Test func `the largest burst survives in a word`() {
        let table = TokenBucketTable(groups: 1)
        let slow = BucketRate(perMinute: 1, burst: 100_000)
        #expect(allowed(table, key(1), start, slow, of: slow.burst + 10) == slow.burst)
        #expect(allowed(table, key(1), start + 60 * secondNs, slow, of: 10) == 1)
    }

    @Test func `keys with a zero tag have buckets like others`() {
        let table = TokenBucketTable(groups: 4)
        #expect(allowed(table, 0, start, perSecond, of: 10) == 3)
        #expect(allowed(table, 1, start, perSecond, of: 10) == 3)
    }

    @Test func `a claim that does not end costs newcomers the shared bucket, and nobody who has one`() {
        let table = TokenBucketTable(groups: 1)
        #expect(allowed(table, key(1), start, perSecond, of: 1) == 1)
        // What a thread leaves behind that never runs again.
        #expect(table.words.exchange(0, expected: 0, desired: TokenBucketTable.claimBit).exchanged)
        #expect(allowed(table, key(2), start, perSecond, of: 2) + allowed(table, key(3), start, perSecond, of: 2) == 3)
        #expect(allowed(table, key(1), start, perSecond, of: 10) == 2)
        table.words.and(0, ~TokenBucketTable.claimBit)
        #expect(allowed(table, key(2), start, perSecond, of: 10) == 3)
    }

    @Test func `from several threads exactly burst and rate are allowed, and no token is lost`() {
        let table = TokenBucketTable(groups: 1)
        let rate = BucketRate(perMinute: 600_000, burst: 8000)
        // A thousand tokens come back between rounds; every round asks for far more than there are.
        let race = Race(threads: 4, rounds: 40) { round in
            (0..<4000).count { _ in
                table.take(key: key(1), nowNs: start + UInt64(round) * secondNs / 10, rate: rate).isAllowed
            }
        }
        #expect(race.run() == [8000] + Array(repeating: 1000, count: 39))
    }

    @Test func `an identity first seen by several threads at once has one bucket`() {
        let table = TokenBucketTable(groups: 1)
        let rate = BucketRate(perMinute: 600, burst: 2)
        // Two seconds on, all earlier buckets are full and their words are claimed again.
        let race = Race(threads: 4, rounds: 3000) { round in
            (0..<15).count { index in
                let key = key(UInt64(round * 5 + index % 5))
                return table.take(key: key, nowNs: start + UInt64(round) * 2 * secondNs, rate: rate).isAllowed
            }
        }
        let totals = race.run()
        // A thread that loses its processor while it claims sends the others to the shared bucket: that one's two more
        // tokens are all that such a round can gain, and on the busiest machine few rounds are such.
        #expect(totals.allSatisfy { $0 <= 5 * 2 + 2 })
        #expect(totals.count { $0 == 5 * 2 } >= 2900)
    }
}

/// Threads that do the same at the same time, round by round.
private final class Race: Sendable {
    private let threads: Int
    private let rounds: Int
    private let body: @Sendable (_ round: Int) -> Int
    private let arrived = Atomic(0)
    /// Atomics and no Mutex: the thread sanitizer does not know that one.
    private let totals: [Total]

    /// - Parameter body: one thread's part of a round; what it returns is summed by round.
    init(threads: Int, rounds: Int, body: @escaping @Sendable (_ round: Int) -> Int) {
        self.threads = threads
        self.rounds = rounds
        self.body = body
        totals = (0..<rounds).map { _ in Total() }
    }

    func run() -> [Int] {
        let group = DispatchGroup()
        for _ in 0..<threads {
            group.enter()
            Thread.detachNewThread {
                for round in 0..<self.rounds {
                    // Nobody begins a round before all have ended the one before.
                    self.arrived.add(1, ordering: .acquiringAndReleasing)
                    while self.arrived.load(ordering: .acquiring) < self.threads * (round + 1) { AtomicWords.yield() }
                    let count = self.body(round)
                    self.totals[round].value.add(count, ordering: .relaxed)
                }
                group.leave()
            }
        }
        group.wait()
        return totals.map { $0.value.load(ordering: .relaxed) }
    }

    private final class Total: Sendable {
        let value = Atomic(0)
    }
}
