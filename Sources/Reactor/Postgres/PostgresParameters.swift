// Builds the parameters of a statement in PostgreSQL's binary formats, in memory that is used again.
// Owned by whoever builds them. Limits: `countMax` parameters; owners bound the bytes.
// Source: PostgreSQL's send and receive functions (array_recv, jsonb_recv, timestamptz_recv) and protocol section 55.2.2.

import CReactor

/// The element types of arrays, by their object identifiers (pg_type.dat).
public enum PostgresElement: Int32, Sendable {
    case bool = 16
    case bytea = 17
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    case float8 = 701
    case timestamptz = 1184
    case uuid = 2950
    case jsonb = 3802
}

/// Binary values for one statement, in order. `clear` and build again: nothing is allocated at a working size.
///
///     parameters.text(id)
///     parameters.beginArray(of: .jsonb)
///     for row in rows { parameters.elementJSON(row) }
///     parameters.endArray()
///
/// An array is ndim · has-null · element type · count · lower bound, then length and bytes of each element; the first
/// two and the count are known at its end.
public struct PostgresParameters: ~Copyable {
    public static let countMax = 64

    var bytes: ByteBuffer
    /// Where each value starts; -1 is NULL.
    private let offsets: UnsafeMutablePointer<Int>
    let lengths: UnsafeMutablePointer<Int32>
    let formats: UnsafeMutablePointer<Int32>
    private let values: UnsafeMutablePointer<UnsafePointer<CChar>?>
    public private(set) var count = 0
    private var arrayStart = -1
    private var arrayCount: Int32 = 0
    private var arrayHasNull = false

    public init() {
        bytes = ByteBuffer()
        offsets = .allocate(capacity: Self.countMax)
        lengths = .allocate(capacity: Self.countMax)
        formats = .allocate(capacity: Self.countMax)
        formats.initialize(repeating: 1, count: Self.countMax)
        values = .allocate(capacity: Self.countMax)
    }

    deinit {
        offsets.deallocate()
        lengths.deallocate()
        formats.deallocate()
        values.deallocate()
    }

    public var byteCount: Int { bytes.count }

    /// Forgets the values, keeps the memory.
    public mutating func clear() {
        bytes.clear()
        count = 0
        arrayStart = -1
    }

    // MARK: Single values

    public mutating func null() { end(from: -1) }

    public mutating func bool(_ value: Bool) { add { $0.append(value ? 1 : 0 as UInt8) } }
    public mutating func int2(_ value: Int16) { add { $0.append(bigEndian: value) } }
    public mutating func int4(_ value: Int32) { add { $0.append(bigEndian: value) } }
    public mutating func int8(_ value: Int64) { add { $0.append(bigEndian: value) } }
    public mutating func float8(_ value: Double) { add { $0.append(bigEndian: value.bitPattern) } }
    /// Text, varchar, or bytea.
    public mutating func text(_ value: RawSpan) { add { $0.append(value) } }
    public mutating func text(_ value: String) { add { $0.append(value) } }
    /// - Parameter microseconds: since the Unix epoch.
    public mutating func timestamptz(_ microseconds: Int64) {
        add { $0.append(bigEndian: PostgresTime.fromUnix(microseconds)) }
    }
    /// JSON text, which PostgreSQL validates.
    public mutating func jsonb(_ json: RawSpan) {
        add { buffer in
            buffer.append(1 as UInt8)
            buffer.append(json)
        }
    }

    private mutating func add(_ body: (inout ByteBuffer) -> Void) {
        precondition(arrayStart < 0, "a value inside an array is an element")
        let start = bytes.count
        body(&bytes)
        end(from: start)
    }

    private mutating func end(from start: Int) {
        precondition(count < Self.countMax, "too many parameters")
        precondition(bytes.count - max(0, start) <= Int(Int32.max), "a parameter of more than 2 GB")
        offsets[count] = start
        lengths[count] = start < 0 ? 0 : Int32(bytes.count - start)
        count += 1
    }

    // MARK: Arrays

    public mutating func beginArray(of element: PostgresElement) {
        precondition(arrayStart < 0, "arrays do not nest")
        arrayStart = bytes.count
        arrayCount = 0
        arrayHasNull = false
        bytes.append(bigEndian: 1 as Int32)
        bytes.append(bigEndian: 0 as Int32)
        bytes.append(bigEndian: element.rawValue)
        bytes.append(bigEndian: 0 as Int32)
        bytes.append(bigEndian: 1 as Int32)
    }

    public mutating func endArray() {
        precondition(arrayStart >= 0, "no array to end")
        let start = arrayStart
        arrayStart = -1
        if arrayCount == 0 {
            // An empty array has no dimension.
            bytes.truncate(to: start + 12)
            bytes.set(bigEndian: 0 as Int32, at: start)
        } else {
            bytes.set(bigEndian: arrayHasNull ? 1 : 0 as Int32, at: start + 4)
            bytes.set(bigEndian: arrayCount, at: start + 12)
        }
        end(from: start)
    }

    public mutating func elementNull() {
        beginElement(length: -1)
        arrayHasNull = true
    }

    public mutating func element(_ value: RawSpan) {
        beginElement(length: value.byteCount)
        bytes.append(value)
    }

    public mutating func element(_ value: String) {
        beginElement(length: value.utf8.count)
        bytes.append(value)
    }

    public mutating func elementJSON(_ json: RawSpan) {
        beginElement(length: json.byteCount + 1)
        bytes.append(1 as UInt8)
        bytes.append(json)
    }

    public mutating func element(_ value: Bool) {
        beginElement(length: 1)
        bytes.append(value ? 1 : 0 as UInt8)
    }

    /// An integer, whose width must be the array's: Int16 for int2, Int32 for int4, Int64 for int8.
    public mutating func element<Number: FixedWidthInteger>(_ value: Number) {
        beginElement(length: MemoryLayout<Number>.size)
        bytes.append(bigEndian: value)
    }

    public mutating func element(_ value: Double) {
        beginElement(length: 8)
        bytes.append(bigEndian: value.bitPattern)
    }

    /// - Parameter microseconds: since the Unix epoch.
    public mutating func elementTimestamptz(_ microseconds: Int64) { element(PostgresTime.fromUnix(microseconds)) }

    private mutating func beginElement(length: Int) {
        precondition(arrayStart >= 0, "an element outside an array")
        bytes.append(bigEndian: Int32(length))
        arrayCount += 1
    }

    // MARK: For libpq

    /// Lends values, lengths and formats as libpq wants them.
    func withPointers<Result>(
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>
        ) -> Result
    ) -> Result {
        precondition(arrayStart < 0, "an array was not ended")
        return bytes.bytes.withUnsafeBytes { raw in
            // An empty value needs an address: NULL would be SQL's NULL.
            let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            for index in 0..<count {
                let offset = offsets[index]
                let isEmpty = offset >= 0 && lengths[index] == 0
                values[index] = offset < 0 ? nil : isEmpty ? PostgresTime.emptyValue : base! + offset
            }
            return body(values, lengths, formats)
        }
    }
}

/// PostgreSQL counts microseconds from the first of January 2000.
enum PostgresTime {
    static let epochMicroseconds: Int64 = 946_684_800_000_000
    /// The address of a value without bytes: allocated once, never freed, never written.
    nonisolated(unsafe) static let emptyValue: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        byte.initialize(to: 0)
        return UnsafePointer(byte)
    }()

    static func fromUnix(_ microseconds: Int64) -> Int64 { microseconds - epochMicroseconds }
    static func toUnix(_ microseconds: Int64) -> Int64 { microseconds + epochMicroseconds }
}
