// Reproducible randomness for tests: SplitMix64 from a seed that is printed.
// TEST_SEED in the environment repeats a run.

import Foundation
import Reactor

/// A seeded generator. A value: a copy repeats the same numbers.
public struct RandomSource: RandomNumberGenerator {
    public let seed: UInt64
    private var bits: RandomBits

    /// - Parameter seed: nil takes TEST_SEED, else a new one; both are printed.
    public init(seed: UInt64? = nil, label: String = #function) {
        if let seed {
            self.seed = seed
        } else {
            let given = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) }
            self.seed = given ?? UInt64.random(in: 1...UInt64.max)
            print("seed of \(label): TEST_SEED=\(self.seed)")
        }
        bits = RandomBits(seed: self.seed)
    }

    public mutating func next() -> UInt64 { bits.next() }

    public mutating func int(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    public mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// One of `elements`, which must not be empty.
    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        precondition(!elements.isEmpty, "picked from nothing")
        return elements[int(in: 0...(elements.count - 1))]
    }

    /// Lengths of pieces that together have `count` bytes: how a stream might be cut by the network.
    public mutating func pieces(of count: Int, lengthMax: Int) -> [Int] {
        var rest = count
        var lengths: [Int] = []
        while rest > 0 {
            let length = min(rest, int(in: 1...max(1, lengthMax)))
            lengths.append(length)
            rest -= length
        }
        return lengths
    }
}
