// The client against an upstream that answers properly: requests, connections kept and shared, bodies that stream.

import Testing

@testable import Reactor

@Suite struct HTTPClientTests {
    @Test func `a request goes out as it was given and its answer comes back`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in [.send(answer("{}", status: "201 Created", headers: "X-Id: 7\r\n"))] }
            let client = HTTPClient(reactor: reactor)
            var request = HTTPClientRequest(
                .post, "/a%2Fb?c=d&&e", endpoints: [upstream.endpoint], body: Array("body".utf8))
            request.addHeader("X-A", "b\r\nX-Evil: c")
            request.addHeader("host", "elsewhere")
            request.addHeader("Content-Length", "99")
            let response = try await client.send(request)
            #expect(response.status == 201 && response.header("x-id") == "7" && response.contentLength == 2)
            #expect(try await response.collect(bytesMax: 2) == Array("{}".utf8))
            #expect(
                upstream.requests == [
                    "POST /a%2Fb?c=d&&e HTTP/1.1\r\nHost: 127.0.0.1:\(upstream.port)\r\nX-A: b  X-Evil: c\r\n"
                        + "Content-Length: 4\r\n\r\nbody"
                ])
            client.close()
        }
    }

    @Test func `a connection carries one request after the other`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, earlier in [.send(answer("\(earlier)"))] }
            let client = HTTPClient(reactor: reactor)
            for number in 0..<20 { #expect(try await client.get("/", upstream.endpoint).body == "\(number)") }
            #expect(upstream.acceptCount == 1)
            #expect(client.counts.reuses == 19 && client.counts.connectionsOpened == 1)
            #expect(client.connectionCount(of: upstream.endpoint) == (1, 1))
            client.close()
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok more than announced",
    ])
    func `a connection that may not be used again is closed`(_ text: String) async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor, always: text)
            let client = HTTPClient(reactor: reactor)
            for _ in 0..<3 { #expect(try await client.get("/", upstream.endpoint) == (200, "ok")) }
            #expect(upstream.acceptCount == 3 && client.counts.reuses == 0)
            #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
        }
    }

    @Test func `the connection used last is used next`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, earlier in [.send(answer("\(earlier)"))] }
            let client = HTTPClient(reactor: reactor)
            let endpoint = upstream.endpoint
            let tasks = (0..<2).map { _ in Task(executorPreference: reactor.executor) { await client.failure(endpoint) }
            }
            for task in tasks { #expect(await task.value == nil) }
            #expect(upstream.acceptCount == 2)
            for number in 1...5 { #expect(try await client.get("/", upstream.endpoint).body == "\(number)") }
            #expect(upstream.acceptCount == 2)
            client.close()
        }
    }

    @Test func `a kept connection expires`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            var limits = HTTPClientLimits()
            limits.keptTimeout = .milliseconds(30)
            let client = HTTPClient(reactor: reactor, limits: limits)
            _ = try await client.get("/", upstream.endpoint)
            try await reactor.until("the connection expires") { client.counts.expirations == 1 }
            #expect(client.connectionCount(of: upstream.endpoint) == (0, 0))
            try await reactor.until("the upstream sees it close") { upstream.openCount == 0 }
        }
    }

    @Test
    func `connections to an endpoint are bounded, requests beyond them wait, and those beyond the queue are refused`()
        async throws
    {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            var limits = HTTPClientLimits()
            limits.connectionsMax = 2
            limits.waitersMax = 3
            let client = HTTPClient(reactor: reactor, limits: limits)
            let endpoint = upstream.endpoint
            let tasks = (0..<5).map { _ in
                Task(executorPreference: reactor.executor) { await client.failure(endpoint) }
            }
            try await reactor.until("three wait") {
                client.waitingCount(of: endpoint) == 3 && upstream.requests.count == 2
            }
            #expect(await client.failure(endpoint) == .overloaded)
            #expect(upstream.acceptCount == 2)
            tasks[4].cancel()
            try await reactor.until("one that is cancelled waits no more") { client.waitingCount(of: endpoint) == 2 }
            upstream.answer = { _, _ in [.send(answer("late"))] }
            upstream.sendToAll("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            for task in tasks[..<4] { #expect(await task.value == nil) }
            #expect(await tasks[4].value == .cancelled)
            #expect(upstream.acceptCount == 2 && client.connectionCount(of: endpoint) == (2, 2))
            client.close()
        }
    }

    @Test func `a long body streams with bounded memory, at the reader's pace`() async throws {
        try await onReactor { reactor in
            let total = 20 << 20
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { _, _ in
                [.send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n".utf8)), .fill(total)]
            }
            let client = HTTPClient(reactor: reactor)
            let response = try await client.send(HTTPClientRequest(.get, "/", endpoints: [upstream.endpoint]))
            // Nobody reads: the upstream cannot go on. What lies between are the kernel's buffers.
            var before = -1
            try await reactor.until("the upstream is stopped") {
                defer { before = upstream.filledBytes }
                return upstream.filledBytes == before
            }
            #expect(upstream.filledBytes < total)
            var piece = ByteBuffer()
            var (received, longest) = (0, 0)
            while try await response.read(into: &piece) {
                received += piece.count
                longest = max(longest, piece.count)
                piece.clear()
            }
            #expect(received == total)
            #expect(longest <= client.limits.waitingBytesMax + 64 * 1024)
            #expect(client.connectionCount(of: upstream.endpoint) == (1, 1))
            client.close()
        }
    }

    @Test func `a request body of megabytes goes out as the upstream takes it`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor)
            upstream.answer = { request, _ in [.send(answer("\(request.utf8.count)"))] }
            let client = HTTPClient(reactor: reactor)
            let body = [UInt8](repeating: UInt8(ascii: "y"), count: 3 << 20)
            let response = try await client.send(
                HTTPClientRequest(.put, "/", endpoints: [upstream.endpoint], body: body))
            let text = String(decoding: try await response.collect(bytesMax: 100), as: UTF8.self)
            #expect(try #require(Int(text)) > body.count)
            client.close()
        }
    }

    @Test func `chunked and close-delimited bodies arrive, split anywhere`() async throws {
        try await onReactor { reactor in
            let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
            let client = HTTPClient(reactor: reactor)
            for (text, ends) in [(chunked, false), ("HTTP/1.1 200 OK\r\n\r\nhello", true)] {
                let bytes = Array(text.utf8)
                let upstream = try FakeUpstream(reactor)
                for split in 1..<bytes.count {
                    upstream.answer = { _, _ in
                        [.send(Array(bytes[..<split])), .send(Array(bytes[split...]))] + (ends ? [.close] : [])
                    }
                    #expect(try await client.get("/", upstream.endpoint) == (200, "hello"), "split at \(split)")
                }
                #expect(upstream.acceptCount == (ends ? bytes.count - 1 : 1))
                upstream.close()
            }
            client.close()
        }
    }

    @Test func `a HEAD's answer has no body and keeps the connection`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
            let client = HTTPClient(reactor: reactor)
            for _ in 0..<2 {
                let response = try await client.send(HTTPClientRequest(.head, "/", endpoints: [upstream.endpoint]))
                #expect(response.header("content-length") == "500")
                #expect(try await response.collect(bytesMax: 0) == [])
            }
            #expect(upstream.acceptCount == 1)
            client.close()
        }
    }

    @Test func `names are resolved, and the address that answers is found`() async throws {
        try await onReactor { reactor in
            // `localhost` may mean ::1 first, where nobody listens.
            let upstream = try FakeUpstream(reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let client = HTTPClient(reactor: reactor)
            let endpoint = HTTPClientEndpoint(host: "localhost", port: upstream.port)
            for _ in 0..<5 { #expect(try await client.get("/", endpoint).body == "ok") }
            #expect(upstream.requests[0].contains("\r\nHost: localhost:\(upstream.port)\r\n"))
            #expect(upstream.acceptCount == 1)
            client.close()
        }
    }

    @Test func `a name is asked for again when its addresses are old`() async throws {
        try await onReactor { reactor in
            let upstream = try FakeUpstream(reactor, always: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            var limits = HTTPClientLimits()
            limits.resolveInterval = .milliseconds(20)
            limits.resolveIntervalMin = .milliseconds(20)
            let client = HTTPClient(reactor: reactor, limits: limits)
            let endpoint = HTTPClientEndpoint(host: "localhost", port: upstream.port)
            _ = try await client.get("/", endpoint)
            let pool = client.pool(of: endpoint)
            let first = pool.addresses
            try await reactor.until("it is being asked for again") {
                pool.resolveIfNeeded()
                return pool.isResolving
            }
            try await reactor.until("it has been answered") { !pool.isResolving }
            // What stays keeps its connections.
            #expect(pool.addresses.count == first.count && zip(pool.addresses, first).allSatisfy { $0 === $1 })
            #expect(try await client.get("/", endpoint).body == "ok")
            #expect(upstream.acceptCount == 1)
            client.close()
        }
    }
}
