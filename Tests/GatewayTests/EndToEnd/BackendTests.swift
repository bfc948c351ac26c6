// The gateway over each of the kernel's interfaces that this machine has: many connections, and descriptors that run out.

import Foundation
import Reactor
import TestSupport
import Testing

@Suite struct BackendTests {
    private static let connectionCount = 10_000
    /// The clients' descriptors, and what else the tests have open.
    private static let hasDescriptors = ProcessUsage.raiseDescriptorLimit(to: 10_500) >= 10_500
    private static let health = Array("GET /health HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

    private func live(_ kind: PollerKind, _ environment: [String: String] = [:]) throws -> Live {
        try Live(environment.merging(["GATEWAY_IO_BACKEND": kind.rawValue, "GATEWAY_REACTORS": "1"]) { $1 })
    }

    @Test(.enabled(if: BackendTests.hasDescriptors), arguments: PollerKind.usable)
    func `ten thousand connections that ask at once are all answered`(_ kind: PollerKind) throws {
        let live = try live(
            kind, ["GATEWAY_CONNECTIONS_MAX": "12000", "GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": "12000"])
        let clients = try (0..<Self.connectionCount).map { _ in try RawHTTP(port: live.port, timeoutSeconds: 60) }
        for _ in 0..<2 {
            for client in clients { try client.send(Self.health) }
            let good = try clients.count { try $0.readResponse().status == 200 }
            #expect(good == Self.connectionCount)
        }
        #expect(try MetricsPage(live).value("gateway_build_info", ["backend": kind.rawValue]) == 1)
    }

    @Test(arguments: PollerKind.usable)
    func `out of descriptors, connections wait for others to go, and nothing spins`(_ kind: PollerKind) throws {
        let gateway = try GatewayProcess(
            environment: ["GATEWAY_IO_BACKEND": kind.rawValue, "GATEWAY_REACTORS": "1"],
            wrapper: ["/usr/bin/prlimit", "--nofile=64:64"])
        try eventually("Redis and PostgreSQL are connected") {
            try gateway.exchange("GET", "/health/ready").status == 200
        }
        var clients = try (0..<100).map { _ in try RawHTTP(port: gateway.port, timeoutSeconds: 20) }
        for client in clients { try client.send(Self.health) }
        try eventually("the first are answered") { clients[0].socket.hasInput }
        let cpuBefore = try cpuTicks(gateway.pid)
        // The last one waits: a second, in which a loop that is told of the same failure again and again takes a core.
        #expect(throws: TestFailure.self) { _ = try clients.last!.socket.receive(until: monotonicSeconds() + 1) }
        #expect(try cpuTicks(gateway.pid) - cpuBefore < 50, "ticks of 10 ms in one second")
        // Those that are served go, and make room.
        while !clients.isEmpty {
            let client = clients.removeFirst()
            #expect(try client.readResponse().status == 200)
        }
    }

    /// Becomes the program of its arguments, for which the kernel refuses io_uring_setup, as many containers have it.
    private static let refusing = """
        import ctypes, os, struct, sys
        setup, permission = 425, 1
        code = [(0x20, 0, 0, 0), (0x15, 0, 1, setup), (0x06, 0, 0, 0x00050000 | permission), (0x06, 0, 0, 0x7fff0000)]
        filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
        program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(filters)))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
            sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
        os.execv(sys.argv[1], sys.argv[1:])
        """

    @Test(arguments: ["auto", "io_uring"])
    func `where the kernel refuses io_uring the gateway serves over epoll, and says so in one line`(
        _ setting: String
    ) throws {
        let gateway = try GatewayProcess(
            environment: ["GATEWAY_IO_BACKEND": setting],
            wrapper: ["/usr/bin/env", "python3", "-c", Self.refusing])
        let page = try gateway.exchange("GET", "/metrics").bodyText
        #expect(page.contains("backend=\"epoll\""))
        let lines = gateway.log.split(separator: "\n").filter { $0.contains("io_uring") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains(setting == "auto" ? "notice" : "warning") == true)
        #expect(lines.first?.contains("Operation not permitted") == true)
    }

    /// User and system time of a process.
    private func cpuTicks(_ pid: pid_t) throws -> Int {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = stat.split(separator: ")").last!.split(separator: " ")
        return Int(fields[11])! + Int(fields[12])!
    }
}
