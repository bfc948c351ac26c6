// An application for the server's tests. What it does follows from the path:
//
//   /echo            answers "METHOD TARGET BODY"            /hold/NAME      answers when the test says so
//   /status/N        answers N with the body "x"             /big/N          answers N bytes
//   /refuse/N        refuses with N before the body          /limit/N        echoes a body of at most N bytes
//   /stream/NAME/N   reads a body of at most N in pieces     /events/NAME    answers in pieces, when the test says so
//
// Lives on the reactor's thread, as its log does.

import Foundation
import TestSupport

@testable import Reactor

/// `@unchecked Sendable`: touched on its reactor's thread only, once the server runs.
final class TestHandler: RequestHandler, @unchecked Sendable {
    struct Log {
        struct Answered: Equatable {
            var status: Int
            var target: String
            var bodyBytes: Int
            var requestID: String
        }
        /// Requests whose head was accepted, and those refused by the server itself.
        var begun = 0
        /// Targets in the order in which their requests were complete.
        var handled: [String] = []
        var answered: [Answered] = []
        var abandoned: [SlotID] = []
        var roomTold = 0
        var lastPeer: PeerAddress?
        var handshakeFailures: [String] = []
    }

    /// A streamed body and the reading of it.
    final class Reading: @unchecked Sendable {
        let body = RequestBody()
        let exchange: SlotID
        var received: [UInt8] = []
        var failure: RequestBody.Failure?
        var mayRead = false
        var gate: UnsafeContinuation<Void, Never>?
        init(_ exchange: SlotID) { self.exchange = exchange }
    }

    var server: HTTPServer!
    var log = Log()
    var held: [String: SlotID] = [:]
    var readings: [String: Reading] = [:]
    var isDrained = false
    private let defaultBytesMax = 10 * 1024 * 1024

    func begin(_ request: borrowing Request, note: inout RequestNote) -> BodyPlan {
        log.begun += 1
        log.lastPeer = request.peer
        note.word = UInt64(log.begun)
        let parts = request.path.string.split(separator: "/").map(String.init)
        switch parts.first {
        case "refuse":
            let status = Int(parts[1])!
            return .refuse(Problem(status: status, code: "TEST", message: "refused", retryAfterSeconds: nil))
        case "limit": return .buffer(bytesMax: Int(parts[1])!)
        case "stream":
            let reading = Reading(request.exchange)
            reading.mayRead = !request.query.equals("wait")
            readings[parts[1]] = reading
            let server = server!
            server.reactor.spawn { [self] in await read(reading, server) }
            return .stream(reading.body, bytesMax: Int(parts[2])!)
        default: return .buffer(bytesMax: defaultBytesMax)
        }
    }

    func handle(_ request: borrowing Request, note: RequestNote) {
        let target = request.path.string
        log.handled.append(target)
        let parts = target.split(separator: "/").map(String.init)
        switch parts.first {
        case "hold", "events": held[parts[1]] = request.exchange
        case "status": server.respond(request.exchange, status: Int(parts[1])!, type: .text) { $0.append("x") }
        case "big":
            let piece = [UInt8](repeating: UInt8(ascii: "b"), count: Int(parts[1])!)
            server.respond(request.exchange, status: 200, type: .text) { $0.append(piece.span.bytes) }
        default:
            let method = request.head.method.name
            let body = request.body
            server.respond(
                request.exchange, status: 200, type: .text, headers: { $0.append("X-Test: 1\r\n") },
                body: { buffer in
                    buffer.append(method)
                    buffer.append(" \(target) ")
                    buffer.append(body)
                })
        }
    }

    func answered(_ exchange: borrowing AnsweredExchange) {
        if exchange.note.word == 0 { log.begun += 1 }
        log.answered.append(
            Log.Answered(
                status: exchange.status, target: exchange.target, bodyBytes: exchange.bodyBytes,
                requestID: exchange.requestID.description))
    }

    func abandoned(_ exchange: SlotID, note: RequestNote) {
        log.abandoned.append(exchange)
        // Late answers to it, and to those that are about to be abandoned, do nothing.
        server.respond(exchange, status: 200) { $0.append("late") }
        for other in held.values { if log.abandoned.contains(other) { server.respond(other, status: 200) { _ in } } }
    }

    func hasRoom(_ exchange: SlotID, note: RequestNote) { log.roomTold += 1 }

    func handshakeFailed(_ error: SystemError, peer: PeerAddress, listener: UInt32) {
        log.handshakeFailures.append("\(error)")
    }

    func answerHeld(_ name: String, _ text: String) {
        server.respond(held[name]!, status: 200, type: .text) { $0.append(text) }
    }

    // MARK: Streamed bodies

    private func read(_ reading: Reading, _ server: HTTPServer) async {
        if !reading.mayRead { await withUnsafeContinuation { reading.gate = $0 } }
        var buffer = ByteBuffer()
        do throws(RequestBody.Failure) {
            while try await reading.body.read(into: &buffer) {
                reading.received += buffer.bytes.withUnsafeBytes { Array($0) }
                buffer.clear()
            }
        } catch {
            reading.failure = error
        }
        let count = reading.received.count
        server.respond(reading.exchange, status: 200, type: .text) { $0.append(decimal: count) }
    }

    func letRead(_ name: String) {
        let reading = readings[name]!
        reading.mayRead = true
        reading.gate?.resume()
        reading.gate = nil
    }
}
