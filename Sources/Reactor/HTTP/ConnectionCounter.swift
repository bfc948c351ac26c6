// Counts the process's connections, in all and by client address. Shared by the reactors, asked once a connection:
// a lock is right here, since an accept costs two system calls and a request never comes by.

/// Admits connections up to the limits of the whole process.
public final class ConnectionCounter: Sendable {
    private struct Counts {
        var total = 0
        var byAddress: [PeerAddress: Int] = [:]

        mutating func leave(_ key: PeerAddress) {
            let rest = byAddress[key, default: 1] - 1
            byAddress[key] = rest == 0 ? nil : rest
        }
    }

    private let totalMax: Int
    private let perAddressMax: Int
    private let counts = Locked(Counts())

    public init(totalMax: Int, perAddressMax: Int) {
        self.totalMax = totalMax
        self.perAddressMax = perAddressMax
    }

    /// True when one more connection from `peer` is within the limits; then it counts until `left`.
    func admit(_ peer: PeerAddress) -> Bool {
        counts.withLock { counts in
            guard counts.total < totalMax else { return false }
            if !peer.isUnix {
                let key = Self.key(peer)
                guard counts.byAddress[key, default: 0] < perAddressMax else { return false }
                counts.byAddress[key, default: 0] += 1
            }
            counts.total += 1
            return true
        }
    }

    /// A connection that is counted already turns out to be another's: true when that one is within the limit.
    func moved(from peer: PeerAddress, to client: PeerAddress) -> Bool {
        counts.withLock { counts in
            let key = Self.key(client)
            guard counts.byAddress[key, default: 0] < perAddressMax else { return false }
            counts.byAddress[key, default: 0] += 1
            if !peer.isUnix { counts.leave(Self.key(peer)) }
            return true
        }
    }

    func left(_ peer: PeerAddress) {
        counts.withLock { counts in
            counts.total -= 1
            if !peer.isUnix { counts.leave(Self.key(peer)) }
        }
    }

    /// Open connections now.
    public var total: Int { counts.withLock { $0.total } }

    private static func key(_ peer: PeerAddress) -> PeerAddress {
        PeerAddress(high: peer.high, low: peer.low, port: 0)
    }
}
