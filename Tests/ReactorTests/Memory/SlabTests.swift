import TestSupport
import Testing

@testable import Reactor

@Suite struct SlabTests {
    @Test func `a stale name is not live, whoever sits in the slot now`() {
        let slab = Slab<Int>(countMax: 4)
        let first = slab.insert(1)!
        slab.remove(first.index)
        let second = slab.insert(2)!
        #expect(second.index == first.index)
        let isFirstLive = slab.isLive(first)
        let isSecondLive = slab.isLive(second)
        let isNoneLive = slab.isLive(.none)
        #expect(!isFirstLive && isSecondLive && !isNoneLive)
        #expect(SlotID(word: second.word) == second)
    }

    @Test func `a full slab refuses and destroys the value`() {
        let slab = Slab<Witness>(countMax: 2)
        let tally = Tally()
        for _ in 0..<2 { _ = slab.insert(Witness(tally)) }
        let isRefused = slab.insert(Witness(tally)) == nil
        #expect(isRefused)
        #expect(tally.live == 2)
    }

    @Test func `values stay where they are while others come`() {
        let slab = Slab<Int>(countMax: 2000)
        let first = slab.insert(42)!
        let address = slab.at(first.index)
        for number in 0..<1999 { _ = slab.insert(number) }
        let same = slab.at(first.index)
        #expect(address == same)
        #expect(address.pointee == 42)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `a slab holds what a dictionary holds, and destroys the rest at its end`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let tally = Tally()
        do {
            let slab = Slab<Witness>(countMax: 600)
            var model: [SlotID: Int] = [:]
            for number in 0..<5000 {
                if random.chance(0.55), model.count < 600 {
                    model[slab.insert(Witness(tally, number))!] = number
                } else if let id = model.keys.min(by: { $0.index < $1.index }) {
                    let removed = slab.remove(id.index).number
                    #expect(removed == model.removeValue(forKey: id))
                }
                let count = slab.count
                #expect(count == model.count)
            }
            for (id, number) in model {
                let found = slab.at(id.index).pointee.number
                #expect(found == number)
            }
            var seen = 0
            slab.forEachIndex { _ in seen += 1 }
            #expect(seen == model.count)
            #expect(tally.live == model.count)
        }
        #expect(tally.live == 0)
    }
}

@Suite struct RingTests {
    @Test func `a ring is first in, first out, over its edge and at its bound`() {
        var ring = Ring<Int>(countMax: 5)
        var next = 0
        var expected = 0
        for round in 0..<100 {
            for _ in 0...(round % 5) where ring.count < 5 {
                ring.append(next)
                next += 1
            }
            let isFull = ring.isFull
            let count = ring.count
            #expect(isFull == (count == 5))
            for _ in 0...(round % 3) where ring.count > 0 {
                let first = ring.first?.pointee
                let taken = ring.removeFirst()
                #expect(first == expected && taken == expected)
                expected += 1
            }
        }
        while ring.count > 0 { ring.removeFirst() }
        let isEmpty = ring.isEmpty && ring.first == nil
        #expect(isEmpty)
    }

    @Test func `a ring destroys what is left in it`() {
        let tally = Tally()
        do {
            var ring = Ring<Witness>(countMax: 3)
            for _ in 0..<2 { ring.append(Witness(tally)) }
            ring.removeFirst()
            ring.append(Witness(tally))
            ring.append(Witness(tally))
            #expect(tally.live == 3)
        }
        #expect(tally.live == 0)
    }
}

private final class Tally { var live = 0 }

/// Counts itself.
private struct Witness: ~Copyable {
    private let tally: Tally
    let number: Int
    init(_ tally: Tally, _ number: Int = 0) {
        self.tally = tally
        self.number = number
        tally.live += 1
    }
    deinit { tally.live -= 1 }
}
