// A server that is slow exactly when it was told to be: what a load tool is checked against. On a reactor of its own.

import Reactor
import TestSupport

/// When answers come late.
struct Delays: Sendable {
    /// Every so many requests one is answered late; 0: none.
    var every = 0
    var delay = Interval.zero
    /// The number of the request at which all answers stop for a while; 0: never.
    var stallAt = 0
    var stall = Interval.zero
    /// What is answered.
    var status = 200
}

/// `@unchecked Sendable`: what changes after `init` is touched on the reactor's thread only.
final class DelayServer: @unchecked Sendable {
    let port: Int
    private let thread: ReactorThread
    private let handler: DelayHandler

    init(_ delays: Delays = Delays()) throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 4096)
        let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        port = Int(listener.boundPort)
        let number = listener.release()
        let ready = Latch(1)
        let handler = DelayHandler(delays, reactor)
        self.handler = handler
        thread = ReactorThread(reactor) { reactor in
            let limits = HTTPLimits()
            let counter = ConnectionCounter(
                totalMax: limits.connectionsMax, perAddressMax: limits.connectionsPerAddressMax)
            let server = HTTPServer(reactor: reactor, limits: limits, counter: counter, handler: handler)
            reactor.join(server)
            handler.server = server
            precondition(server.listen(Descriptor(number), tag: 0), "no listener")
            ready.countDown()
        }
        ready.wait()
    }

    deinit {
        thread.reactor.stop()
        thread.join()
        handler.server = nil
    }
}

private final class DelayHandler: RequestHandler, TimerOwner, @unchecked Sendable {
    private let delays: Delays
    private let reactor: Reactor
    var server: HTTPServer?
    private var count = 0
    private var stalledUntil: Instant

    init(_ delays: Delays, _ reactor: Reactor) {
        self.delays = delays
        self.reactor = reactor
        stalledUntil = reactor.now
    }

    func begin(_ request: borrowing Request, note: inout RequestNote) -> BodyPlan { .buffer(bytesMax: 1 << 20) }

    func handle(_ request: borrowing Request, note: RequestNote) {
        count += 1
        let now = Instant.read()
        if count == delays.stallAt { stalledUntil = now + delays.stall }
        if now < stalledUntil {
            _ = reactor.schedule(at: stalledUntil, self, tag: request.exchange.word)
        } else if delays.every > 0, count % delays.every == 0 {
            _ = reactor.schedule(at: now + delays.delay, self, tag: request.exchange.word)
        } else {
            answer(request.exchange)
        }
    }

    func timerFired(tag: UInt64) { answer(SlotID(word: tag)) }

    private func answer(_ exchange: SlotID) {
        server?.respond(exchange, status: delays.status, type: .text) { $0.append("x") }
    }

    func answered(_ exchange: borrowing AnsweredExchange) {}
    func abandoned(_ exchange: SlotID, note: RequestNote) {}
}
