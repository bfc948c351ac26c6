// What is known of credentials that were checked lately, by their hash: one look-up in place of a check.
// A pure value that takes `now`; its reactor owns it. Limits: `knownMax` good ones and `refusedMax` bad ones, apart, so
// that forged ones push no good one out; the oldest go first. Source: the HTTP contract, section 3.

import Reactor

/// A credential without its secret.
struct CredentialKey: Hashable, Sendable {
    var kind: Caller.Credential
    var digest: SHA256Digest
}

struct CredentialMemory {
    static let knownMax = 16_384
    static let refusedMax = 8_192
    /// A key that was refused may have been made since.
    static let refusedInterval = Interval.seconds(10)

    enum Finding: Equatable {
        case known(Caller)
        case refused(String)
    }

    /// Entries that end, in the order they came.
    private struct Shelf<Value> {
        struct Slot {
            var value: Value
            var until: Instant
            /// Of the wall clock, where the credential itself ends.
            var expiresSeconds: Int
            var serial: Int
        }

        let countMax: Int
        var slots: [CredentialKey: Slot] = [:]
        private var order: [(key: CredentialKey, serial: Int)] = []
        private var first = 0
        private var serial = 0

        init(countMax: Int) { self.countMax = countMax }

        mutating func put(_ key: CredentialKey, _ value: Value, until: Instant, expiresSeconds: Int, now: Instant) {
            serial += 1
            slots[key] = Slot(value: value, until: until, expiresSeconds: expiresSeconds, serial: serial)
            order.append((key, serial))
            while first < order.count {
                let (key, serial) = order[first]
                if let slot = slots[key], slot.serial == serial {
                    guard slot.until <= now || slots.count > countMax else { break }
                    slots[key] = nil
                }
                first += 1
            }
            if first > 1024, first * 2 > order.count {
                order.removeFirst(first)
                first = 0
            }
        }

        mutating func remove(_ key: CredentialKey) { slots[key] = nil }
    }

    private var known = Shelf<Caller>(countMax: knownMax)
    private var refused = Shelf<String>(countMax: refusedMax)
    private let interval: Interval

    /// - Parameter interval: how long a good one is known; zero remembers nothing at all.
    init(interval: Interval) { self.interval = interval }

    var count: Int { known.slots.count + refused.slots.count }

    func find(_ key: CredentialKey, now: Instant, nowSeconds: Int) -> Finding? {
        if let slot = known.slots[key], now < slot.until, nowSeconds < slot.expiresSeconds {
            return .known(slot.value)
        }
        if let slot = refused.slots[key], now < slot.until { return .refused(slot.value) }
        return nil
    }

    /// - Parameter expiresSeconds: since the Unix epoch; from then on it is not known, whatever the interval.
    mutating func know(_ key: CredentialKey, _ caller: Caller, expiresSeconds: Int = .max, now: Instant) {
        guard interval > .zero else { return }
        refused.remove(key)
        known.put(key, caller, until: now + interval, expiresSeconds: expiresSeconds, now: now)
    }

    mutating func refuse(_ key: CredentialKey, _ reason: String, now: Instant) {
        guard interval > .zero else { return }
        known.remove(key)
        refused.put(
            key, reason, until: now + min(interval, Self.refusedInterval), expiresSeconds: .max, now: now)
    }
}
