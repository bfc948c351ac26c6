// Who of those who wait asks next, and how often anybody asks: the rules of the long poll without sockets.

import TestSupport
import Testing

@testable import Gateway

@Suite struct WaitingRoomTests {
    private static let all: [UInt8] = [4]
    private static let beacon: [UInt8] = [4] + Array("beacon".utf8)
    private static let qpublic: [UInt8] = [4] + Array("qpublic".utf8)

    private var room = WaitingRoom()

    /// Lets workers in who found nothing at first.
    private mutating func enter(_ count: Int, _ filter: [UInt8]) throws -> [WaitingRoom.WaiterID] {
        var ids: [WaitingRoom.WaiterID] = []
        for _ in 0..<count {
            let entered = room.enter(filter: filter)
            let id = try #require(entered)
            room.answered(id, tasks: 0)
            ids.append(id)
        }
        return ids
    }

    /// Answers every question from a queue with so many tasks of each filter, one a question, until nobody asks.
    /// - Returns: who was served, and how many questions found nothing.
    private mutating func serve(
        _ ready: inout [[UInt8]: Int], filters: [WaitingRoom.WaiterID: [UInt8]]
    ) -> (served: [WaitingRoom.WaiterID], misses: Int) {
        var (served, misses): ([WaitingRoom.WaiterID], Int) = ([], 0)
        while let id = room.next() {
            let filter = filters[id] ?? Self.all
            if let left = ready[filter], left > 0 {
                ready[filter] = left - 1
                room.answered(id, tasks: 1)
                room.leave(id)
                served.append(id)
            } else {
                room.answered(id, tasks: 0)
                misses += 1
            }
        }
        return (served, misses)
    }

    @Test mutating func `nobody asks before a wake`() throws {
        _ = try enter(3, Self.all)
        #expect(room.next() == nil)
    }

    @Test mutating func `first come is first served`() throws {
        let ids = try enter(3, Self.all)
        var served: [WaitingRoom.WaiterID] = []
        for _ in 0..<3 {
            room.wake(tasks: 1)
            var ready = [Self.all: 1]
            served += serve(&ready, filters: [:]).served
        }
        #expect(served == ids)
    }

    @Test mutating func `a wake of n tasks asks for n of 50,000`() throws {
        _ = try enter(50_000, Self.all)
        room.wake(tasks: 7)
        var asked: [WaitingRoom.WaiterID] = []
        while let id = room.next() { asked.append(id) }
        #expect(asked.count == 7)
        for id in asked {
            room.answered(id, tasks: 1)
            room.leave(id)
        }
        #expect(room.next() == nil)
        #expect(room.count == 50_000 - 7)
    }

    @Test mutating func `a wake that somebody else was faster for costs one question a filter`() throws {
        var filters: [WaitingRoom.WaiterID: [UInt8]] = [:]
        for filter in [Self.all, Self.beacon, Self.qpublic] {
            for id in try enter(1000, filter) { filters[id] = filter }
        }
        room.wake(tasks: 1)
        var nothing: [[UInt8]: Int] = [:]
        let outcome = serve(&nothing, filters: filters)
        #expect(outcome.served.isEmpty)
        #expect(outcome.misses == 3)
    }

    @Test mutating func `a waiter whose filter does not match leaves the wake to others`() throws {
        var filters: [WaitingRoom.WaiterID: [UInt8]] = [:]
        for id in try enter(5, Self.qpublic) { filters[id] = Self.qpublic }
        let wanted = try enter(1, Self.beacon)
        filters[wanted[0]] = Self.beacon
        room.wake(tasks: 1)
        var ready = [Self.beacon: 1]
        let outcome = serve(&ready, filters: filters)
        #expect(outcome.served == wanted)
        #expect(outcome.misses == 1)
    }

    @Test mutating func `a task published while its first question was out is not missed`() throws {
        let entered = room.enter(filter: Self.all)
        let id = try #require(entered)
        room.wake(tasks: 1)
        // Its answer was on its way already: empty.
        room.answered(id, tasks: 0)
        // The wake asked for nobody else, so it asks again.
        #expect(room.next() == id)
    }

    @Test mutating func `a task published while a question was out is not missed`() throws {
        let ids = try enter(2, Self.all)
        room.wake(tasks: 1)
        let asked = room.next()
        let first = try #require(asked)
        #expect(first == ids[0])
        room.wake(tasks: 1)
        room.answered(first, tasks: 0)
        #expect(room.next() == first)
    }

    @Test mutating func `a probe goes on as long as something is found`() throws {
        _ = try enter(10, Self.all)
        room.probe()
        var ready = [Self.all: 4]
        let outcome = serve(&ready, filters: [:])
        #expect(outcome.served.count == 4)
        #expect(outcome.misses == 1)
    }

    @Test mutating func `no more questions are out than the limit`() throws {
        _ = try enter(1000, Self.all)
        room.wake(tasks: 1000)
        var asked = 0
        while room.next() != nil { asked += 1 }
        #expect(asked == WaitingRoom.claimsMax)
    }

    @Test mutating func `who leaves while asking makes room for the next`() throws {
        let ids = try enter(2, Self.all)
        room.wake(tasks: 1)
        #expect(room.next() == ids[0])
        #expect(room.next() == nil)
        room.leave(ids[0])
        #expect(room.next() == ids[1])
        #expect(!room.isHere(ids[0]))
        room.answered(ids[0], tasks: 1)
        #expect(room.asking == 1)
    }

    @Test mutating func `a wake with nobody here is forgotten`() throws {
        room.wake(tasks: 100)
        _ = try enter(3, Self.all)
        #expect(room.next() == nil)
    }

    @Test mutating func `there is a limit of waiters and of filters`() throws {
        for number in 0..<WaitingRoom.filtersMax {
            #expect(room.enter(filter: Array("\(number)".utf8)) != nil)
        }
        #expect(room.enter(filter: Self.beacon) == nil)
        let first = try #require(room.everybody.first)
        room.leave(first)
        #expect(room.enter(filter: Self.beacon) != nil)
        for _ in room.count..<WaitingRoom.waitersMax { #expect(room.enter(filter: Self.beacon) != nil) }
        #expect(room.enter(filter: Self.beacon) == nil)
    }

    @Test mutating func `whatever happens, no ready task is left while somebody who could take it waits`() throws {
        var source = RandomSource(label: "waiting room")
        let filters = [Self.beacon, Self.qpublic]
        var waiting: [WaitingRoom.WaiterID: [UInt8]] = [:]
        // What Redis holds, and the questions on their way with the answers they will bring.
        var ready: [[UInt8]: Int] = [:]
        var answers: [(id: WaitingRoom.WaiterID, tasks: Int)] = []
        var wakes: [Int] = []
        func ask(_ id: WaitingRoom.WaiterID) {
            let left = ready[waiting[id] ?? []] ?? 0
            if left > 0 { ready[waiting[id] ?? []] = left - 1 }
            answers.append((id, min(left, 1)))
        }
        func settleOne() {
            let (id, tasks) = answers.removeFirst()
            guard room.isHere(id) else { return }
            room.answered(id, tasks: tasks)
            if tasks > 0 {
                room.leave(id)
                waiting[id] = nil
            }
        }
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<6, using: &source) {
            case 0:
                let filter = filters[Int.random(in: 0..<2, using: &source)]
                guard let id = room.enter(filter: filter) else { break }
                waiting[id] = filter
                ask(id)
            case 1:
                let filter = filters[Int.random(in: 0..<2, using: &source)]
                let count = Int.random(in: 1...3, using: &source)
                ready[filter, default: 0] += count
                wakes.append(count)
            case 2 where !wakes.isEmpty: room.wake(tasks: wakes.removeFirst())
            case 3 where !answers.isEmpty: settleOne()
            case 4:
                guard let id = waiting.keys.randomElement(using: &source), !answers.contains(where: { $0.id == id })
                else { break }
                room.leave(id)
                waiting[id] = nil
            default: break
            }
            while let id = room.next() { ask(id) }
        }
        while !wakes.isEmpty || !answers.isEmpty {
            if wakes.isEmpty { settleOne() } else { room.wake(tasks: wakes.removeFirst()) }
            while let id = room.next() { ask(id) }
        }
        for filter in filters where ready[filter, default: 0] > 0 {
            #expect(!waiting.values.contains(filter), "\(source)")
        }
    }
}
