// A growable run of bytes: what is received and not yet consumed, or written and not yet sent.
// Owned by whoever holds the value (it cannot be copied), freed by its deinit. Knows no limit of its own: owners do.

import CReactor

/// Bytes written at the tail and consumed at the head.
///
///     0         head        tail      capacity
///     | consumed | readable  | room     |
///
/// Appending may move the storage; `clear()` and `consume` never free it, so a buffer that is used again allocates
/// nothing once it has grown to its working size.
public struct ByteBuffer: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer?
    public private(set) var capacity: Int
    @usableFromInline var head: Int
    @usableFromInline var tail: Int

    /// - Parameter capacity: bytes allocated now; 0 allocates nothing before the first append.
    public init(capacity: Int = 0) {
        base = capacity > 0 ? malloc(capacity) : nil
        self.capacity = capacity
        head = 0
        tail = 0
    }

    deinit { free(base) }

    /// Readable bytes.
    @inlinable public var count: Int { tail - head }
    @inlinable public var isEmpty: Bool { tail == head }

    /// The readable bytes; valid until the buffer is next changed.
    @inlinable
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // `base` is nil only while head == tail == 0.
            let start = base.map { UnsafeRawPointer($0) + head }
            let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: tail - head))
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// Drops `count` bytes from the head; more than are readable is a bug and traps.
    @inlinable
    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= tail - head, "consumed more than is readable")
        head += count
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Forgets everything, keeps the storage.
    @inlinable
    public mutating func clear() {
        head = 0
        tail = 0
    }

    /// Drops what was appended after the readable count was `count`: undoes a partial write.
    @inlinable
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= tail - head, "truncated to more than is readable")
        tail = head + count
    }

    /// Makes room for `room` more bytes, moving the readable ones to the front or growing (doubling) as needed.
    @inlinable
    public mutating func reserve(_ room: Int) {
        if capacity - tail >= room { return }
        grow(room)
    }

    @usableFromInline
    mutating func grow(_ room: Int) {
        let readable = tail - head
        if head > 0, capacity - readable >= room, head >= readable {
            memcpy(base!, base! + head, readable)
        } else {
            var wanted = max(capacity, 64)
            while wanted - readable < room { wanted *= 2 }
            let moved = malloc(wanted)!
            if readable > 0 { memcpy(moved, base! + head, readable) }
            free(base)
            base = moved
            capacity = wanted
        }
        head = 0
        tail = readable
    }

    @inlinable
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        base!.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
        tail += 1
    }

    @inlinable
    public mutating func append(_ span: RawSpan) {
        span.withUnsafeBytes { append($0) }
    }

    /// `raw` must not lie inside this buffer.
    @inlinable
    public mutating func append(_ raw: UnsafeRawBufferPointer) {
        guard raw.count > 0 else { return }
        reserve(raw.count)
        memcpy(base! + tail, raw.baseAddress!, raw.count)
        tail += raw.count
    }

    /// Appends a literal's UTF-8.
    @inlinable
    public mutating func append(_ literal: StaticString) {
        append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends the UTF-8 of a string. A literal prefers `StaticString`, which makes no String.
    @inlinable
    @_disfavoredOverload
    public mutating func append(_ string: String) {
        var string = string
        string.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends an integer in decimal.
    @inlinable
    public mutating func append(decimal value: Int) {
        // Lengths and counts of few digits are what is written most.
        if value >= 0, value < 10 { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
        reserve(20)
        var magnitude = value.magnitude
        if value < 0 { append(UInt8(ascii: "-")) }
        let digits = Self.decimalDigitCount(magnitude)
        var at = tail + digits
        tail = at
        repeat {
            at -= 1
            let (quotient, remainder) = magnitude.quotientAndRemainder(dividingBy: 10)
            base!.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder), toByteOffset: at, as: UInt8.self)
            magnitude = quotient
        } while magnitude > 0
    }

    /// Appends an integer with leading zeros.
    /// - Parameters:
    ///   - value: 0 or more, of at most `digits` digits.
    ///   - digits: > 0; as many are written.
    public mutating func append(_ value: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        var rest = value
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor % 10))
            rest %= divisor
            divisor /= 10
        }
    }

    /// Bytes that `append(decimal:)` takes for a number of 0 or more.
    @inlinable
    public static func decimalDigitCount(_ value: UInt) -> Int {
        var count = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// Appends an integer in big-endian byte order (the network's, and PostgreSQL's).
    @inlinable
    public mutating func append<Number: FixedWidthInteger>(bigEndian value: Number) {
        let size = MemoryLayout<Number>.size
        reserve(size)
        base!.storeBytes(of: value.bigEndian, toByteOffset: tail, as: Number.self)
        tail += size
    }

    /// Overwrites bytes at `offset` from the head with an integer in big-endian order (a length known only later).
    @inlinable
    public mutating func set<Number: FixedWidthInteger>(bigEndian value: Number, at offset: Int) {
        let size = MemoryLayout<Number>.size
        precondition(offset >= 0 && offset + size <= tail - head, "set outside the readable bytes")
        base!.storeBytes(of: value.bigEndian, toByteOffset: head + offset, as: Number.self)
    }

    /// Lends at least `room` writable bytes at the tail to `body`, which returns how many it wrote.
    @inlinable
    @discardableResult
    public mutating func withRoom(_ room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(room)
        let written = body(UnsafeMutableRawBufferPointer(start: base! + tail, count: capacity - tail))
        precondition(written >= 0 && written <= capacity - tail, "wrote past the room")
        tail += written
        return written
    }
}
