// Buffers that connections and flights borrow while they have bytes to hold, so that an idle connection holds none.
// One reactor owns each pool. Limits: `keptMax` buffers are kept, none of them larger than `keptBytesMax`.

/// A stack of empty buffers that keep their storage.
public final class BufferPool {
    /// Storage of a new buffer: one typical request or response with room to spare.
    public static let freshBytes = 4096
    /// A buffer that has grown beyond this is freed when it comes back.
    public static let keptBytesMax = 64 * 1024
    /// Buffers kept; more that come back are freed.
    public static let keptMax = 512

    private let kept: UnsafeMutablePointer<ByteBuffer>
    private(set) var keptCount = 0
    /// Buffers taken and not given back: a pool in balance has none once its reactor's work is done.
    private(set) var lentCount = 0

    public init() {
        kept = .allocate(capacity: Self.keptMax)
    }

    deinit {
        kept.deinitialize(count: keptCount)
        kept.deallocate()
    }

    /// An empty buffer with at least `freshBytes` of storage.
    public func take() -> ByteBuffer {
        lentCount += 1
        guard keptCount > 0 else { return ByteBuffer(capacity: Self.freshBytes) }
        keptCount -= 1
        return (kept + keptCount).move()
    }

    /// Takes a buffer back, whatever it holds. One that is smaller than `freshBytes` is not of this pool: it is freed.
    public func give(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity >= Self.freshBytes else { return }
        lentCount -= 1
        guard keptCount < Self.keptMax, buffer.capacity <= Self.keptBytesMax else { return }
        buffer.clear()
        (kept + keptCount).initialize(to: buffer)
        keptCount += 1
    }
}
