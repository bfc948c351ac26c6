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

    /// User and system time of a process.
    private func cpuTicks(_ pid: pid_t) throws -> Int {
        let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = stat.split(separator: ")").last!.split(separator: " ")
        return Int(fields[11])! + Int(fields[12])!
    }
}
