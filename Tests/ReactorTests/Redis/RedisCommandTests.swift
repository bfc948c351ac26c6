import Testing

@testable import Reactor

@Suite struct RedisCommandTests {
    @Test func `a command is an array of bulk strings`() {
        var buffer = ByteBuffer()
        buffer.beginCommand(4)
        buffer.argument("SET" as StaticString)
        buffer.argument(String("ключ"))
        buffer.argument([UInt8]([0, 13, 10]).span.bytes)
        buffer.argument(-1203)
        #expect(buffer.bytes.string == "*4\r\n$3\r\nSET\r\n$8\r\nключ\r\n$3\r\n\0\r\n\r\n$5\r\n-1203\r\n")
    }

    @Test(arguments: [0, 9, 10, -1, -10, Int.max, Int.min])
    func `an integer's length counts its digits and its sign`(value: Int) {
        var buffer = ByteBuffer()
        buffer.argument(value)
        #expect(buffer.bytes.string == "$\("\(value)".count)\r\n\(value)\r\n")
    }

    @Test func `a prefix and a suffix are one argument`() {
        var buffer = ByteBuffer()
        buffer.argument("worker:", Array("w-1".utf8).span.bytes)
        #expect(buffer.bytes.string == "$10\r\nworker:w-1\r\n")
    }

    @Test func `a script is called by its digest, its keys counted`() {
        let script = RedisScript("return 1")
        var buffer = ByteBuffer()
        buffer.beginScript(script, keyCount: 1, argumentCount: 1)
        buffer.argument("k" as StaticString)
        buffer.argument("a" as StaticString)
        let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        #expect(
            buffer.bytes.string == "*5\r\n$7\r\nEVALSHA\r\n$40\r\n\(sha)\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n")
    }

    // FIPS 180-4 examples, and lengths around the padding's edges.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (String(repeating: "a", count: 119), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ])
    func `a script's name is the SHA-1 of its source`(source: String, sha: String) {
        #expect(RedisScript(source).sha == sha)
    }
}

@Suite struct RedisEndpointTests {
    @Test func `the description for logs shows no password`() {
        #expect("\(RedisEndpoint(.tcp(host: "h", port: 1), password: "secret"))" == "redis://h:1/0")
    }

    @Test func `TLS without a context is refused with a sentence when the client is made`() async throws {
        try await onReactor { reactor in
            let endpoint = RedisEndpoint(.tcp(host: "h", port: 6379), usesTLS: true)
            let expected = RedisFailure.unsupported("TLS to Redis (rediss://) needs a host and a TLS context")
            #expect(throws: expected) { try ClientUnderTest(reactor: reactor, endpoint: endpoint) }
        }
    }
}

@Suite struct FleetClockTests {
    @Test func `the clock is the server's, half a round trip later`() {
        var clock = FleetClock(now: Instant(nanoseconds: 0), wallMicroseconds: 77_000_000)
        #expect(clock.microseconds(at: Instant(nanoseconds: 5_000)) == 77_000_005)
        clock.set(
            serverMicroseconds: 1_000_000, sent: Instant(nanoseconds: 100_000), received: Instant(nanoseconds: 300_000))
        #expect(clock.microseconds(at: Instant(nanoseconds: 300_000)) == 1_000_100)
        #expect(clock.microseconds(at: Instant(nanoseconds: 1_300_000)) == 1_001_100)
        #expect(clock.roundTrip == Interval(nanoseconds: 200_000))
    }
}
