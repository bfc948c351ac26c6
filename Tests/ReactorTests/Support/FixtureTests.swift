// The small fixtures: deadlines, seeds, child processes, ports.

import Foundation
import TestSupport
import Testing

@Suite struct FixtureTests {
    @Test func `a condition that never holds fails at its deadline and says which`() throws {
        let failure = try #require(throws: TestFailure.self) {
            try eventually("pigs fly", deadlineSeconds: 0.02) { false }
        }
        #expect(failure.description.contains("pigs fly"))
    }

    @Test func `a condition that comes true ends the wait`() throws {
        var rounds = 0
        try eventually("three rounds") {
            rounds += 1
            return rounds == 3
        }
        #expect(rounds == 3)
    }

    @Test func `the same seed gives the same numbers`() {
        var first = RandomSource(seed: 7)
        var second = RandomSource(seed: 7)
        var third = RandomSource(seed: 8)
        let numbers = (0..<10).map { _ in first.next() }
        #expect(numbers == (0..<10).map { _ in second.next() })
        #expect(numbers != (0..<10).map { _ in third.next() })
    }

    @Test func `pieces of a stream add up to it`() {
        var random = RandomSource(seed: 1)
        let pieces = random.pieces(of: 1000, lengthMax: 17)
        #expect(pieces.reduce(0, +) == 1000)
        #expect(pieces.allSatisfy { (1...17).contains($0) })
    }

    @Test func `a command's output, errors and status are told apart`() throws {
        let result = try ChildProcess.run("sh", ["-c", "cat; echo no >&2; exit 3"], input: "yes")
        #expect(result.output == "yes")
        #expect(result.errors == "no\n")
        #expect(result.status == .exited(3))
    }

    @Test func `a command past its deadline is killed`() throws {
        #expect(throws: TestFailure.self) { try ChildProcess.run("sleep", ["1000"], deadlineSeconds: 0.05) }
    }

    @Test func `a port is given once`() throws {
        let ports = try (0..<50).map { _ in try FreePort.next() }
        #expect(Set(ports).count == ports.count)
    }
}
