// Fixed slots for values that live as long as a connection, a request or a descriptor. One reactor owns each slab.
// Limit: `countMax` given at creation; memory grows by chunks of `chunkCount`, never moves, and is reused.

import CReactor

/// Names one value of a slab. The generation tells a slot's present tenant from earlier ones.
public struct SlotID: Equatable, Hashable, Sendable {
    public var index: UInt32
    public var generation: UInt32

    @inlinable
    public init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// Index and generation in one word, for the kernel to carry.
    @inlinable public init(word: UInt64) {
        self.init(index: UInt32(truncatingIfNeeded: word), generation: UInt32(truncatingIfNeeded: word >> 32))
    }
    @inlinable public var word: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    /// Never live in any slab.
    @inlinable public static var none: SlotID { SlotID(index: .max, generation: 0) }
}

/// A table of values at stable addresses, addressed by slot.
///
/// `at(_:)` lends a pointer that stays valid until the value is removed, whatever else is inserted meanwhile; that is
/// why chunks are never reallocated. Removed slots are reused last in, first out, with a new generation.
///
/// What changes lies behind pointers, so that a class can hold a slab as a `let`: each access to a `var` of a class is
/// checked for exclusivity when it happens, which a request would pay dozens of times.
public struct Slab<Element: ~Copyable>: ~Copyable {
    @usableFromInline static var chunkBits: UInt32 { 8 }
    @usableFromInline static var chunkCount: Int { 1 << Int(chunkBits) }

    @usableFromInline struct Meta {
        @usableFromInline var generation: UInt32 = 1
        @usableFromInline var live = false
        @usableFromInline var nextFree: UInt32 = .max
    }

    @usableFromInline struct State {
        @usableFromInline var chunksUsed = 0
        @usableFromInline var used: UInt32 = 0
        @usableFromInline var firstFree: UInt32 = .max
        @usableFromInline var count = 0
    }

    @usableFromInline let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    @usableFromInline let metas: UnsafeMutablePointer<UnsafeMutablePointer<Meta>>
    @usableFromInline let state: UnsafeMutablePointer<State>
    public let countMax: Int
    /// Live values.
    @inlinable public var count: Int { state.pointee.count }

    public init(countMax: Int) {
        precondition(countMax > 0 && countMax < Int(UInt32.max), "slab size out of range")
        self.countMax = countMax
        let chunkMax = (countMax + Self.chunkCount - 1) / Self.chunkCount
        chunks = .allocate(capacity: chunkMax)
        metas = .allocate(capacity: chunkMax)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        for index in 0..<state.pointee.used
        where metas[Int(index >> Self.chunkBits)][Int(index) & (Self.chunkCount - 1)].live {
            (chunks[Int(index >> Self.chunkBits)] + (Int(index) & (Self.chunkCount - 1))).deinitialize(count: 1)
        }
        for chunk in 0..<state.pointee.chunksUsed {
            chunks[chunk].deallocate()
            metas[chunk].deallocate()
        }
        chunks.deallocate()
        metas.deallocate()
        state.deallocate()
    }

    @inlinable
    func meta(_ index: UInt32) -> UnsafeMutablePointer<Meta> {
        metas[Int(index >> Self.chunkBits)] + (Int(index) & (Self.chunkCount - 1))
    }

    /// Stores a value; nil (and the value is destroyed) when `countMax` values live already.
    public func insert(_ value: consuming Element) -> SlotID? {
        guard state.pointee.count < countMax else { return nil }
        let index: UInt32
        if state.pointee.firstFree != .max {
            index = state.pointee.firstFree
            state.pointee.firstFree = meta(index).pointee.nextFree
        } else {
            index = state.pointee.used
            if Int(index >> Self.chunkBits) == state.pointee.chunksUsed { addChunk() }
            state.pointee.used += 1
        }
        state.pointee.count += 1
        meta(index).pointee.live = true
        (chunks[Int(index >> Self.chunkBits)] + (Int(index) & (Self.chunkCount - 1))).initialize(to: value)
        return SlotID(index: index, generation: meta(index).pointee.generation)
    }

    private func addChunk() {
        let chunk = state.pointee.chunksUsed
        chunks[chunk] = .allocate(capacity: Self.chunkCount)
        metas[chunk] = .allocate(capacity: Self.chunkCount)
        metas[chunk].initialize(repeating: Meta(), count: Self.chunkCount)
        state.pointee.chunksUsed += 1
    }

    @inlinable
    public func isLive(_ id: SlotID) -> Bool {
        id.index < state.pointee.used && meta(id.index).pointee.live
            && meta(id.index).pointee.generation == id.generation
    }

    /// Whether any value lives at `index`, which may be of another's making.
    @inlinable
    public func isLive(at index: UInt32) -> Bool { index < state.pointee.used && meta(index).pointee.live }

    /// The value of a live slot; another is a bug and traps.
    @inlinable
    public func at(_ index: UInt32) -> UnsafeMutablePointer<Element> {
        precondition(index < state.pointee.used && meta(index).pointee.live, "slot is not live")
        return chunks[Int(index >> Self.chunkBits)] + (Int(index) & (Self.chunkCount - 1))
    }

    /// The identity of the value that now lives at `index`.
    @inlinable
    public func id(at index: UInt32) -> SlotID {
        SlotID(index: index, generation: meta(index).pointee.generation)
    }

    /// Takes a value out; its `SlotID` is stale from now on.
    @discardableResult
    public func remove(_ index: UInt32) -> Element {
        let value = at(index).move()
        let meta = meta(index)
        meta.pointee.live = false
        meta.pointee.generation &+= 1
        meta.pointee.nextFree = state.pointee.firstFree
        state.pointee.firstFree = index
        state.pointee.count -= 1
        return value
    }

    /// The first live index at or after `index`: to walk over a table that the walker changes.
    public func firstLive(from index: UInt32 = 0) -> UInt32? {
        var index = index
        while index < state.pointee.used {
            if meta(index).pointee.live { return index }
            index += 1
        }
        return nil
    }

    /// Calls `body` with the index of each live value; `body` may remove that value.
    public func forEachIndex(_ body: (UInt32) -> Void) {
        for index in 0..<state.pointee.used where meta(index).pointee.live { body(index) }
    }
}
