// Request bodies that go out as they arrive: framing, back-pressure, and what becomes of a request whose body ends
// early, comes slowly, or is not wanted.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPClientBodyStreamTests {
    private static let piece = Array("0123456789".utf8)

    private static func request(
        _ source: RequestBody, length: Int?, _ endpoints: HTTPClientEndpoint...,
        timeouts: HTTPClientTimeouts = HTTPClientTimeouts()
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(.put, "/", endpoints: endpoints, timeouts: timeouts)
        request.stream = HTTPClientBodyStream(source: source, length: length)
        return request
    }

    /// Sends and says how it ended.
    private static func send(
        _ request: HTTPClientRequest, _ reactor: Reactor, _ client: HTTPClient
    ) -> Task<Result<Int, HTTPClientFailure>, Never> {
        Task(executorPreference: reactor.executor) {
            do throws(HTTPClientFailure) {
                let response = try await client.send(request)
                _ = try await response.collect(bytesMax: 1 << 20)
                return .success(response.status)
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func `a body of known length goes out as it comes, and its connection is kept`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(answer("ok"))] }
            let client = HTTPClient(reactor: reactor)
            for number in 1...3 {
                let source = RequestBody()
                let task = Self.send(Self.request(source, length: 30, upstream.endpoint), reactor, client)
                for _ in 0..<2 {
                    source.append(Self.piece.span.bytes)
                    try await reactor.until("it is taken") { source.waitingBytes == 0 }
                    #expect(upstream.requests.count == number - 1)
                }
                // The last piece comes with the end, as a server's does.
                source.append(Self.piece.span.bytes)
                source.finish()
                #expect(await task.value == .success(200))
                #expect(upstream.requests.count == number)
                #expect(
                    upstream.requests[number - 1].hasSuffix("Content-Length: 30\r\n\r\n012345678901234567890123456789"))
            }
            #expect(upstream.acceptCount == 1 && client.counts.reuses == 2)
            client.close()
        }
    }

    @Test func `a body of unknown length goes out in chunks`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            // The fake one takes a head and a body in chunks for two requests.
            upstream.answer = { request, _ in request.hasPrefix("PUT") ? [] : [.send(answer("ok"))] }
            let client = HTTPClient(reactor: reactor)
            let source = RequestBody()
            let task = Self.send(Self.request(source, length: nil, upstream.endpoint), reactor, client)
            for _ in 0..<2 {
                source.append(Self.piece.span.bytes)
                try await reactor.until("it is taken") { source.waitingBytes == 0 }
            }
            source.finish()
            #expect(await task.value == .success(200))
            #expect(upstream.requests[0].hasSuffix("Transfer-Encoding: chunked\r\n\r\n"))
            #expect(upstream.requests[1] == "0000000a\r\n0123456789\r\n0000000a\r\n0123456789\r\n0\r\n\r\n")
            #expect(client.connectionCount(of: upstream.endpoint) == (1, 1))
            client.close()
        }
    }

    @Test func `the source is read no faster than the upstream takes it`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(answer("ok"))] }
            upstream.isReading = false
            let client = HTTPClient(reactor: reactor)
            let source = RequestBody()
            let total = 32 << 20
            let task = Self.send(Self.request(source, length: total, upstream.endpoint), reactor, client)
            let piece = [UInt8](repeating: UInt8(ascii: "y"), count: 256 * 1024)
            var given = 0
            // Gives as a server does: while no more than one piece waits.
            func give() {
                while source.waitingBytes == 0, given < total { source.append(piece.span.bytes); given += piece.count }
            }
            var before = -1
            try await reactor.until("the source is stopped") {
                give()
                defer { before = given }
                return upstream.acceptCount == 1 && given > 0 && given == before
            }
            #expect(given < 20 << 20, "the kernel's buffers and a bounded rest")
            upstream.readAgain()
            try await reactor.until("all of it is taken", deadline: .seconds(60)) {
                give()
                return given == total && source.waitingBytes == 0
            }
            source.finish()
            #expect(await task.value == .success(200))
            #expect(upstream.requests.map(\.utf8.count)[0] > total)
            client.close()
        }
    }

    @Test func `a source that ends early takes the request and its connection with it`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            let client = HTTPClient(reactor: reactor)
            for failure in [RequestBody.Failure.connectionClosed, .timedOut, .tooLarge] {
                let source = RequestBody()
                let task = Self.send(Self.request(source, length: 30, upstream.endpoint), reactor, client)
                source.append(Self.piece.span.bytes)
                try await reactor.until("it is under way") { source.waitingBytes == 0 }
                source.fail(failure)
                #expect(await task.value == .failure(.cancelled))
                try await reactor.until("the upstream sees it") { upstream.openCount == 0 }
            }
            #expect(upstream.requests.isEmpty)
            client.close()
        }
    }

    @Test func `an answer before the body's end is the answer, and its connection is of no more use`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(answer("no", status: "403 Forbidden"))] }
            let client = HTTPClient(reactor: reactor)
            let source = RequestBody()
            // In chunks: the fake one takes the head for a whole request.
            let task = Self.send(Self.request(source, length: nil, upstream.endpoint), reactor, client)
            #expect(await task.value == .success(403))
            #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
            // What comes late finds nobody.
            source.append(Self.piece.span.bytes)
            source.finish()
            try await reactor.until("the upstream sees it") { upstream.openCount == 0 }
        }
    }

    @Test func `while its source is the slow one, the upstream's clock stands still`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { request, _ in request.hasSuffix("0123456789") ? [.send(answer("ok"))] : [] }
            let client = HTTPClient(reactor: reactor)
            let quick = HTTPClientTimeouts(firstByte: .milliseconds(60))
            let source = RequestBody()
            let task = Self.send(Self.request(source, length: 10, upstream.endpoint, timeouts: quick), reactor, client)
            try await reactor.until("it is under way") { upstream.acceptCount == 1 }
            // Others of the same patience give up meanwhile.
            for _ in 0..<3 {
                #expect(await client.failure(upstream.endpoint, timeouts: quick) == .timedOut(.firstByte))
            }
            source.append(Self.piece.span.bytes)
            source.finish()
            #expect(await task.value == .success(200))
            // And once all has been sent, it is the upstream's turn.
            upstream.answer = { _, _ in [] }
            let silent = RequestBody()
            let next = Self.send(Self.request(silent, length: 10, upstream.endpoint, timeouts: quick), reactor, client)
            silent.append(Self.piece.span.bytes)
            silent.finish()
            #expect(await next.value == .failure(.timedOut(.firstByte)))
            client.close()
        }
    }

    @Test func `a refused connection leaves the body for the next address`() async throws {
        let closed = UInt16(try FreePort.next())
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(answer("ok"))] }
            let client = HTTPClient(reactor: reactor)
            var refused = 0
            while refused == 0 {
                client.pool(of: HTTPClientEndpoint(host: "127.0.0.1", port: closed)).addresses.first?.restsUntil =
                    reactor.now
                let source = RequestBody()
                source.append(Self.piece.span.bytes)
                source.finish()
                let request = Self.request(
                    source, length: 10, HTTPClientEndpoint(host: "127.0.0.1", port: closed), upstream.endpoint)
                #expect(await Self.send(request, reactor, client).value == .success(200))
                refused = client.counts.connectsFailed
            }
            #expect(upstream.requests.allSatisfy { $0.hasSuffix("0123456789") })
            client.close()
        }
    }

    @Test func `a body that was begun is not sent again`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, earlier in earlier == 0 ? [.send(answer("ok"))] : [.close] }
            let client = HTTPClient(reactor: reactor)
            #expect(try await client.get("/", upstream.endpoint).body == "ok")
            let source = RequestBody()
            source.append(Self.piece.span.bytes)
            source.finish()
            // A kept connection that closes: what would be repeated with its body at hand.
            let task = Self.send(Self.request(source, length: 10, upstream.endpoint), reactor, client)
            #expect(await task.value == .failure(.resetBeforeResponse))
            #expect(client.counts.repeats == 0 && upstream.requests.count == 2)
            client.close()
        }
    }
}
