// The header lines of one head: scratch made once by a reactor, filled anew by each parse.
// Owned by the reactor's thread. Its ranges are of the head parsed last: a request that waits for its body does not
// keep them, it is parsed again when the body is there (that costs less than a copy per connection would).
// Limit: `capacity` lines, set when it is made; a head with more is refused (431).

import CReactor

/// One header line: positions of its name and of its value without surrounding blanks.
public struct HeaderField: Equatable, Sendable {
    public var name: ByteRange
    public var value: ByteRange

    @inlinable
    public init(name: ByteRange, value: ByteRange) {
        self.name = name
        self.value = value
    }
}

/// The lines of the head parsed last, in the order they came.
public struct HeaderTable: ~Copyable {
    public let capacity: Int
    public internal(set) var count: Int
    // `capacity` fields; those below `count` are initialised by the scanner.
    let fields: UnsafeMutablePointer<HeaderField>
    // The values of known headers by rawValue; offset 0 (the request line's) is "not sent".
    @usableFromInline let known: UnsafeMutablePointer<ByteRange>
    // Bit per known header that came more than once.
    @usableFromInline var repeated: UInt32

    public init(capacity: Int = 100) {
        precondition(capacity > 0 && capacity <= 65_536, "a header table of no or absurd size")
        precondition(MemoryLayout<HeaderField>.size == MemoryLayout<cr_http_field>.size)
        self.capacity = capacity
        count = 0
        fields = .allocate(capacity: capacity)
        known = .allocate(capacity: KnownHeader.count)
        known.initialize(repeating: .empty, count: KnownHeader.count)
        repeated = 0
    }

    deinit {
        fields.deallocate()
        known.deallocate()
    }

    /// Forgets the head before.
    mutating func reset() {
        count = 0
        repeated = 0
        known.update(repeating: .empty, count: KnownHeader.count)
    }

    /// The value of the first line of that name; nil where none was sent. An empty value is an empty range.
    @inlinable
    public subscript(header: KnownHeader) -> ByteRange? {
        // The enumeration has `count` cases, the memory as many ranges.
        let range = known[Int(header.rawValue)]
        return range.offset == 0 ? nil : range
    }

    /// Whether more than one line of that name was sent. Credentials and identities should refuse that.
    @inlinable
    public func isRepeated(_ header: KnownHeader) -> Bool {
        repeated & (1 &<< UInt32(header.rawValue)) != 0
    }

    /// The lines, in the order they came.
    var lines: Span<HeaderField> {
        @_lifetime(borrow self)
        get {
            // `count` fields are initialised, and live as long as the table.
            let span = Span(_unsafeStart: UnsafePointer(fields), count: count)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// The values of the known headers, in the order of `KnownHeader`; offset 0 is "not sent".
    var knownValues: Span<ByteRange> {
        @_lifetime(borrow self)
        get {
            let span = Span(_unsafeStart: UnsafePointer(known), count: KnownHeader.count)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    public subscript(index: Int) -> HeaderField {
        precondition(index >= 0 && index < count, "header index outside the table")
        return fields[index]
    }

    /// The first line of that name at or after `start`, compared without case.
    /// - Parameters:
    ///   - name: in lower case.
    ///   - bytes: those the head was parsed from.
    public func firstIndex(of name: StaticString, in bytes: RawSpan, from start: Int = 0) -> Int? {
        var index = start
        while index < count {
            if bytes.slice(fields[index].name).equalsIgnoringCase(name) { return index }
            index += 1
        }
        return nil
    }
}

extension RawSpan {
    /// Compares ASCII without case.
    /// - Parameter lowercase: a literal in lower case.
    public func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        let count = byteCount
        guard count == lowercase.utf8CodeUnitCount else { return false }
        return withUnsafeBytes { bytes in
            var at = 0
            while at < count {
                let byte = bytes[at]
                let isUpper = byte &- 0x41 < 26
                // `at` < count, the literal's length.
                if (isUpper ? byte | 0x20 : byte) != lowercase.utf8Start[at] { return false }
                at += 1
            }
            return true
        }
    }
}

/// The members of a comma-separated list, blanks trimmed, empty ones skipped. Source: RFC 9110 section 5.6.1.
public struct ListItems {
    var rest: ByteRange

    public init(_ value: ByteRange) { rest = value }

    public mutating func next(in bytes: RawSpan) -> ByteRange? {
        while !rest.isEmpty {
            var start = Int(rest.offset)
            let end = rest.end
            var comma = start
            while comma < end, bytes.byte(at: comma) != UInt8(ascii: ",") { comma += 1 }
            rest = comma < end ? ByteRange(offset: comma + 1, count: end - comma - 1) : .empty
            var last = comma
            while start < last, Self.isBlank(bytes.byte(at: start)) { start += 1 }
            while start < last, Self.isBlank(bytes.byte(at: last - 1)) { last -= 1 }
            if start < last { return ByteRange(offset: start, count: last - start) }
        }
        return nil
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
