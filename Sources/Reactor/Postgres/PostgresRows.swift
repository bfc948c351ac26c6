// Rows in PostgreSQL's binary format as a view of libpq's result: nothing is copied, nothing outlives the call.
// Owned by the client until the call that lends it returns.

import CReactor

/// The rows of one statement. A row or column that is not there, and a cell of another width than asked for, is a bug
/// and traps: the statement's text fixes both.
public struct PostgresRows: ~Escapable {
    // Valid while the view may live: the client clears the result after the call that lends it.
    let result: OpaquePointer

    @_lifetime(immortal)
    init(result: OpaquePointer) { self.result = result }

    public var count: Int { Int(PQntuples(result)) }
    public var columnCount: Int { Int(PQnfields(result)) }

    /// Rows that an INSERT, UPDATE or DELETE touched, or a SELECT returned.
    public var affectedCount: Int {
        guard let text = PQcmdTuples(result) else { return 0 }
        return Int(String(cString: text)) ?? 0
    }

    public func isNull(_ row: Int, _ column: Int) -> Bool {
        check(row, column)
        return PQgetisnull(result, Int32(row), Int32(column)) == 1
    }

    /// The cell as it came; no bytes for NULL.
    @_lifetime(copy self)
    public func bytes(_ row: Int, _ column: Int) -> RawSpan {
        check(row, column)
        let count = Int(PQgetlength(result, Int32(row), Int32(column)))
        let start = UnsafeRawPointer(PQgetvalue(result, Int32(row), Int32(column))!)
        return _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), copying: self)
    }

    public func bool(_ row: Int, _ column: Int) -> Bool { load(row, column, as: UInt8.self) != 0 }
    public func int16(_ row: Int, _ column: Int) -> Int16 { load(row, column, as: Int16.self) }
    public func int32(_ row: Int, _ column: Int) -> Int32 { load(row, column, as: Int32.self) }
    public func int64(_ row: Int, _ column: Int) -> Int64 { load(row, column, as: Int64.self) }

    /// Microseconds since the Unix epoch of a timestamptz.
    public func timestamptz(_ row: Int, _ column: Int) -> Int64 { PostgresTime.toUnix(int64(row, column)) }

    private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ row: Int, _ column: Int, as type: Number.Type)
        -> Number
    {
        let cell = bytes(row, column)
        precondition(cell.byteCount == MemoryLayout<Number>.size, "a cell of another width, or NULL")
        return Number(bigEndian: cell.unsafeLoadUnaligned(as: Number.self))
    }

    private func check(_ row: Int, _ column: Int) {
        precondition(row >= 0 && row < count && column >= 0 && column < columnCount, "no such cell")
    }
}

/// One row that owns its cells, as text.
public struct PostgresRow: Equatable, Sendable {
    /// nil is NULL.
    public let cells: [String?]

    public subscript(column: Int) -> String? { cells[column] }
    public func int(_ column: Int) -> Int? { cells[column].flatMap { Int($0) } }
    public func bool(_ column: Int) -> Bool? { cells[column].map { $0 == "t" } }

    /// Copies the rows of a text result.
    static func all(of result: OpaquePointer) -> [PostgresRow] {
        let columns = PQnfields(result)
        return (0..<PQntuples(result)).map { row in
            PostgresRow(
                cells: (0..<columns).map { column in
                    PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column)!)
                })
        }
    }
}
