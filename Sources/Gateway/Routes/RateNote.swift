// The state of a caller's bucket, packed into the word that an exchange carries to its answer. Plain data.

import Reactor

/// What the `X-RateLimit-*` headers of one answer say. A word of 0 is: not limited.
struct RateNote {
    var remaining: Int
    /// Seconds since the Unix epoch at which the bucket is full.
    var resetSeconds: Int

    init(remaining: Int, resetSeconds: Int) {
        self.remaining = remaining
        self.resetSeconds = resetSeconds
    }

    init?(word: UInt64) {
        guard word != 0 else { return nil }
        remaining = Int(word >> 40)
        resetSeconds = Int(word & 0xFF_FFFF_FFFF)
    }

    /// 24 bits of remaining (more is cut), 40 of seconds, of which there are always some.
    var word: UInt64 { UInt64(min(remaining, 0xFF_FFFF)) << 40 | UInt64(resetSeconds) & 0xFF_FFFF_FFFF }

    func write(limitPerMinute: Int, to buffer: inout ByteBuffer) {
        buffer.append("X-RateLimit-Limit: ")
        buffer.append(decimal: limitPerMinute)
        buffer.append("\r\nX-RateLimit-Remaining: ")
        buffer.append(decimal: remaining)
        buffer.append("\r\nX-RateLimit-Reset: ")
        buffer.append(decimal: resetSeconds)
        buffer.append("\r\n")
    }
}
