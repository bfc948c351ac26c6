// The pool of buffers: what is lent again, what is kept apart, what is freed. Unit, no sockets.

import Testing

@testable import Reactor

@Suite struct BufferPoolTests {
    @Test func `a buffer that comes back is lent again, empty, with its storage`() {
        let pool = BufferPool()
        var first = pool.take()
        first.append("something")
        first.reserve(10_000)
        let capacity = first.capacity
        pool.give(first)
        #expect(pool.keptCount == 1)
        let second = pool.take()
        let (isEmpty, isTheSame) = (second.isEmpty, second.capacity == capacity)
        #expect(isEmpty)
        #expect(isTheSame)
        #expect(pool.keptCount == 0)
        #expect(pool.lentCount == 1)
    }

    @Test func `a large buffer is lent where much is expected, not for a small answer`() {
        let pool = BufferPool()
        pool.give(ByteBuffer(capacity: 100_000))
        let small = pool.take()
        let isSmall = small.capacity < BufferPool.smallBytesMax
        #expect(isSmall)
        #expect(pool.keptCount == 1)
        let large = pool.take(expecting: 60_000)
        let isLarge = large.capacity == 100_000
        #expect(isLarge)
        #expect(pool.keptCount == 0)
    }

    @Test func `an announcement alone takes no memory`() {
        let pool = BufferPool()
        let buffer = pool.take(expecting: 200_000)
        let capacity = buffer.capacity
        #expect(capacity == BufferPool.freshBytes)
    }

    @Test func `buffers beyond the bounds of size and number are freed`() {
        let pool = BufferPool()
        pool.give(ByteBuffer(capacity: BufferPool.keptBytesMax + 1))
        pool.give(ByteBuffer())
        #expect(pool.keptCount == 0)
        for _ in 0...BufferPool.largeMax { pool.give(ByteBuffer(capacity: BufferPool.smallBytesMax + 1)) }
        #expect(pool.keptCount == BufferPool.largeMax)
        for _ in 0...BufferPool.smallMax { pool.give(ByteBuffer(capacity: BufferPool.freshBytes)) }
        #expect(pool.keptCount == BufferPool.largeMax + BufferPool.smallMax)
    }
}
