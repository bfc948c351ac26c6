// Request bodies on their way to an upstream: streamed with back-pressure, bounded, and sent once.
// api.md section 3, "Upstream", over real sockets.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct UploadTests {
    private static let route = "/v1/predictions/batch"

    /// A body whose every part is told from the others.
    private static func body(_ bytes: Int) -> String {
        var text = ""
        text.reserveCapacity(bytes + 16)
        var number = 0
        while text.utf8.count < bytes {
            text += "\(number),"
            number += 1
        }
        return String(decoding: Array(text.utf8.prefix(bytes)), as: UTF8.self)
    }

    private static func chunked(_ body: String, chunkBytes: Int) -> [UInt8] {
        var rest = Array(body.utf8)[...]
        var out: [UInt8] = []
        while !rest.isEmpty {
            let piece = rest.prefix(chunkBytes)
            out += Array("\(String(piece.count, radix: 16));x=y\r\n".utf8)
            out += piece
            out += [13, 10]
            rest = rest.dropFirst(chunkBytes)
        }
        return out + Array("0\r\nX-Trailer: 1\r\n\r\n".utf8)
    }

    @Test func `large uploads flow at the upstream's pace and are not gathered in memory`() throws {
        let count = 24
        let body = Self.body(8 << 20)
        let gate = TestGate()
        let parser = try TestUpstream(bodies: gate) { PublicFixture.echo($0) }
        let fixture = try PublicFixture(["GATEWAY_REACTORS": "1"], parser: parser)
        _ = try fixture.get("/v1/search/owner?q=warm")
        let before = try MetricsPage(fixture.gateway).value("process_resident_memory_bytes")
        let clients = try (0..<count).map { _ in try DeafClient(port: fixture.gateway.port) }
        let head = RawHTTP.request(
            "POST", Self.route, headers: [("Content-Length", "\(body.utf8.count)")])
        var taken = 0
        for client in clients {
            _ = client.sendUntilStuck(head, bytesMax: head.count)
            // The upstream reads nothing: what is under way stays in kernel buffers and a bounded rest.
            taken += client.sendUntilStuck(Array(body.utf8), bytesMax: body.utf8.count, quietMs: 200)
        }
        try eventually("each has reached the upstream") { parser.headCount == count + 1 }
        let grown = try MetricsPage(fixture.gateway).value("process_resident_memory_bytes") - before
        // 192 MiB are on their way; of each 256 KiB may be here, and once more on their way out.
        let grownMax = (2 * count + 8) << 20
        #expect(Sanitizer.isWatching || Int(grown) < grownMax, "grown by \(grown), \(taken) bytes taken")
        #expect(parser.requestCount == 1)
        gate.open()
    }

    @Test(arguments: [false, true])
    func `a body arrives as it was sent, with its length or in chunks`(isChunked: Bool) throws {
        let fixture = try PublicFixture()
        let client = try RawHTTP(port: fixture.gateway.port, timeoutSeconds: 30)
        for bytes in [1000, 64 << 10, 70_000, 3 << 20, 10 << 20] {
            let body = Self.body(bytes)
            let framing = isChunked ? ("Transfer-Encoding", "chunked") : ("Content-Length", "\(bytes)")
            try client.send(RawHTTP.request("POST", Self.route, headers: [framing, ("Content-Type", "text/csv")]))
            try client.send(isChunked ? Self.chunked(body, chunkBytes: 100_000) : Array(body.utf8))
            #expect(try client.readResponse().status == 200)
            let request = try fixture.lastRequest()
            #expect(request.body == body)
            // A short one is collected, and goes on with its length.
            let staysChunked = isChunked && bytes > 64 << 10
            #expect(request.header("Content-Length") == (staysChunked ? nil : "\(bytes)"))
            #expect(request.header("Transfer-Encoding") == (staysChunked ? "chunked" : nil))
            #expect(request.header("Content-Type") == "text/csv")
        }
        #expect(fixture.parser.requestCount == 5)
    }

    @Test func `a body over the limit is a 413, announced or not`() throws {
        let fixture = try PublicFixture(["GATEWAY_BODY_BYTES_MAX": "200000"])
        func refused(_ headers: [(String, String)], _ body: [UInt8]) throws {
            let client = try RawHTTP(port: fixture.gateway.port)
            try client.send(RawHTTP.request("POST", Self.route, headers: headers))
            // It may be refused before it has been sent.
            try? client.send(body)
            try expectProblem(try client.readResponse(), 413, "PAYLOAD_TOO_LARGE")
        }
        try refused([("Content-Length", "200001")], [])
        #expect(fixture.parser.headCount == 0)
        try refused([("Transfer-Encoding", "chunked")], Self.chunked(Self.body(200_001), chunkBytes: 50_000))
        try eventually("a request that was begun is given up") { fixture.parser.connectionCount == 0 }
        #expect(fixture.parser.requestCount == 0)
        #expect(try fixture.gateway.exchange("POST", Self.route, body: Self.body(200_000)).status == 200)
    }

    @Test func `a client that stops is told so, and its request is given up`() throws {
        let fixture = try PublicFixture(["GATEWAY_BODY_GRACE_SECONDS": "0.3"])
        let slow = try RawHTTP(port: fixture.gateway.port)
        try slow.send(RawHTTP.request("POST", Self.route, headers: [("Content-Length", "100000")]))
        try slow.send("x")
        try expectProblem(try slow.readResponse(), 408, "REQUEST_TIMEOUT")
        try eventually("its request is given up") {
            fixture.parser.headCount == 1 && fixture.parser.connectionCount == 0
        }
    }

    @Test func `a client that leaves or breaks its framing costs its own request`() throws {
        let fixture = try PublicFixture(["GATEWAY_REACTORS": "1", "GATEWAY_BREAKER_FAILURES": "1"])
        func begin(_ framing: (String, String), _ start: String) throws -> RawHTTP {
            let heads = fixture.parser.headCount
            let client = try RawHTTP(port: fixture.gateway.port)
            try client.send(RawHTTP.request("POST", Self.route, headers: [framing]))
            try client.send(start)
            try eventually("it is under way") { fixture.parser.headCount == heads + 1 }
            return client
        }
        let leaves = try begin(("Content-Length", "100000"), "x")
        leaves.socket.reset()
        let ends = try begin(("Content-Length", "100000"), "x")
        ends.socket.finishSending()
        try expectProblem(try ends.readResponse(), 400, "INVALID_REQUEST")
        let long = "11170\r\n\(String(repeating: "x", count: 70_000))\r\n"
        let breaks = try begin(("Transfer-Encoding", "chunked"), long + "no size\r\n")
        try expectProblem(try breaks.readResponse(), 400, "INVALID_REQUEST")
        try eventually("their requests are given up") { fixture.parser.connectionCount == 0 }
        #expect(fixture.parser.requestCount == 0)
        // One failure would have opened the circuit.
        #expect(try fixture.get("/v1/properties/1").status == 200)
    }

    @Test func `an answer that does not wait for the body is passed on`() throws {
        let fixture = try PublicFixture()
        fixture.parser.handleHeads { $0.method == "POST" ? .respond(403, body: "not yours") : nil }
        let client = try RawHTTP(port: fixture.gateway.port)
        try client.send(RawHTTP.request("POST", Self.route, headers: [("Content-Length", "\(9 << 20)")]))
        let response = try client.readResponse()
        #expect(response.status == 403 && response.bodyText == "not yours")
        try client.expectClosed()
        #expect(try fixture.get("/v1/properties/1").status == 200)
    }

    @Test func `what was begun is not sent twice, what could not connect is`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            """
            versions: [{version: v1, status: current}]
            routes:
              - {match: "PUT /v1/files/{id}", service: parser, path: "/files/{id}", retries: 2}
            """, to: "routes.yaml")
        let closed = try FreePort.next()
        let parser = try TestUpstream { _ in .respond(500) }
        let fixture = try PublicFixture(
            [
                "GATEWAY_ROUTES_FILE": folder.path("routes.yaml"), "GATEWAY_REACTORS": "1",
                "GATEWAY_PARSER_SERVICE_URL": "\(parser.url),http://127.0.0.1:\(closed)",
            ], parser: parser)
        func put(_ bytes: Int) throws -> Int {
            try fixture.gateway.exchange("PUT", "/v1/files/1", body: Self.body(bytes)).status
        }
        // PUT is idempotent: with its body at hand it is sent again.
        #expect(try put(1000) == 502)
        #expect(parser.requestCount == 3)
        #expect(try put(1_000_000) == 502)
        #expect(parser.requestCount == 4)
        parser.handle { _ in .reset }
        #expect(try put(1_000_000) == 502)
        #expect(parser.requestCount == 5)
        // Which address is chosen is chance: after a failure the dead one rests for ten seconds.
        parser.handle { PublicFixture.echo($0) }
        for number in 6...20 {
            #expect(try put(100_000) == 200)
            #expect(parser.requestCount == number)
        }
    }

    @Test func `an upload that is refused at its caller's quota never reaches the upstream`() throws {
        let fixture = try PublicFixture(tiers: nil)
        let client = try RawHTTP(port: fixture.gateway.port)
        try client.send(RawHTTP.request("POST", Self.route, headers: [("Content-Length", "\(9 << 20)")]))
        // Anonymous callers have no predictions.
        try expectProblem(try client.readResponse(), 403, "TIER_LIMIT_EXCEEDED")
        #expect(fixture.parser.headCount == 0)
    }

    @Test func `a client that asks first is told to go on`() throws {
        let fixture = try PublicFixture()
        let client = try RawHTTP(port: fixture.gateway.port)
        let body = Self.body(300_000)
        try client.send(
            RawHTTP.request(
                "POST", Self.route, headers: [("Content-Length", "300000"), ("Expect", "100-continue")]))
        #expect(try client.readResponse().status == 100)
        try client.send(Array(body.utf8))
        #expect(try client.readResponse().status == 200)
        #expect(try fixture.lastRequest().body == body)
        #expect(try fixture.lastRequest().header("Expect") == nil)
    }
}
