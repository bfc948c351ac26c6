// Numbers that a seed repeats: a run with the same seed sends the same things. A value; its loop owns it.
// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64).

struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 0 ..< 1.
    mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// 0 ..< count; count > 0.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}
