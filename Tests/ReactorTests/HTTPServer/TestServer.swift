// An HTTP server on a reactor of its own, with a handler that a test steers, and checks on what it leaves behind.
// The test's thread talks to it over sockets, and to its objects only through `onReactor`.

import Dispatch
import Foundation
import TestSupport
import Testing

@testable import Reactor

/// `@unchecked Sendable`: what changes after `init` belongs to the test's thread or, through `onReactor`, the reactor's.
final class TestServer: @unchecked Sendable {
    let port: Int
    let handler = TestHandler()
    private let thread: ReactorThread
    private var isStopped = false

    init(
        counter: ConnectionCounter? = nil, tls: CurrentTLSContext? = nil,
        _ change: (inout HTTPLimits) -> Void = { _ in }
    ) throws {
        var limits = HTTPLimits()
        change(&limits)
        let settled = limits
        let reactor = try Reactor(testDescriptorsMax: 4096)
        let listener = Handover(try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false))
        port = Int(listener.boundPort)
        let counter =
            counter
            ?? ConnectionCounter(totalMax: settled.connectionsMax, perAddressMax: settled.connectionsPerAddressMax)
        thread = ReactorThread(reactor) { [handler] reactor in
            let server = HTTPServer(reactor: reactor, limits: settled, counter: counter, handler: handler)
            reactor.join(server)
            handler.server = server
            if let tls { server.secure(tag: 7, by: tls) }
            precondition(server.listen(listener.take(), tag: 7))
        }
        // Nothing is asked of the server before it is there.
        _ = onReactor { _ in 0 }
    }

    func client(timeoutSeconds: Double = 10, receiveBufferBytes: Int32? = nil) throws -> RawHTTP {
        try RawHTTP(port: port, timeoutSeconds: timeoutSeconds, receiveBufferBytes: receiveBufferBytes)
    }

    /// Runs `body` on the reactor's thread and waits for it.
    func onReactor<Result>(_ body: @escaping (HTTPServer) -> Result) -> Result {
        let done = DispatchSemaphore(value: 0)
        let box = Box<Result>()
        let call = Box<() -> Void>()
        call.value = { [handler] in
            box.value = body(handler.server)
            done.signal()
        }
        precondition(thread.reactor.post { call.value!() })
        done.wait()
        return box.value!
    }

    /// What the handler has seen and done so far.
    func log() -> TestHandler.Log { onReactor { [handler] _ in handler.log } }

    /// Waits until the handler's log satisfies `condition`.
    func eventually(_ what: String, _ condition: (TestHandler.Log) -> Bool) throws {
        try TestSupport.eventually(what) { condition(log()) }
    }

    /// Answers a request that `/hold/NAME` keeps.
    func answer(_ name: String, _ text: String = "") {
        onReactor { [handler] _ in handler.answerHeld(name, text) }
    }

    /// Closes the server and ends its thread. Every connection, exchange and buffer must have come back.
    func stop() {
        if isStopped { return }
        isStopped = true
        let left = onReactor { server in
            server.close()
            return (
                server.connectionCount, server.exchangeCount, server.reactor.buffers.lentCount, server.counter.total
            )
        }
        #expect(left == (0, 0, 0, 0), "connections, exchanges, lent buffers, counted connections left")
        let log = log()
        #expect(log.begun == log.answered.count + log.abandoned.count, "each request ends once")
        thread.reactor.stop()
        thread.join()
        handler.server = nil
    }

    deinit { stop() }
}

private final class Box<Value>: @unchecked Sendable {
    // Written by one thread before another is woken to read it.
    var value: Value?
}

/// Carries a descriptor into a reactor's thread. `@unchecked Sendable`: taken once, there.
final class Handover: @unchecked Sendable {
    let boundPort: UInt16
    private var number: Int32

    init(_ descriptor: consuming Descriptor) {
        boundPort = descriptor.boundPort
        number = descriptor.release()
    }

    func take() -> Descriptor { Descriptor(number) }
}
