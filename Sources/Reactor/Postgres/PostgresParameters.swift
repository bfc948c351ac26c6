// The parameters of one statement in PostgreSQL's binary formats, built in one buffer that is used again.
// Owned by whoever builds statements on one reactor. Source: PostgreSQL's sources, array_recv, jsonb_recv,
// timestamptz_recv; the manual, section 55.2.

/// Object ids of the types we send.
public enum PostgresType: UInt32, Sendable {
    case int2 = 21
    case int4 = 23
    case int8 = 20
    case text = 25
    case timestamptz = 1184
    case jsonb = 3802
}

/// Values of `$1`, `$2`, … in order.
public struct PostgresParameters: ~Copyable {
    /// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
    private static var epochOffsetUs: Int64 { 946_684_800_000_000 }

    var bytes = ByteBuffer()
    /// Where each value begins in `bytes`; -1 is NULL.
    var starts: [Int32] = []
    var lengths: [Int32] = []
    /// Where the array now being written has its element count; nil outside arrays.
    private var arrayCountAt: Int?
    private var arrayCount: Int32 = 0
    private var arrayHasNulls = false

    public init() {}

    public var count: Int { starts.count }

    public mutating func clear() {
        bytes.clear()
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }

    // MARK: Single values

    public mutating func text(_ value: RawSpan) {
        begin()
        bytes.append(value)
        end()
    }

    public mutating func int2(_ value: Int16) {
        begin()
        bytes.append(bigEndian: value)
        end()
    }

    public mutating func int4(_ value: Int32) {
        begin()
        bytes.append(bigEndian: value)
        end()
    }

    /// - Parameter microseconds: since the Unix epoch.
    public mutating func timestamp(microseconds: Int64) {
        begin()
        bytes.append(bigEndian: microseconds - Self.epochOffsetUs)
        end()
    }

    /// - Parameter json: text of a JSON value.
    public mutating func jsonb(_ json: RawSpan) {
        begin()
        bytes.append(1)  // the version of jsonb's wire format
        bytes.append(json)
        end()
    }

    public mutating func null() {
        starts.append(-1)
        lengths.append(0)
    }

    private mutating func begin() { starts.append(Int32(bytes.count)) }

    private mutating func end() { lengths.append(Int32(bytes.count) - starts[starts.count - 1]) }

    // MARK: Arrays

    /// Begins a one-dimensional array; elements of its type follow, then `endArray`.
    public mutating func beginArray(of type: PostgresType) {
        begin()
        bytes.append(bigEndian: Int32(1))  // dimensions
        bytes.append(bigEndian: Int32(0))  // 1 where there are NULLs; set at the end
        bytes.append(bigEndian: type.rawValue)
        arrayCountAt = bytes.count
        arrayCount = 0
        arrayHasNulls = false
        bytes.append(bigEndian: Int32(0))  // elements; set at the end
        bytes.append(bigEndian: Int32(1))  // lower bound
    }

    public mutating func element(text value: RawSpan) {
        arrayCount += 1
        bytes.append(bigEndian: Int32(value.byteCount))
        bytes.append(value)
    }

    public mutating func element(jsonb value: RawSpan) {
        arrayCount += 1
        bytes.append(bigEndian: Int32(value.byteCount + 1))
        bytes.append(1)
        bytes.append(value)
    }

    public mutating func element(int4 value: Int32) {
        arrayCount += 1
        bytes.append(bigEndian: Int32(4))
        bytes.append(bigEndian: value)
    }

    /// - Parameter microseconds: since the Unix epoch.
    public mutating func element(timestampMicroseconds microseconds: Int64) {
        arrayCount += 1
        bytes.append(bigEndian: Int32(8))
        bytes.append(bigEndian: microseconds - Self.epochOffsetUs)
    }

    public mutating func nullElement() {
        arrayCount += 1
        arrayHasNulls = true
        bytes.append(bigEndian: Int32(-1))
    }

    public mutating func endArray() {
        guard let at = arrayCountAt else { preconditionFailure("no array was begun") }
        bytes.set(bigEndian: arrayCount, at: at)
        if arrayHasNulls { bytes.set(bigEndian: Int32(1), at: at - 8) }
        arrayCountAt = nil
        end()
    }
}
