// Fast searches in bytes for readers that hold no pointers themselves.
// Stateless; they read nothing outside the span.

import CReactor

extension RawSpan {
    /// Index of the next byte that ends or interrupts a JSON string's plain ASCII: quote, backslash, control character,
    /// or a byte from 0x80 on; `byteCount` where there is none.
    public func jsonStringStop(from offset: Int) -> Int {
        precondition(offset >= 0 && offset <= byteCount, "offset outside the span")
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return offset + cr_json_string_stop(base + offset, bytes.count - offset)
        }
    }

    /// Index of the next `byte`.
    public func firstIndex(of byte: UInt8, from offset: Int) -> Int? {
        precondition(offset >= 0 && offset <= byteCount, "offset outside the span")
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let found = memchr(base + offset, Int32(byte), bytes.count - offset)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
