// A first-in, first-out queue of fixed size: the flights of a client. One reactor owns each ring.
// Limit: `countMax` given at creation; its memory is allocated once.

/// Values appended at the tail and taken at the head.
public struct Ring<Element: ~Copyable>: ~Copyable {
    @usableFromInline let storage: UnsafeMutablePointer<Element>
    @usableFromInline let mask: Int
    @usableFromInline var head = 0
    public let countMax: Int
    @usableFromInline var held = 0
    @inlinable public var count: Int { held }

    public init(countMax: Int) {
        precondition(countMax > 0 && countMax <= 1 << 30, "ring size out of range")
        self.countMax = countMax
        var capacity = 1
        while capacity < countMax { capacity *= 2 }
        storage = .allocate(capacity: capacity)
        mask = capacity - 1
    }

    deinit {
        for offset in 0..<count { (storage + ((head + offset) & mask)).deinitialize(count: 1) }
        storage.deallocate()
    }

    @inlinable public var isEmpty: Bool { count == 0 }
    @inlinable public var isFull: Bool { count == countMax }

    /// Appends a value; more than `countMax` is a bug and traps.
    @inlinable
    public mutating func append(_ value: consuming Element) {
        precondition(count < countMax, "appended to a full ring")
        (storage + ((head + count) & mask)).initialize(to: value)
        held += 1
    }

    /// The oldest value, which stays where it is until it is taken; nil when there is none.
    @inlinable public var first: UnsafeMutablePointer<Element>? { count == 0 ? nil : storage + head }

    /// Takes the oldest value; taking from an empty ring is a bug and traps.
    @inlinable
    @discardableResult
    public mutating func removeFirst() -> Element {
        precondition(count > 0, "took from an empty ring")
        let value = (storage + head).move()
        head = (head + 1) & mask
        held -= 1
        return value
    }
}
