// One value of a JSON text, where it lies and what it is, and what a schema may ask of it.
// Plain data; the questions throw `.schema` with the member's name. Absent is a kind of its own, so that the members of
// an object can be collected first (the last of equal names wins) and asked afterwards, in the schema's order.

public struct JSONValue: Sendable {
    public enum Kind: UInt8, Sendable {
        case absent, null, bool, number, string, array, object
    }

    /// All of the value: quotes and brackets included.
    public var range: ByteRange
    public var kind: Kind
    public var hasEscapes: Bool
    /// The first thing in the value that storage would refuse.
    public var problem: JSONStorageProblem
    /// Index of its byte; nothing where there is no problem.
    public var problemOffset: UInt32

    @usableFromInline
    init(_ kind: Kind, _ range: ByteRange, _ findings: JSONFindings) {
        self.range = range
        self.kind = kind
        hasEscapes = findings.hasEscapes
        problem = findings.problem
        problemOffset = UInt32(truncatingIfNeeded: findings.problemOffset)
    }

    public static var absent: JSONValue { JSONValue(.absent, .empty, JSONFindings()) }

    /// Neither there nor null.
    @inlinable public var isAbsent: Bool { kind == .absent || kind == .null }

    /// The string that this is; nil for other kinds.
    @inlinable
    public var string: JSONString? {
        guard kind == .string else { return nil }
        var string = JSONString()
        string.range = ByteRange(offset: Int(range.offset) + 1, count: Int(range.count) - 2)
        string.hasEscapes = hasEscapes
        string.problem = problem
        return string
    }
}

// What a schema asks. `rule` is the sentence for a value that is there and wrong.
extension JSONValue {
    static let missing: StaticString = "is required"

    public func requiredString(_ field: StaticString) throws(JSONFailure) -> JSONString {
        guard let string else { throw failure(field, "expected a string") }
        return string
    }

    /// A string that names something.
    public func requiredName(_ field: StaticString) throws(JSONFailure) -> JSONString {
        let string = try requiredString(field)
        guard !string.isEmpty else { throw failure(field, "expected a string that is not empty") }
        return string
    }

    public func optionalString(_ field: StaticString) throws(JSONFailure) -> JSONString? {
        isAbsent ? nil : try requiredString(field)
    }

    public func requiredObject(_ field: StaticString) throws(JSONFailure) -> ByteRange {
        guard kind == .object else { throw failure(field, "expected an object") }
        return range
    }

    public func requiredArray(_ field: StaticString) throws(JSONFailure) -> ByteRange {
        guard kind == .array else { throw failure(field, "expected an array") }
        return range
    }

    public func optionalArray(_ field: StaticString) throws(JSONFailure) -> ByteRange? {
        isAbsent ? nil : try requiredArray(field)
    }

    /// An integer, written without fraction and exponent.
    public func requiredInteger(
        _ field: StaticString, in body: RawSpan, _ bounds: ClosedRange<Int>, _ rule: StaticString
    ) throws(JSONFailure) -> Int {
        guard kind == .number, let integer = JSONNumber.integer(body.slice(range)), bounds.contains(integer) else {
            throw failure(field, rule)
        }
        return integer
    }

    public func optionalInteger(
        _ field: StaticString, in body: RawSpan, _ bounds: ClosedRange<Int>, _ rule: StaticString
    ) throws(JSONFailure) -> Int? {
        isAbsent ? nil : try requiredInteger(field, in: body, bounds, rule)
    }

    /// Any number that a Double can hold.
    public func requiredNumber(_ field: StaticString, in body: RawSpan) throws(JSONFailure) -> Double {
        guard kind == .number else { throw failure(field, "expected a number") }
        let number = JSONNumber.double(body.slice(range))
        guard number.isFinite else { throw failure(field, "expected a smaller number") }
        return number
    }

    /// A number of 0 or more, rounded to an integer.
    public func requiredRounded(
        _ field: StaticString, in body: RawSpan, max: Int, _ rule: StaticString
    ) throws(JSONFailure) -> Int {
        let number = kind == .number ? JSONNumber.double(body.slice(range)) : -1
        guard number >= 0, number <= Double(max) else { throw failure(field, rule) }
        return Int(number.rounded())
    }

    public func optionalRounded(
        _ field: StaticString, in body: RawSpan, max: Int, _ rule: StaticString
    ) throws(JSONFailure) -> Int? {
        isAbsent ? nil : try requiredRounded(field, in: body, max: max, rule)
    }

    public func optionalBool(_ field: StaticString, in body: RawSpan) throws(JSONFailure) -> Bool? {
        if isAbsent { return nil }
        guard kind == .bool else { throw failure(field, "expected true or false") }
        return body.byte(at: Int(range.offset)) == UInt8(ascii: "t")
    }

    /// An RFC 3339 time, UTC where it has no zone.
    public func optionalTimestamp(_ field: StaticString, in body: RawSpan) throws(JSONFailure) -> Timestamp? {
        if isAbsent { return nil }
        let string = try requiredString(field)
        let timestamp = string.hasEscapes ? Timestamp(escaped: string, in: body) : Timestamp(body.slice(string.range))
        guard let timestamp else { throw failure(field, "expected an RFC 3339 time") }
        return timestamp
    }

    @inline(never)
    private func failure(_ field: StaticString, _ rule: StaticString) -> JSONFailure {
        .schema(field, kind == .absent ? Self.missing : rule)
    }
}
