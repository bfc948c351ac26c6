// The members of one object that a schema names: collected first (of equal names the last wins), asked afterwards, in the
// schema's order. Plain data on its user's stack, some 24 bytes a name; allocates nothing. Source: RFC 8259, section 4.

public struct JSONMembers<let count: Int>: Sendable {
    @usableFromInline var values: InlineArray<count, JSONValue>
    /// The object, without the whitespace around it.
    public let document: ByteRange

    /// Reads a whole document.
    /// - Parameter names: the order in which the values are kept. Members of other names are validated and left out.
    /// - Throws: `.syntax` where it is not JSON, `.schema` where it is no object.
    @inlinable
    public init(_ body: RawSpan, _ names: InlineArray<count, StaticString>) throws(JSONFailure) {
        values = InlineArray(repeating: .absent)
        var reader = JSONReader(body)
        _ = try reader.peek()
        let start = reader.offset
        var more = try reader.openObject()
        while more {
            let key = try reader.key()
            let value = try reader.value()
            for index in 0..<count where reader.key(key, is: names[index]) {
                values[index] = value
                break
            }
            more = try reader.moreMembers()
        }
        document = ByteRange(offset: start, count: reader.offset - start)
        try reader.end()
    }

    /// The value of the name at `index`; absent where the object has none.
    @inlinable public subscript(index: Int) -> JSONValue { values[index] }
}
