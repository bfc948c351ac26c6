// A position inside somebody else's bytes: what parsers return instead of copies.
// Plain data, owned by nobody; it means nothing without the bytes it was made for.

import CReactor

/// `count` bytes from `offset` on, in a span that the holder of the range knows.
public struct ByteRange: Equatable, Hashable, Sendable {
    public var offset: UInt32
    public var count: UInt32

    @inlinable
    public init(offset: Int, count: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    @inlinable public static var empty: ByteRange { ByteRange(offset: 0, count: 0) }
    @inlinable public var isEmpty: Bool { count == 0 }
    /// First index after the range.
    @inlinable public var end: Int { Int(offset) + Int(count) }
}

extension RawSpan {
    /// The bytes of `range`. A range outside the span is a bug and traps.
    @inlinable
    @_lifetime(copy self)
    public func slice(_ range: ByteRange) -> RawSpan {
        extracting(Int(range.offset)..<range.end)
    }

    /// The byte at `offset`. An offset outside the span is a bug and traps.
    @inlinable
    public func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "byte offset outside the span")
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Compares with an ASCII literal, byte for byte.
    @inlinable
    public func equals(_ literal: StaticString) -> Bool {
        guard byteCount == literal.utf8CodeUnitCount else { return false }
        return unsafe withUnsafeBytes { bytes in
            unsafe bytes.elementsEqual(UnsafeRawBufferPointer(start: literal.utf8Start, count: bytes.count))
        }
    }

    /// Compares with other bytes.
    @inlinable
    public func hasSameBytes(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        // Nothing to compare has no address.
        if byteCount == 0 { return true }
        return unsafe withUnsafeBytes { ours in
            unsafe other.withUnsafeBytes { theirs in
                unsafe memcmp(ours.baseAddress!, theirs.baseAddress!, ours.count) == 0
            }
        }
    }

    /// The range of the whole span.
    @inlinable public var range: ByteRange { ByteRange(offset: 0, count: byteCount) }

    /// A copy of the bytes. Allocates: not for the hot path.
    public var array: [UInt8] {
        unsafe withUnsafeBytes { bytes in unsafe Array(bytes) }
    }

    /// A String of these bytes; invalid UTF-8 becomes U+FFFD. Allocates: not for the hot path.
    public var string: String {
        unsafe withUnsafeBytes { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }
}
