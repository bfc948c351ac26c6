// Writes commands as RESP arrays of bulk strings straight into an outgoing buffer, by hand: no argv, no copies between.
// Limits: owners count the arguments themselves; a wrong count is a bug that Redis answers with a protocol error.
// Source: the Redis serialization protocol specification, "Sending commands to a Redis server".

extension ByteBuffer {
    /// Begins a command of `argumentCount` arguments, its name included; as many `argument` calls follow.
    public mutating func beginCommand(_ argumentCount: Int) {
        append(UInt8(ascii: "*"))
        append(decimal: argumentCount)
        append("\r\n")
    }

    /// Begins an argument made of pieces: exactly `byteCount` bytes are appended next, then `endArgument`.
    public mutating func beginArgument(byteCount: Int) {
        append(UInt8(ascii: "$"))
        append(decimal: byteCount)
        append("\r\n")
    }

    public mutating func endArgument() { append("\r\n") }

    public mutating func argument(_ bytes: RawSpan) {
        // One look at the room for all pieces: 24 bytes hold "$", any length and two line ends.
        reserve(bytes.byteCount + 24)
        beginArgument(byteCount: bytes.byteCount)
        append(bytes)
        endArgument()
    }

    public mutating func argument(_ literal: StaticString) {
        beginArgument(byteCount: literal.utf8CodeUnitCount)
        append(literal)
        endArgument()
    }

    @_disfavoredOverload
    public mutating func argument(_ string: String) {
        beginArgument(byteCount: string.utf8.count)
        append(string)
        endArgument()
    }

    public mutating func argument(_ value: Int) {
        var digits = Self.decimalDigitCount(value.magnitude)
        if value < 0 { digits += 1 }
        beginArgument(byteCount: digits)
        append(decimal: value)
        endArgument()
    }

    /// Writes an argument of two pieces, such as a key's prefix and the identity that follows it.
    public mutating func argument(_ prefix: StaticString, _ suffix: RawSpan) {
        beginArgument(byteCount: prefix.utf8CodeUnitCount + suffix.byteCount)
        append(prefix)
        append(suffix)
        endArgument()
    }

    /// Begins an `EVALSHA` of `script`: `keyCount` keys and `argumentCount` further arguments follow.
    public mutating func beginScript(_ script: borrowing RedisScript, keyCount: Int, argumentCount: Int) {
        beginCommand(3 + keyCount + argumentCount)
        argument("EVALSHA" as StaticString)
        script.appendSHA(to: &self)
        argument(keyCount)
    }
}
