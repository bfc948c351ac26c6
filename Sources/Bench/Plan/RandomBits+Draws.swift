// Draws of a run: with the same seed it sends the same things.

import Reactor

extension RandomBits {
    /// 0 ..< 1.
    mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// 0 ..< count; count > 0.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}
