// The rows of one result in binary format, as a view of libpq's own memory. Lent for one call, never kept.

import CReactor

/// Typed access to cells by row and column. A cell of another size than asked for is a bug and traps.
public struct PostgresRows: ~Copyable, ~Escapable {
    private let result: OpaquePointer

    /// - Parameter result: outlives the view.
    @_lifetime(borrow result)
    init(_ result: borrowing OpaquePointer) { self.result = copy result }

    public var count: Int { Int(PQntuples(result)) }
    public var columnCount: Int { Int(PQnfields(result)) }
    /// Rows that an INSERT, UPDATE or DELETE without RETURNING touched.
    public var affectedCount: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    public func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(result, Int32(row), Int32(column)) == 1 }

    /// The bytes of a cell; none for NULL.
    @_lifetime(copy self)
    public func bytes(_ row: Int, _ column: Int) -> RawSpan {
        let start = PQgetvalue(result, Int32(row), Int32(column))
        let count = PQgetlength(result, Int32(row), Int32(column))
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: Int(count)))
        return _overrideLifetime(span, copying: self)
    }

    public func bool(_ row: Int, _ column: Int) -> Bool { integer(row, column, as: UInt8.self) != 0 }
    public func int16(_ row: Int, _ column: Int) -> Int16 { integer(row, column, as: Int16.self) }
    public func int32(_ row: Int, _ column: Int) -> Int32 { integer(row, column, as: Int32.self) }
    public func int64(_ row: Int, _ column: Int) -> Int64 { integer(row, column, as: Int64.self) }

    private func integer<Number: FixedWidthInteger>(_ row: Int, _ column: Int, as type: Number.Type) -> Number {
        precondition(
            PQgetlength(result, Int32(row), Int32(column)) == Int32(MemoryLayout<Number>.size),
            "a cell of another type than asked for")
        let start = UnsafeRawPointer(PQgetvalue(result, Int32(row), Int32(column))!)
        return Number(bigEndian: start.loadUnaligned(as: Number.self))
    }
}

/// A row that owns its cells, in the server's text format; nil is NULL.
public typealias PostgresRow = [String?]
