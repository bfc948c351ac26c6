// Clients that mean no good, or are many: slow ones, idle ones, ones that send noise. They cost themselves only.
// Limits: api.md section 6.

import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct HostileTests {
    @Test func `200 slow clients do not disturb a fast one`() throws {
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0", "GATEWAY_HEADER_TIMEOUT_SECONDS": "60"])
        let slow = try (0..<200).map { _ in try live.worker() }
        let head = RawHTTP.request("POST", "/internal/heartbeat", headers: slow[0].headers, body: Sample.heartbeat())
        let fast = try live.worker()
        var longest = 0.0
        // Between two bytes of each slow client the fast one is served three times.
        for position in 0..<40 {
            for client in slow { try client.http.send([head[position]]) }
            for _ in 0..<3 {
                let start = monotonicSeconds()
                _ = try fast.heartbeat()
                longest = max(longest, monotonicSeconds() - start)
            }
        }
        #expect(longest < 2, "the slowest took \(longest) s")
        // Slow as they are, they are served when they are done.
        for client in slow { try client.http.send(Array(head[40...])) }
        for client in slow { #expect(try client.http.readResponse().status == 200) }
    }

    @Test func `a client that takes no answers is read no further, and others go on`() throws {
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0"])
        let deaf = try DeafClient(port: live.port)
        // What the gateway keeps for this client has a bound.
        let bytesMax = 100_000_000
        #expect(deaf.sendUntilStuck(RawHTTP.request("GET", "/metrics"), bytesMax: bytesMax) < bytesMax)
        #expect(try live.worker().heartbeat()["acknowledged"] as? Bool == true)
        #expect(try residentBytes(live) < 600_000_000)
    }

    private func residentBytes(_ live: Live) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(live.gateway.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.filter(\.isNumber))) * 1024
    }

    @Test func `5000 idle connections cost less than 4 KiB each`() throws {
        let count = 5000
        let live = try Live(["GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": "20000"])
        // What is allocated once, by the first connections and requests, is not theirs.
        let first = try (0..<300).map { _ in try served(live) }
        let before = try residentBytes(live)
        let held = try (0..<count).map { _ in try served(live) }
        let each = (try residentBytes(live) - before) / count
        #expect(Sanitizer.isWatching || each < 4096, "\(each) bytes each")
        #expect(try MetricsPage(live).value("gateway_active_connections") >= Double(count + first.count))
        try held[0].expectKept()
        try held[count - 1].expectKept()
    }

    private func served(_ live: Live) throws -> RawHTTP {
        let http = try RawHTTP(port: live.port, timeoutSeconds: 30)
        try http.expectKept()
        return http
    }

    @Test func `noise over a thousand connections leaves the process healthy, without a leaked descriptor`() throws {
        let live = try Live(["GATEWAY_WORKER_RATE_PER_MINUTE": "0", "GATEWAY_LOG_LEVEL": "warning"])
        var random = RandomSource()
        func openDescriptors() throws -> Double { try MetricsPage(live).value("process_open_fds") }
        _ = try live.worker().heartbeat()
        let baseline = try openDescriptors()
        for _ in 0..<1000 { try sendNoise(live, &random) }
        try eventually("descriptors are back at \(baseline)", deadlineSeconds: 30) { try openDescriptors() <= baseline }
        #expect(live.gateway.isRunning)
        #expect(try live.worker().heartbeat()["acknowledged"] as? Bool == true)
        #expect(!live.gateway.log.contains("Fatal error"))
    }

    /// One connection with some garbage, or a sound request that was damaged; left in one way or another.
    private func sendNoise(_ live: Live, _ random: inout RandomSource) throws {
        let http = try RawHTTP(port: live.port, timeoutSeconds: 10)
        var bytes: [UInt8]
        if random.chance(0.3) {
            bytes = random.bytes(random.int(in: 1...2000))
        } else {
            let (method, target, body) = random.pick([
                ("POST", "/internal/heartbeat", Sample.heartbeat()), ("GET", "/internal/work?capacity=3", ""),
                ("POST", "/internal/results", "[\(Sample.result("noise"))]"),
                ("POST", "/internal/tasks", "[\(Sample.task("noise"))]"), ("POST", "/internal/tasks/t/fail", "{}"),
            ])
            let headers = [
                ("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", "noise"),
                ("X-Ops-Token", GatewayProcess.opsToken),
            ]
            bytes = RawHTTP.request(method, target, headers: headers, body: body)
            for _ in 0..<random.int(in: 0...4) { bytes[random.int(in: 0...(bytes.count - 1))] = random.bytes(1)[0] }
            if random.chance(0.3) { bytes.removeLast(random.int(in: 0...(bytes.count - 1))) }
        }
        // `try?`: the gateway may have closed already.
        try? http.send(bytes)
        if random.chance(0.3) { http.socket.reset() } else if random.chance(0.5) { http.socket.finishSending() }
        http.close()
    }
}
