// Much data over TLS, and ends before the end: what is held meanwhile is bounded, and a cut is seen as one.

import CReactor
import TestSupport
import Testing

@testable import Reactor

@Suite struct TLSFlowTests {
    private let bulk = 20 << 20

    private func start(_ request: String) throws -> (TestServer, TLSVisitOptions) {
        let server = try TestServer(tls: CurrentTLSContext(try TLSServerTests.context()))
        var options = TLSVisitOptions(
            port: server.port, ca: try TestCertificates.shared.authority.certificate, request: request)
        options.receive_buffer = 16 * 1024
        return (server, options)
    }

    @Test func `a client that does not read has no more than the bound sealed for it`() throws {
        let (server, options) = try start("GET /big/\(bulk) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let visitor = try TLSVisitor(options)
        var before = (unsent: -1, sealed: 0)
        try eventually("the kernel's buffers are full", deadlineSeconds: 30) {
            let now = server.onReactor { server in
                server.connections.firstLive().map { index in
                    let connection = server.connections.at(index)
                    return (connection.pointee.stream.unsentBytes, connection.pointee.stream.sealedBytes)
                } ?? (0, 0)
            }
            defer { before = now }
            return now.0 > 0 && now == before
        }
        #expect(before.unsent > bulk / 2)
        // A record of 16 KiB has some 22 bytes more.
        #expect(before.sealed > 0 && before.sealed <= TLSLink.sealedBytesMax + 1024)
        let visit = try visitor.read()
        #expect(visit.error == "" && visit.end == "goodbye" && visit.length > bulk)
        server.stop()
    }

    @Test func `an answer in pieces goes out at the client's pace`() throws {
        let (server, options) = try start("GET /events/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let visitor = try TLSVisitor(options)
        try server.eventually("it asks") { !$0.handled.isEmpty }
        let (piece, bulk) = ([UInt8](repeating: 0x61, count: 64 * 1024), bulk)
        server.onReactor { [handler = server.handler] server in
            server.beginResponse(handler.held["a"]!, status: 200, type: .text, length: bulk)
        }
        var written = 0
        var most = 0
        /// Writes as a relay does: no further than the server lets it.
        func writeOn() {
            let waiting = server.onReactor { [handler = server.handler] server in
                var waiting = server.writeBody(handler.held["a"]!, RawSpan()) ?? 0
                while waiting < server.limits.streamBytesMax, written < bulk {
                    waiting = server.writeBody(handler.held["a"]!, piece.span.bytes) ?? 0
                    written += piece.count
                }
                return waiting
            }
            most = max(most, waiting)
        }
        var before = -1
        try eventually("the client's buffers are full", deadlineSeconds: 30) {
            writeOn()
            defer { before = written }
            return before == written
        }
        #expect(written < bulk)
        try visitor.letRead()
        try eventually("all is written", deadlineSeconds: 60) {
            writeOn()
            return written == bulk
        }
        server.onReactor { [handler = server.handler] server in server.endResponse(handler.held["a"]!) }
        let visit = try visitor.read()
        #expect(visit.error == "" && visit.end == "goodbye" && visit.length > bulk)
        #expect(most <= server.onReactor { $0.limits.streamBytesMax } + piece.count + 2 * 1024)
        server.stop()
    }

    @Test(arguments: [false, true])
    func `an answer that is cut ends without a goodbye`(_ isCut: Bool) throws {
        let (server, options) = try start("GET /events/a HTTP/1.0\r\n\r\n")
        let visitor = try TLSVisitor(options)
        try server.eventually("it asks") { !$0.handled.isEmpty }
        server.onReactor { [handler = server.handler] server in
            let exchange = handler.held["a"]!
            server.beginResponse(exchange, status: 200, type: .text)
            _ = server.writeBody(exchange, Array("half".utf8).span.bytes)
        }
        try eventually("it is out") {
            server.onReactor { server in
                server.connections.firstLive().map { server.connections.at($0).pointee.stream.unsentBytes } == 0
            }
        }
        server.onReactor { [handler = server.handler] server in
            if isCut { server.failResponse(handler.held["a"]!) } else { server.endResponse(handler.held["a"]!) }
        }
        let visit = try visitor.read()
        #expect(visit.text.hasSuffix("\r\n\r\nhalf") && visit.error == "")
        #expect(visit.end == (isCut ? "cut" : "goodbye"))
        server.stop()
    }

    /// A server that keeps account.
    private final class Side: StreamOwner {
        var failures: [SystemError] = []
        var received: [UInt8] = []
        var endCount = 0
        /// Set where a line comes before TLS.
        var link: TLSLink?
        var preface = ""
        func connected(tag: UInt32) {}
        func received(_ bytes: RawSpan, tag: UInt32) {
            guard let link, preface.isEmpty else {
                received += bytes.array
                return
            }
            let end = (0..<bytes.byteCount).first { bytes.byte(at: $0) == UInt8(ascii: "\n") }! + 1
            preface = bytes.extracting(first: end).string
            link.begin(with: bytes.extracting(end..<bytes.byteCount))
        }
        func receiveEnded(tag: UInt32) { endCount += 1 }
        func sent(_ count: Int, tag: UInt32) {}
        func failed(_ error: SystemError, tag: UInt32) { failures.append(error) }
    }

    @Test func `a peer for whom more records wait than may is cut off`() async throws {
        let context = try TLSServerTests.context()
        let visitor = try await onReactor { reactor in
            let side = Side()
            let listener = Accepting { descriptor in
                let link = TLSLink(.server(context), owner: side, tag: 0, reactor: reactor, outputBytesMax: 100)!
                link.begin(reactor.poller.addStream(descriptor, connecting: false, owner: link, tag: 0)!)
            }
            let port = try listener.listen(reactor)
            // The server's first flight alone is longer.
            let visitor = try await offReactor { try TLSVisitor(TLSVisitOptions(port: Int(port))) }
            try await reactor.until("it is cut off") { !side.failures.isEmpty }
            #expect(side.failures == [.outputFull])
            return visitor
        }
        let visit = try visitor.read()
        #expect(visit.error != "" || visit.end == "cut")
    }

    @Test func `what comes before TLS is read as it is`() async throws {
        let context = try TLSServerTests.context()
        let visitor = try await onReactor { reactor in
            let side = Side()
            let listener = Accepting { descriptor in
                let link = TLSLink(.server(context), owner: side, tag: 0, reactor: reactor)!
                link.expectPreface()
                link.begin(reactor.poller.addStream(descriptor, connecting: false, owner: link, tag: 0)!)
                side.link = link
            }
            let port = try listener.listen(reactor)
            var options = TLSVisitOptions(port: Int(port), request: "inside")
            options.preface = "before\n"
            let asked = options
            let visitor = try await offReactor { try TLSVisitor(asked) }
            try await reactor.until("it is read") { side.received == Array("inside".utf8) }
            #expect(side.preface == "before\n" && side.failures.isEmpty)
            side.link = nil
            return visitor
        }
        #expect(try visitor.read().end == "cut")
    }

    @Test func `a connection that is idle holds neither buffers nor records`() throws {
        let (server, options) = try start("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        let visitor = try TLSVisitor(options)
        try server.eventually("it is answered") { $0.answered.count == 1 }
        try eventually("all is sent") {
            server.onReactor { server in
                let stream = server.connections.firstLive().map { server.connections.at($0).pointee.stream.unsentBytes }
                return stream == 0 && server.reactor.buffers.lentCount == 0
            }
        }
        server.onReactor { $0.close() }
        let visit = try visitor.read()
        #expect(visit.status == 200 && visit.end == "goodbye" && visit.error == "")
        server.stop()
    }
}

/// A listener of the test's reactor that hands on what it accepts.
private final class Accepting: ListenerOwner {
    private let taken: (consuming Descriptor) -> Void

    init(_ taken: @escaping (consuming Descriptor) -> Void) { self.taken = taken }

    func listen(_ reactor: Reactor) throws -> UInt16 {
        let descriptor = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        let port = descriptor.boundPort
        _ = reactor.poller.addListener(descriptor, owner: self, tag: 0)
        return port
    }

    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) { taken(descriptor) }
    func acceptFailed(_ error: SystemError, tag: UInt32) {}
}
