// The client against upstreams that fail: every failure has its class, costs its own request and nothing else.

import TestSupport
import Testing

@testable import Reactor

@Suite struct HTTPClientFaultTests {
    private static let quick = HTTPClientTimeouts(
        connect: .milliseconds(300), firstByte: .milliseconds(60), idle: .milliseconds(60), total: .milliseconds(400))

    @Test func `a refused connection is told as one, nothing having been sent`() async throws {
        let port = UInt16(try FreePort.next())
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor)
            let failure = await client.failure(HTTPClientEndpoint(host: "127.0.0.1", port: port))
            #expect(failure == .connectFailed("127.0.0.1: Connection refused") && failure?.isUnsent == true)
        }
    }

    @Test func `an unknown name cannot be connected to`() async throws {
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor)
            let failure = await client.failure(
                HTTPClientEndpoint(host: "no-such-host.invalid", port: 1),
                timeouts: HTTPClientTimeouts(connect: .seconds(30)))
            guard case .connectFailed? = failure else { throw NeverCameTrue(description: "\(failure as Any)") }
        }
    }

    @Test func `TLS and what is no request are not supported`() async throws {
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor)
            func isUnsupported(_ request: HTTPClientRequest) async -> Bool {
                do throws(HTTPClientFailure) {
                    _ = try await client.send(request)
                    return false
                } catch {
                    if case .unsupported = error { return true }
                    return false
                }
            }
            let plain = HTTPClientEndpoint(host: "127.0.0.1", port: 1)
            let secure = HTTPClientEndpoint(isSecure: true, host: "127.0.0.1", port: 1)
            #expect(await isUnsupported(HTTPClientRequest(.get, "/", endpoints: [secure])))
            #expect(await isUnsupported(HTTPClientRequest(.get, "/", endpoints: [])))
            #expect(await isUnsupported(HTTPClientRequest(.connect, "/", endpoints: [plain])))
            for target in ["", "x", "/a b", "/a\r\nX: y", "/é"] {
                #expect(await isUnsupported(HTTPClientRequest(.get, target, endpoints: [plain])), "\(target)")
            }
        }
    }

    @Test func `an upstream that says nothing, stops, or never ends is given up in time`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            let client = HTTPClient(reactor: reactor)
            #expect(await client.failure(upstream.endpoint, timeouts: Self.quick) == .timedOut(.firstByte))
            upstream.answer = { _, _ in [.send(Array("HTTP/1.1 200 O".utf8))] }
            #expect(await client.failure(upstream.endpoint, timeouts: Self.quick) == .timedOut(.firstByte))
            upstream.answer = { _, _ in [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".utf8))] }
            #expect(await client.failure(upstream.endpoint, timeouts: Self.quick) == .timedOut(.idle))
            // A byte every turn and more: never idle, never done.
            upstream.answer = { _, _ in
                [.send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))] + (0..<5_000_000).map { _ in .send([120]) }
            }
            #expect(await client.failure(upstream.endpoint, timeouts: Self.quick) == .timedOut(.total))
            try await reactor.until("none of their connections is left") { upstream.openCount == 0 }
            #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
        }
    }

    @Test func `an upstream that does not accept is given up in time`() async throws {
        // A full backlog: the kernel answers no further connection.
        try await onReactor { reactor in
            let listener = try Descriptor.listen(host: "127.0.0.1", port: 0, backlog: 0, sharedPort: false)
            let port = listener.boundPort
            let taken = try (0..<4).map { _ in try Descriptor.connect(host: "127.0.0.1", port: port).release() }
            let client = HTTPClient(reactor: reactor)
            let endpoint = HTTPClientEndpoint(host: "127.0.0.1", port: port)
            try await reactor.until("the backlog is full") { true }
            #expect(await client.failure(endpoint, timeouts: Self.quick) == .timedOut(.connect))
            #expect(client.connectionCount(of: endpoint) == (0, 0))
            for number in taken { _ = Descriptor(number) }
        }
    }

    @Test(arguments: [true, false])
    func `a connection lost at any byte of the answer is told as that`(_ isReset: Bool) async throws {
        try await onReactor { reactor in
            let bytes = answer("hello")
            let upstream = try FakeUpstream(reactor)
            let client = HTTPClient(reactor: reactor)
            for count in 0..<bytes.count {
                let start: [FakeUpstream.Step] = count == 0 ? [] : [.send(Array(bytes[..<count]))]
                upstream.answer = { _, _ in start + [isReset ? .reset : .close] }
                let failure = await client.failure(upstream.endpoint, method: .post)
                let expected: [HTTPClientFailure] =
                    count == 0
                    ? [.resetBeforeResponse]
                    // A reset may overtake the bytes before it.
                    : isReset ? [.resetDuringResponse, .resetBeforeResponse] : [.resetDuringResponse]
                #expect(failure.map(expected.contains) == true, "after \(count) bytes: \(failure as Any)")
            }
            #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
        }
    }

    @Test func `garbage is a violation of the protocol`() async throws {
        try await onReactor { reactor in
            let client = HTTPClient(reactor: reactor)
            for text in [
                "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size",
            ] {
                let upstream = try FakeUpstream(reactor, always: text)
                guard case .protocolViolation? = await client.failure(upstream.endpoint) else {
                    throw NeverCameTrue(description: "a violation for \(text)")
                }
                #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
                upstream.close()
            }
        }
    }

    @Test func `a kept connection that turns out to be closed costs a repeat, and a POST only where it says so`()
        async throws
    {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            // Takes a second request of a connection and closes, as if it had been about to.
            upstream.answer = { _, earlier in earlier == 0 ? [.send(answer("ok"))] : [.close] }
            let client = HTTPClient(reactor: reactor)
            #expect(try await client.get("/", upstream.endpoint).body == "ok")
            #expect(try await client.get("/", upstream.endpoint).body == "ok")
            #expect(client.counts.repeats == 1 && upstream.acceptCount == 2)
            #expect(await client.failure(upstream.endpoint, method: .post) == .resetBeforeResponse)
            _ = try await client.get("/", upstream.endpoint)
            var request = HTTPClientRequest(.post, "/", endpoints: [upstream.endpoint])
            request.isRepeatable = true
            #expect(try await client.send(request).status == 200)
            #expect(client.counts.repeats == 2)
            client.close()
        }
    }

    @Test func `a repeat is made once, and a fresh connection's loss is not repeated`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            var isDown = false
            upstream.answer = { _, _ in isDown ? [.close] : [.send(answer("ok"))] }
            let client = HTTPClient(reactor: reactor)
            _ = try await client.get("/", upstream.endpoint)
            isDown = true
            #expect(await client.failure(upstream.endpoint) == .resetBeforeResponse)
            #expect(upstream.requests.count == 3 && client.counts.repeats == 1)
            #expect(await client.failure(upstream.endpoint) == .resetBeforeResponse)
            #expect(upstream.requests.count == 4)
        }
    }

    @Test func `what an idle connection does is noticed before it is used`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let client = HTTPClient(reactor: reactor)
            _ = try await client.get("/", upstream.endpoint)
            upstream.dropAll()
            // At once: before the poller has told.
            #expect(await client.failure(upstream.endpoint, method: .post) == nil)
            upstream.sendToAll("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            try await reactor.until("bytes nobody asked for close it") {
                client.connectionCount(of: upstream.endpoint) == (0, 0)
            }
            #expect(try await client.get("/", upstream.endpoint).body == "ok")
            #expect(client.counts.repeats == 0)
            client.close()
        }
    }

    @Test func `of two addresses the dead one costs nobody a request, and rests`() async throws {
        let dead = HTTPClientEndpoint(host: "127.0.0.2", port: UInt16(try FreePort.next()))
        try await onReactor { reactor in
            let upstream = try FakeUpstream(
                reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            let client = HTTPClient(reactor: reactor)
            for _ in 0..<50 { #expect(try await client.get("/", dead, upstream.endpoint).body == "ok") }
            #expect(client.counts.connectsFailed <= 1)
        }
    }

    @Test func `the lighter of two addresses is chosen, a resting one only where there is no other`() throws {
        var random = RandomSource()
        let reactor = try Reactor(testDescriptorsMax: 16)
        let client = HTTPClient(reactor: reactor)
        let pool = client.pool(of: HTTPClientEndpoint(host: "127.0.0.1", port: 1))
        let addresses = (0..<3).map { HTTPClientAddress("a\($0)", pool: pool) }
        let now = Instant(nanoseconds: 1000)
        var chosen: [String: Int] = [:]
        for load in 0..<3 { addresses[load].load = load }
        for _ in 0..<3000 {
            let address = try #require(HTTPClientAddress.choose(addresses, now: now, using: &random))
            chosen[address.text, default: 0] += 1
        }
        // Of three pairs the lightest wins two, the heaviest none.
        #expect(chosen["a2"] == nil && abs(chosen["a0", default: 0] - 2000) < 200)
        addresses[0].restsUntil = now + .seconds(1)
        for _ in 0..<100 {
            #expect(HTTPClientAddress.choose(addresses, now: now, using: &random)?.text == "a1")
        }
        addresses[1].restsUntil = now + .seconds(3)
        addresses[2].restsUntil = now + .seconds(2)
        #expect(HTTPClientAddress.choose(addresses, now: now, using: &random)?.text == "a0")
        #expect(HTTPClientAddress.choose([], now: now, using: &random) == nil)
    }

    @Test func `a body longer than wanted is cut off with its connection`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            let client = HTTPClient(reactor: reactor)
            for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
                upstream.answer = { _, _ in
                    let size = head.hasPrefix("T") ? "F4240\r\n" : ""
                    return [.send(Array("HTTP/1.1 200 OK\r\n\(head)\r\n\r\n\(size)".utf8)), .fill(1_000_000)]
                }
                let response = try await client.send(HTTPClientRequest(.get, "/", endpoints: [upstream.endpoint]))
                await #expect(throws: HTTPClientFailure.tooLarge(bytesMax: 999_999)) {
                    try await response.collect(bytesMax: 999_999)
                }
                #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
            }
        }
    }

    @Test func `a dropped response and a cancelled task close their connections`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(Array("HTTP/1.1 200 OK\r\n\r\nhalf".utf8))] }
            let client = HTTPClient(reactor: reactor)
            let endpoint = upstream.endpoint
            _ = try await client.send(HTTPClientRequest(.get, "/", endpoints: [endpoint]))
            try await reactor.until("the dropped one's is closed") { upstream.openCount == 0 }

            let reading = Task(executorPreference: reactor.executor) { await client.failure(endpoint) }
            try await reactor.until("it reads") { upstream.openCount == 1 && upstream.requests.count == 2 }
            reading.cancel()
            #expect(await reading.value == .cancelled)
            try await reactor.until("the reader's is closed") { upstream.openCount == 0 }

            upstream.answer = { _, _ in [] }
            let asking = Task(executorPreference: reactor.executor) { await client.failure(endpoint) }
            try await reactor.until("it asks") { upstream.requests.count == 3 }
            asking.cancel()
            #expect(await asking.value == .cancelled)
            try await reactor.until("the asker's is closed") { upstream.openCount == 0 }
            #expect(client.connectionCount(of: endpoint) == (0, 0))
        }
    }

    @Test func `closing the client fails what is on its way, and later requests`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            var limits = HTTPClientLimits()
            limits.connectionsMax = 1
            let client = HTTPClient(reactor: reactor, limits: limits)
            let endpoint = upstream.endpoint
            let tasks = (0..<2).map { _ in
                Task(executorPreference: reactor.executor) { await client.failure(endpoint) }
            }
            try await reactor.until("one asks, one waits") {
                upstream.requests.count == 1 && client.waitingCount(of: endpoint) == 1
            }
            client.close()
            for task in tasks { #expect(await task.value == .cancelled) }
            #expect(await client.failure(endpoint) == .cancelled)
            try await reactor.until("the upstream sees it") { upstream.openCount == 0 }
        }
    }
}
