// What the io_uring poller knows of one descriptor, and the token by which the kernel's events name it. Plain data.

import CReactor

/// One listener, stream or watch.
struct UringEntry: ~Copyable {
    enum Owner {
        case listener(any ListenerOwner)
        case stream(any StreamOwner)
        case watch(any WatchOwner)
    }

    /// Of a request to the kernel. `ending`: it is cancelled, and its last event has not come.
    enum Asking { case idle, asked, ending }

    /// What ended receiving while the owner wanted none: it is told after the held bytes.
    enum HeldEnd { case none, ended }

    let descriptor: Int32
    let owner: Owner
    /// Opened by us: what comes answers what we asked, and ends waiting.
    let isOurs: Bool
    let tag: UInt32
    /// The owner's wish.
    var isReceiving = true
    var receiving = Asking.idle
    var polling = Asking.idle
    /// Interest of the poll that was asked for.
    var polled: UInt32 = 0
    /// A watch's interest.
    var interest: UInt32
    var isConnecting: Bool
    /// The owner has stopped receiving: from then on buffers are asked for one by one, so that it can again before
    /// megabytes are held for it; until a buffer is not filled.
    var receivesSingly = false
    /// The peer sends no more.
    var hasEnded = false
    /// The socket took less than it was given: nothing is sent before it says that there is room.
    var isBlocked = false
    /// Somebody was refused meanwhile: `sent(0)` is due.
    var owesSent = false
    var isStarved = false
    /// A listener that goes with the last event of its accept.
    var isRetiring = false
    var isPending = false
    /// Place of the loan in `sends`; negative: there is none.
    var loan: Int32 = -1
    /// A send's error, positive, until it is told; 0: none.
    var failure: Int32 = 0
    /// Received while the owner wanted none. At most what the kernel had put into buffers before it knew.
    var held = ByteBuffer()
    var heldEnd = HeldEnd.none

    init(_ descriptor: Int32, _ owner: Owner, _ tag: UInt32, interest: UInt32 = 0, connecting: Bool = false) {
        self.descriptor = descriptor
        self.owner = owner
        self.tag = tag
        self.interest = interest
        isConnecting = connecting
        isOurs = connecting
    }

    var isWatch: Bool { if case .watch = owner { true } else { false } }
    var holdsSomething: Bool { !held.isEmpty || heldEnd != .none }

    var wantsReceiving: Bool {
        if case .watch = owner { return false }
        return isReceiving && !isConnecting && !hasEnded && !holdsSomething
    }

    /// Interest to poll for, with CR_HANGUP as the mark that a poll is wanted at all; 0: none is.
    var wantedPoll: UInt32 {
        switch owner {
        case .listener: return 0
        case .watch: return interest | CR_HANGUP
        case .stream:
            if isConnecting || isBlocked { return CR_WRITABLE | CR_HANGUP }
            // Nobody receives, so nobody would hear of a reset.
            return isReceiving && !hasEnded ? 0 : CR_HANGUP
        }
    }
}

/// What a request carries through the kernel: its kind, and whose it is.
///
///     63    60 59               30 29              0
///     | kind  | generation        | index          |
struct UringToken {
    enum Kind: UInt8 { case nobody, accept, receive, poll, send }

    static let indexBits: UInt64 = 30
    static let generationBits: UInt64 = 30
    static let indexMax = 1 << Int(indexBits)

    let word: UInt64

    init(word: UInt64) { self.word = word }

    init(_ kind: Kind, _ id: SlotID) {
        let generation = UInt64(id.generation) & (1 << Self.generationBits - 1)
        word = UInt64(kind.rawValue) << 60 | generation << Self.indexBits | UInt64(id.index)
    }

    /// A send's token names its place in the poller's table of loans.
    init(sendAt place: Int) { word = UInt64(Kind.send.rawValue) << 60 | UInt64(place) }

    var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: word >> 60)) ?? .nobody }
    var index: UInt32 { UInt32(truncatingIfNeeded: word & (1 << Self.indexBits - 1)) }
    private var generation: UInt64 { word >> Self.indexBits & (1 << Self.generationBits - 1) }

    /// Whether the request was made for the slot's present tenant.
    func isFor(_ id: SlotID) -> Bool { generation == UInt64(id.generation) & (1 << Self.generationBits - 1) }
}
