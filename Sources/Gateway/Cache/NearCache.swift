// A reactor's own small cache in front of Redis: answers no older than a second since they were read from there.
// A pure value that takes `now`; its reactor owns it. Limits: `ageMax`, `entriesMax`, `bytesMax`; the oldest go first.

import Reactor

struct NearCache {
    enum Entry {
        case answer(CachedAnswer)
        /// The answer is told apart by these fields: look under the variant's key.
        case varies([String])
        /// Not to be kept: requests go upstream without waiting for each other.
        case passes
    }

    static let ageMax = Interval.seconds(1)
    static let entriesMax = 4096
    static let bytesMax = 32 << 20

    private struct Slot {
        var entry: Entry
        var until: Instant
        var serial: Int
        var byteCount: Int
    }

    private var slots: [CacheKey: Slot] = [:]
    /// Keys in the order they were put; those put again since are skipped.
    private var order: [(key: CacheKey, serial: Int)] = []
    private var first = 0
    private var serial = 0
    private(set) var byteCount = 0

    var count: Int { slots.count }

    func find(_ key: CacheKey, now: Instant) -> Entry? {
        guard let slot = slots[key], now < slot.until else { return nil }
        return slot.entry
    }

    mutating func put(_ key: CacheKey, _ entry: Entry, now: Instant) {
        serial += 1
        var size = key.bytes.count + 128
        if case .answer(let answer) = entry { size += answer.byteCount }
        remove(key)
        slots[key] = Slot(entry: entry, until: now + Self.ageMax, serial: serial, byteCount: size)
        byteCount += size
        order.append((key, serial))
        trim(now)
    }

    mutating func remove(_ key: CacheKey) {
        if let slot = slots.removeValue(forKey: key) { byteCount -= slot.byteCount }
    }

    mutating func removeAll() { self = NearCache() }

    /// Lets go of what is too old, and of the oldest while there is too much.
    private mutating func trim(_ now: Instant) {
        while first < order.count {
            let (key, serial) = order[first]
            if let slot = slots[key], slot.serial == serial {
                guard slot.until <= now || slots.count > Self.entriesMax || byteCount > Self.bytesMax else { break }
                remove(key)
            }
            first += 1
        }
        if first > 1024, first * 2 > order.count {
            order.removeFirst(first)
            first = 0
        }
    }
}
