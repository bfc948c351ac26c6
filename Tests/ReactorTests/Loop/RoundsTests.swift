// Rounds on a reactor of their own.

import Testing

@testable import Reactor

@Suite struct RoundsTests {
    /// Touched on the reactor's thread only.
    private final class Log: @unchecked Sendable {
        var begun: [Instant] = []
        var ended: [Instant] = []
    }

    @Test func `a round begins an interval after the one before has ended, however long that took`() async throws {
        try await onReactor { reactor in
            let (rounds, log) = (Rounds(every: .milliseconds(5), on: reactor), Log())
            rounds.start {
                log.begun.append(reactor.now)
                await reactor.sleep(.milliseconds(10))
                log.ended.append(reactor.now)
            }
            #expect(log.begun.isEmpty)
            try await reactor.until("three rounds") { log.ended.count >= 3 }
            rounds.end()
            for index in 1..<3 { #expect(log.begun[index] - log.ended[index - 1] >= .milliseconds(5)) }
        }
    }

    @Test func `after its end no round begins, and what it held is let go`() async throws {
        try await onReactor { reactor in
            let rounds = Rounds(every: .milliseconds(2), on: reactor)
            weak var held: Log?
            do {
                let log = Log()
                held = log
                rounds.start { log.begun.append(reactor.now) }
            }
            try await reactor.until("a round") { held?.begun.isEmpty == false }
            rounds.end()
            try await reactor.until("it is let go") { held == nil }
        }
    }

    @Test func `one that ends itself in its round does not come again`() async throws {
        try await onReactor { reactor in
            let (rounds, log) = (Rounds(every: .milliseconds(1), on: reactor), Log())
            rounds.start {
                log.begun.append(reactor.now)
                rounds.end()
            }
            try await reactor.until("the round") { log.begun.count == 1 }
            await reactor.sleep(.milliseconds(20))
            #expect(log.begun.count == 1)
        }
    }
}
