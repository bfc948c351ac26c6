// A reply as a view of the reader's arena: nothing is copied, nothing outlives the call that lends it.
// Owned by the connection's reader. Source: RESP2; layout in creactor/redis.h.

import CReactor

/// One reply, or one element of one.
public struct RedisReply: ~Escapable {
    public enum Kind: Equatable, Sendable {
        case string, array, integer, null, status, error
    }

    // Valid while the view may live: the reader clears its arena only between replies.
    private let nodes: UnsafePointer<cr_redis_node>
    private let arena: UnsafePointer<CChar>
    private let index: Int

    @_lifetime(immortal)
    init(nodes: UnsafePointer<cr_redis_node>, arena: UnsafePointer<CChar>, index: Int) {
        self.nodes = nodes
        self.arena = arena
        self.index = index
    }

    private var node: cr_redis_node { nodes[index] }

    public var kind: Kind {
        switch node.type {
        case CR_REDIS_STRING: .string
        case CR_REDIS_ARRAY: .array
        case CR_REDIS_INTEGER: .integer
        case CR_REDIS_STATUS: .status
        case CR_REDIS_ERROR: .error
        default: .null
        }
    }

    public var isNull: Bool { node.type == CR_REDIS_NIL }
    public var isError: Bool { node.type == CR_REDIS_ERROR }

    /// The number of an integer reply, or of a string that spells one; nil otherwise.
    public var integer: Int? {
        if node.type == CR_REDIS_INTEGER { return Int(node.value) }
        guard node.type == CR_REDIS_STRING else { return nil }
        return bytes.decimal
    }

    /// The bytes of a string, status or error; none for everything else.
    public var bytes: RawSpan {
        @_lifetime(copy self)
        get {
            let node = node
            let hasBytes = node.type == CR_REDIS_STRING || node.type == CR_REDIS_STATUS || node.type == CR_REDIS_ERROR
            let start = UnsafeRawPointer(arena) + (hasBytes ? Int(node.value) : 0)
            let span = RawSpan(_unsafeStart: start, byteCount: hasBytes ? Int(node.count) : 0)
            return _overrideLifetime(span, copying: self)
        }
    }

    /// Elements of an array; 0 for everything else.
    public var count: Int { node.type == CR_REDIS_ARRAY ? Int(node.count) : 0 }

    /// An element of an array: O(1) where no element is an array itself, O(position) otherwise. A position outside the
    /// array is a bug and traps.
    public subscript(position: Int) -> RedisReply {
        @_lifetime(copy self)
        get {
            precondition(position >= 0 && position < count, "no such element in the reply")
            var at = index + 1
            if Int(node.end) - at == count {
                at += position
            } else {
                for _ in 0..<position { at = Int(nodes[at].end) }
            }
            let element = RedisReply(nodes: nodes, arena: arena, index: at)
            return _overrideLifetime(element, copying: self)
        }
    }

    /// A copy that lives on its own. Allocates: not for the hot path.
    public var value: RedisValue {
        switch kind {
        case .null: return .null
        case .integer: return .integer(Int(node.value))
        case .status: return .status(bytes.string)
        case .error: return .error(bytes.string)
        case .string: return .string(bytes.withUnsafeBytes { Array($0) })
        case .array:
            var elements: [RedisValue] = []
            elements.reserveCapacity(count)
            for position in 0..<count { elements.append(self[position].value) }
            return .array(elements)
        }
    }
}

/// A reply that owns its bytes.
public enum RedisValue: Equatable, Sendable {
    case null
    case integer(Int)
    case status(String)
    case error(String)
    case string([UInt8])
    case array([RedisValue])

    /// The text of a string or status.
    public var text: String? {
        switch self {
        case .status(let text): text
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    /// The number of an integer, or of a string that spells one.
    public var number: Int? {
        switch self {
        case .integer(let number): number
        case .string(let bytes): bytes.span.bytes.decimal
        default: nil
        }
    }

    public var elements: [RedisValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }
}

extension RawSpan {
    /// The decimal integer that these bytes spell, wholly; nil where they spell none or it does not fit.
    var decimal: Int? {
        var at = 0
        let isNegative = byteCount > 0 && byte(at: 0) == UInt8(ascii: "-")
        if isNegative { at = 1 }
        guard byteCount > at, byteCount <= 20 else { return nil }
        var value = 0
        while at < byteCount {
            let digit = byte(at: at) &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (tens, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) =
                isNegative ? tens.subtractingReportingOverflow(Int(digit)) : tens.addingReportingOverflow(Int(digit))
            guard !overflowed, !carried else { return nil }
            value = sum
            at += 1
        }
        return value
    }

    /// Whether these bytes begin with an ASCII literal.
    func begins(with literal: StaticString) -> Bool {
        byteCount >= literal.utf8CodeUnitCount && extracting(first: literal.utf8CodeUnitCount).equals(literal)
    }
}
