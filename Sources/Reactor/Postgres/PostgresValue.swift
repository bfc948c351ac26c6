// Parameters of statements given as text, for everything that is not the hot path. Plain data.

import CReactor

/// A parameter of an `async` query; PostgreSQL infers its type from the statement.
public enum PostgresValue: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case null
    case text(String)
    case integer(Int)
    case real(Double)
    case bool(Bool)
    /// For bytea.
    case bytes([UInt8])

    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }

    private static let byteaType: UInt32 = 17

    /// The value as text without a terminator; nil for NULL.
    private var encoded: [UInt8]? {
        switch self {
        case .null: nil
        case .text(let text): Array(text.utf8)
        case .integer(let number): Array("\(number)".utf8)
        case .real(let number): Array("\(number)".utf8)
        case .bool(let value): Array((value ? "t" : "f").utf8)
        case .bytes(let bytes): bytes
        }
    }

    private var isBytes: Bool { if case .bytes = self { true } else { false } }

    /// Whether libpq would cut the value off: it takes text up to the first zero byte.
    var hasZeroByte: Bool {
        guard case .text(let text) = self else { return false }
        return text.utf8.contains(0)
    }

    /// Lends types, values, lengths and formats as libpq wants them.
    static func withPointers<Result>(
        _ parameters: [PostgresValue],
        _ body: ([UInt32], [UnsafePointer<CChar>?], [Int32], [Int32]) -> Result
    ) -> Result {
        let encoded = parameters.map(\.encoded)
        let storage = encoded.map { bytes -> UnsafeMutablePointer<CChar>? in
            guard let bytes else { return nil }
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
            for (index, byte) in bytes.enumerated() { (copy + index).initialize(to: CChar(bitPattern: byte)) }
            (copy + bytes.count).initialize(to: 0)
            return copy
        }
        defer { for pointer in storage { pointer?.deallocate() } }
        return body(
            parameters.map { $0.isBytes ? byteaType : 0 }, storage.map { UnsafePointer($0) },
            encoded.map { Int32($0?.count ?? 0) }, parameters.map { $0.isBytes ? 1 : 0 })
    }
}
