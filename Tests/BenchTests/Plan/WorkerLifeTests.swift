// What a simulated worker does next, and when.

import Reactor
import Testing

@testable import Bench

@Suite struct WorkerLifeTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private var random = RandomBits(seed: 3)

    private func rhythm(heartbeat: Double? = 30, jitter: Double = 0) -> WorkerLife.Rhythm {
        WorkerLife.Rhythm(
            heartbeat: heartbeat.map { .seconds($0) }, process: .seconds(4), emptyWait: nil, rest: .seconds(2),
            jitter: jitter)
    }

    @Test func `a worker pulls, finishes each task after its time, rests and pulls again`() {
        var random = random
        let rhythm = rhythm(heartbeat: nil)
        var life = WorkerLife(start: start, rhythm: rhythm, random: &random)
        #expect(life.next.action == .pull)
        #expect(life.next.due >= start && life.next.due < start + .seconds(4))
        let delivered = start + .seconds(10)
        life.pulled(2, retryAfter: .seconds(9), now: delivered, rhythm: rhythm, random: &random)
        #expect(life.next.action == .finish && life.next.due == delivered + .seconds(4))
        life.finished(now: delivered + .seconds(5), rhythm: rhythm, random: &random)
        #expect(life.next.action == .finish && life.next.due == delivered + .seconds(9))
        life.finished(now: delivered + .seconds(9), rhythm: rhythm, random: &random)
        #expect(life.next.action == .pull && life.next.due == delivered + .seconds(11))
        #expect(life.held == 0)
    }

    @Test func `a pull without a task is repeated when the answer says`() {
        var random = random
        let rhythm = rhythm(heartbeat: nil)
        var life = WorkerLife(start: start, rhythm: rhythm, random: &random)
        life.pulled(0, retryAfter: .seconds(9), now: start, rhythm: rhythm, random: &random)
        #expect(life.next.action == .pull && life.next.due == start + .seconds(9))
    }

    @Test func `heartbeats keep their rhythm, and missed ones are not made up for`() {
        var random = random
        let rhythm = rhythm()
        var life = WorkerLife(start: start, rhythm: rhythm, random: &random)
        life.pulled(0, retryAfter: .seconds(3600), now: start, rhythm: rhythm, random: &random)
        let first = life.next.due
        #expect(life.next.action == .heartbeat && first < start + .seconds(30))
        life.heartbeatDone(now: first + .seconds(1), rhythm: rhythm, random: &random)
        #expect(life.next.due == first + .seconds(30))
        life.heartbeatDone(now: first + .seconds(500), rhythm: rhythm, random: &random)
        #expect(life.next.due == first + .seconds(500))
    }

    @Test func `a failed request is repeated a little later`() {
        var random = random
        let rhythm = rhythm()
        var life = WorkerLife(start: start, rhythm: rhythm, random: &random)
        life.pulled(1, retryAfter: .zero, now: start, rhythm: rhythm, random: &random)
        life.failed(.heartbeat, now: start, rhythm: rhythm, random: &random)
        #expect(life.next.action == .heartbeat && life.next.due == start + rhythm.retryWait)
        life.failed(.finish, now: start, rhythm: rhythm, random: &random)
        life.failed(.heartbeat, now: start + .seconds(9), rhythm: rhythm, random: &random)
        #expect(life.next.action == .finish && life.next.due == start + rhythm.retryWait)
        #expect(life.held == 1)
    }

    @Test func `a fleet does not beat in one moment, and jitter stays within its bounds`() {
        var random = random
        let rhythm = rhythm(jitter: 0.2)
        var dues: Set<Int64> = []
        for _ in 0..<1000 {
            var life = WorkerLife(start: start, rhythm: rhythm, random: &random)
            dues.insert(life.next.due.nanoseconds)
            life.pulled(1, retryAfter: .zero, now: start, rhythm: rhythm, random: &random)
            let work = life.next.action == .finish ? (life.next.due - start).seconds : 4
            #expect(work >= 3.2 && work <= 4.8)
        }
        #expect(dues.count > 990)
        let late = dues.count { $0 > (start + .seconds(2)).nanoseconds }
        #expect(late > 300 && late < 700)
    }
}
