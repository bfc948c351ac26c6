// Fast random numbers for spreading things in time and over servers; never for secrets.
// A value of its owner: each reactor has one, so that no number costs a system call.
// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64).

public struct RandomBits: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins at a place of its own.
    public init() { state = .random(in: 0...UInt64.max) }

    /// Begins where `seed` says: the same seed gives the same numbers.
    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
