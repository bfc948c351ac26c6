// Buffers that connections and flights borrow while they have bytes to hold, so that an idle connection holds none.
// One reactor owns each pool. Limits: small and large buffers are kept apart, `smallMax` and `largeMax` of them; a
// buffer of more than `keptBytesMax` is freed when it comes back.

/// Two stacks of empty buffers that keep their storage.
public final class BufferPool {
    /// Storage of a new buffer: one typical request or response with room to spare.
    public static let freshBytes = 4096
    /// A buffer with more storage than this is large: it is lent where much is expected.
    public static let smallBytesMax = 32 * 1024
    /// A buffer that has grown beyond this is freed when it comes back.
    public static let keptBytesMax = 512 * 1024
    /// Buffers kept; more that come back are freed. Large ones hold 32 MiB at most.
    public static let smallMax = 512
    public static let largeMax = 64

    // Constants whose counts lie behind pointers: each access to a `var` that opaque code gets is checked for exclusivity
    // when it happens, and a request would pay that eight times.
    private let small = BufferStack(countMax: BufferPool.smallMax)
    private let large = BufferStack(countMax: BufferPool.largeMax)

    public init() {}

    var keptCount: Int { small.count + large.count }
    /// Buffers taken and not given back: a pool in balance has none once its reactor's work is done.
    private(set) var lentCount = 0

    /// An empty buffer with at least `freshBytes` of storage.
    /// - Parameter bytes: what is expected to be written. A kept large buffer is lent for much; where there is none the
    ///   buffer grows with what really comes, so that an announcement alone takes no memory.
    public func take(expecting bytes: Int = BufferPool.freshBytes) -> ByteBuffer {
        lentCount += 1
        if bytes > Self.smallBytesMax, large.count > 0 { return large.take() }
        return small.count > 0 ? small.take() : ByteBuffer(capacity: Self.freshBytes)
    }

    /// Takes a buffer back, whatever it holds. One that is smaller than `freshBytes` is not of this pool: it is freed.
    public func give(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity >= Self.freshBytes else { return }
        lentCount -= 1
        guard buffer.capacity <= Self.keptBytesMax else { return }
        buffer.clear()
        if buffer.capacity > Self.smallBytesMax { large.give(buffer) } else { small.give(buffer) }
    }
}

private struct BufferStack: ~Copyable {
    private let kept: UnsafeMutablePointer<ByteBuffer>
    private let used: UnsafeMutablePointer<Int>
    private let countMax: Int

    init(countMax: Int) {
        self.countMax = countMax
        kept = .allocate(capacity: countMax)
        used = .allocate(capacity: 1)
        used.initialize(to: 0)
    }

    deinit {
        kept.deinitialize(count: used.pointee)
        kept.deallocate()
        used.deallocate()
    }

    var count: Int { used.pointee }

    /// Taking from an empty stack is a bug and traps.
    func take() -> ByteBuffer {
        precondition(used.pointee > 0, "took from an empty stack")
        used.pointee -= 1
        return (kept + used.pointee).move()
    }

    func give(_ buffer: consuming ByteBuffer) {
        guard used.pointee < countMax else { return }
        (kept + used.pointee).initialize(to: buffer)
        used.pointee += 1
    }
}
