// The contract between the reactor and the kernel: readiness (epoll) and completion (io_uring) both satisfy it.
// A poller belongs to one reactor thread; only its `wake` descriptor (the mailbox) is touched by others.
//
// What makes both possible: bytes are received by the poller, into its memory, and lent to the owner for one call;
// bytes to send are lent to the poller, which either sends at once or keeps the loan until it says `sent`.

/// What a listening socket's owner is told.
public protocol ListenerOwner: AnyObject {
    /// A connection has arrived. The owner closes it or gives it back to the poller as a stream.
    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32)
    /// Accepting failed for want of descriptors or memory; the poller rests the listener for a moment.
    func acceptFailed(_ error: SystemError, tag: UInt32)
    /// A listener that was retired has nothing more to tell.
    func listeningEnded(tag: UInt32)
}

extension ListenerOwner {
    public func listeningEnded(tag: UInt32) {}
}

/// What a stream's owner is told. Calls come one at a time, on the reactor's thread, never from inside a call to the
/// poller. After `close` nothing more is told, whatever the kernel still delivers.
public protocol StreamOwner: AnyObject {
    /// A connection started by `connect…` is established.
    func connected(tag: UInt32)
    /// Bytes have arrived; they are the poller's again when this returns.
    func received(_ bytes: RawSpan, tag: UInt32)
    /// The peer sends no more.
    func receiveEnded(tag: UInt32)
    /// `count` bytes of the loan given to `send` are out; 0 means: try the rest again.
    func sent(_ count: Int, tag: UInt32)
    /// The stream is broken. The owner closes it.
    func failed(_ error: SystemError, tag: UInt32)
}

/// What the owner of a foreign descriptor (libpq's) is told.
public protocol WatchOwner: AnyObject {
    func ready(_ readiness: Readiness, tag: UInt32)
}

public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// Reported whether asked for or not.
    public static let hangUp = Readiness(rawValue: 4)
}

/// What became of bytes given to `send`.
public enum SendOutcome: Equatable {
    /// This many were taken by the kernel. Fewer than were given: `sent(0)` will tell when to try again.
    case sent(Int)
    /// The poller keeps the loan; the bytes must not move or change until `sent(count)`.
    case inFlight
    case failed(SystemError)
}

public protocol Poller: AnyObject {
    /// "epoll" or "io_uring", for logs and metrics.
    var name: String { get }
    func addListener(_ descriptor: consuming Descriptor, owner: any ListenerOwner, tag: UInt32) -> SlotID?
    /// Accepts no more and closes the listener here; a process that shares it goes on with what waits in its queue.
    /// - Returns: true where connections that the kernel has accepted already may still be told; `listeningEnded` follows.
    func retire(_ listener: SlotID) -> Bool
    /// Adds a stream. With `connecting`, `connected` comes first. nil: the table is full and the descriptor closed.
    func addStream(_ descriptor: consuming Descriptor, connecting: Bool, owner: any StreamOwner, tag: UInt32) -> SlotID?
    /// Watches a descriptor that somebody else opened and will close, after `remove`.
    func addWatch(_ descriptor: Int32, interest: Readiness, owner: any WatchOwner, tag: UInt32) -> SlotID?
    func setWatch(_ id: SlotID, interest: Readiness)
    /// Stops and resumes `received`: this is the back-pressure.
    func setReceiving(_ id: SlotID, _ receiving: Bool)
    func send(_ id: SlotID, _ bytes: UnsafeRawBufferPointer) -> SendOutcome
    /// Tells the peer that no more bytes come; receiving goes on.
    func endSending(_ id: SlotID)
    /// Whether the stream's peer is still there, without consuming anything.
    func peerIsThere(_ id: SlotID) -> Bool
    /// Forgets a descriptor and ends its loan; a listener's or stream's is closed, at once or with the next `wait`; a
    /// watch's is left to its owner.
    func remove(_ id: SlotID)
    /// Forgets everything, as `remove` does: the end, after which no owner is told of anything.
    func close()
    /// Waits up to `timeout` (nil: for ever) for events. Returns how many there are.
    func wait(timeout: Interval?) -> Int
    /// Tells the owners what the last `wait` brought. Apart from waiting, so that the loop reads its clock in between.
    func deliver()
}
