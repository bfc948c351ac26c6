// Between arrays of bytes and spans, for what is kept or crosses threads and is not on the hot path. Pure.

extension Array<UInt8> {
    /// A copy of the bytes.
    public init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { Array($0) }
    }

    /// The elements as they lie; valid until the array is next changed.
    public var rawBytes: RawSpan {
        @_lifetime(borrow self)
        get { span.bytes }
    }
}
