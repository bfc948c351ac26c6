// The token buckets of all identities (worker ids, addresses) of this process, in a table of fixed size.
// Shared by all reactors: a take is one compare-and-swap in one cache line. Only seeing an identity for the first time
// takes its group's claim bit, for a handful of instructions; nobody who has a bucket ever waits for it.
// Limits: `groupWays` identities a group; `claimYieldsMax`. Source: architecture.md section 1.

/// Buckets by 64-bit key. A group is a cache line, and a key belongs to one group:
///
///     word 0            words 1 … 7
///     | claim | shared  | tag 24 bits | full-at, µs modulo 2^40 |
///
/// A bucket that is full again says nothing that an absent one does not, so its word is free for another key after
/// `reuseAfterUs`: nothing is evicted, and idle identities cost nothing. When all seven are in use, newcomers of that group
/// share the bucket in word 0 — stricter than they deserve, never unlimited. Two keys of one group with equal tags
/// (one pair in 16 million) share a bucket too.
public final class TokenBucketTable: Sendable {
    /// Buckets in a group.
    public static let groupWays = 7
    /// Waits for another thread's claim before the shared bucket is used instead.
    static let claimYieldsMax = 256
    /// Grace before a full bucket's word goes to another key: reactors read their clocks at different moments.
    static let reuseAfterUs: UInt64 = 1_000_000
    /// A bucket filling later than its window and this is a word of two weeks ago: time here is modulo 2^40 µs.
    static let clockSkewUsMax: UInt64 = 1 << 26

    private static let wordsPerGroup = 8
    private static let timeBits: UInt64 = 40
    private static let timeMask: UInt64 = 1 << timeBits - 1
    static let claimBit: UInt64 = 1 << 63

    let words: AtomicWords
    private let groupMask: UInt64

    /// - Parameter groups: a power of two; each takes 64 bytes. With as many groups as identities active at once (a worker
    ///   at its full rate, or within its recovery time), one in 100,000 meets a full group; with half as many, one in 1,000.
    public init(groups: Int = 8192) {
        precondition(groups > 0 && groups & (groups - 1) == 0, "groups must be a power of two")
        words = AtomicWords(count: groups * Self.wordsPerGroup)
        groupMask = UInt64(groups - 1)
    }

    /// Takes a token of the bucket of `key`.
    /// - Parameters:
    ///   - key: a keyed hash of the identity (`KeyedHash`), so that nobody chooses its neighbours.
    ///   - nowNs: monotonic; callers may differ by `clockSkewUsMax`.
    public func take(key: UInt64, nowNs: UInt64, rate: BucketRate) -> BucketDecision {
        if rate.isUnlimited {
            return BucketDecision(isAllowed: true, remaining: rate.burst, fullInUs: 0, retryInUs: 0)
        }
        let nowUs = (nowNs / 1000) & Self.timeMask
        let control = Int(key & groupMask) * Self.wordsPerGroup
        // The group comes from the low bits, the tag from the high ones. 0 is the tag of a word never used.
        let tag = max(1, key >> Self.timeBits)
        var yields = 0
        while true {
            if let index = find(tag, control), let decision = take(index, tag, nowUs, rate) { return decision }
            switch claim(tag, control, nowUs) {
            case .found: continue
            case .full: return takeShared(control, nowUs, rate)
            case .busy:
                if yields == Self.claimYieldsMax { return takeShared(control, nowUs, rate) }
                yields += 1
                AtomicWords.yield()
            }
        }
    }

    private func find(_ tag: UInt64, _ control: Int) -> Int? {
        for index in control + 1...control + Self.groupWays where words.load(index) >> Self.timeBits == tag {
            return index
        }
        return nil
    }

    /// - Returns: nil where the word went to another key meanwhile.
    private func take(_ index: Int, _ tag: UInt64, _ nowUs: UInt64, _ rate: BucketRate) -> BucketDecision? {
        var word = words.load(index)
        while word >> Self.timeBits == tag {
            let decision = rate.take(fullInUs: Self.fullInUs(word, nowUs, rate))
            if !decision.isAllowed { return decision }
            let desired = tag << Self.timeBits | (nowUs + decision.fullInUs) & Self.timeMask
            let outcome = words.exchange(index, expected: word, desired: desired)
            if outcome.exchanged { return decision }
            word = outcome.original
        }
        return nil
    }

    private func takeShared(_ control: Int, _ nowUs: UInt64, _ rate: BucketRate) -> BucketDecision {
        var word = words.load(control)
        while true {
            let decision = rate.take(fullInUs: Self.fullInUs(word, nowUs, rate))
            if !decision.isAllowed { return decision }
            let desired = word & Self.claimBit | (nowUs + decision.fullInUs) & Self.timeMask
            let outcome = words.exchange(control, expected: word, desired: desired)
            if outcome.exchanged { return decision }
            word = outcome.original
        }
    }

    private enum Claim { case found, full, busy }

    /// Gives `tag` a word of the group, full, unless it has one. Words change hands only under the group's claim bit, so
    /// that no key ever has two.
    private func claim(_ tag: UInt64, _ control: Int, _ nowUs: UInt64) -> Claim {
        let word = words.load(control)
        guard word & Self.claimBit == 0,
            words.exchange(control, expected: word, desired: word | Self.claimBit).exchanged
        else { return .busy }
        defer { words.and(control, ~Self.claimBit) }
        if find(tag, control) != nil { return .found }
        for index in control + 1...control + Self.groupWays {
            let word = words.load(index)
            guard word == 0 || Self.isReusable(word, nowUs) else { continue }
            // Lost only to the key that had the word and came back this very moment: then the next one.
            if words.exchange(index, expected: word, desired: tag << Self.timeBits | nowUs).exchanged { return .found }
        }
        return .full
    }

    /// Time until the bucket of `word` is full; 0 also for a word so old that its time has wrapped.
    private static func fullInUs(_ word: UInt64, _ nowUs: UInt64, _ rate: BucketRate) -> UInt64 {
        let ahead = (word & timeMask &- nowUs) & timeMask
        return ahead > rate.windowUs + clockSkewUsMax ? 0 : ahead
    }

    private static func isReusable(_ word: UInt64, _ nowUs: UInt64) -> Bool {
        let behind = (nowUs &- word & timeMask) & timeMask
        return behind >= reuseAfterUs && behind < 1 << timeBits - BucketRate.windowUsMax - clockSkewUsMax
    }
}
