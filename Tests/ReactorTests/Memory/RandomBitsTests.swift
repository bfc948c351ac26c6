import Testing

@testable import Reactor

@Suite struct RandomBitsTests {
    /// Source: the first outputs of the authors' reference implementation.
    @Test func `a seed gives the numbers of SplitMix64`() {
        var bits = RandomBits(seed: 0)
        #expect(
            (0..<3).map { _ in bits.next() } == [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F])
    }

    @Test func `without a seed two generators differ`() {
        var first = RandomBits()
        var second = RandomBits()
        #expect((0..<4).map { _ in first.next() } != (0..<4).map { _ in second.next() })
    }
}
