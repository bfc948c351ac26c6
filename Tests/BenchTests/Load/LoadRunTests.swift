// The load loops against servers whose delays are known: what is measured is what was injected.

import Reactor
import TestSupport
import Testing

@testable import Bench

@Suite struct LoadRunTests {
    private func run(
        _ port: Int, _ change: (inout LoadSettings) -> Void, threads: Int = 1,
        interruption: Interruption = Interruption()
    ) throws -> Report {
        var target = try Target("http://127.0.0.1:\(port)/x")
        try target.resolve()
        var settings = LoadSettings(target: target)
        settings.connections = 1
        change(&settings)
        let resolved = target
        let run = LoadRun(
            settings: settings, threads: threads, pids: [], interruption: interruption,
            makeScenario: { _ in GetScenario(target: resolved, method: "GET", headers: [], body: []) })
        var report = Report(scenario: "GET", url: target.text, mode: settings.shape == nil ? "closed" : "open")
        report.add(try run.run { _, _ in }, hasPlan: settings.shape != nil)
        return report
    }

    @Test func `a stall shows in the open loop's percentiles and hides from the closed loop's`() throws {
        let stall = Delays(stallAt: 50, stall: .milliseconds(500))
        let first = try DelayServer(stall)
        let closed = try run(first.port) { $0.requests = 400 }
        // One request saw the stall: of 400 that is less than one percent.
        #expect(closed.answered == 400 && closed.errorCount == 0)
        #expect(closed.latency.p99 < 250_000)
        #expect(closed.latency.max >= 490_000)

        let server = try DelayServer(stall)
        let open = try run(server.port) {
            $0.requests = 400
            $0.shape = .constant(perSecond: 400)
        }
        // 200 of the 400 were planned into the stall: a client that keeps its plan has waited, the median a while.
        #expect(open.answered == 400 && open.dropped == 0)
        #expect(open.latency.p99 >= 400_000)
        #expect(open.latency.p90 >= 250_000)
        #expect(open.latency.max >= 490_000 && open.latency.max >= open.latency.p99)
        #expect(open.late >= 150)
        // What one connection saw of it: one slow answer.
        let service = try #require(open.service)
        #expect(service.p90 < 250_000 && service.max >= 490_000)
    }

    @Test func `delays of every n-th answer are where the percentiles say`() throws {
        let server = try DelayServer(Delays(every: 20, delay: .milliseconds(150)))
        let report = try run(server.port) {
            $0.requests = 1000
            $0.connections = 16
            $0.shape = .constant(perSecond: 500)
        }
        #expect(report.answered == 1000)
        // 5 % are late: the 99th percentile is, the 90th is not.
        #expect(report.latency.p99 >= 149_000 && report.latency.p999 >= 149_000)
        #expect(report.latency.p90 < 149_000)
        #expect(report.latency.count == 1000)
    }

    @Test func `an open loop offers its rate over all threads`() throws {
        let server = try DelayServer()
        let report = try run(
            server.port,
            {
                $0.duration = .seconds(1)
                $0.warmup = .milliseconds(200)
                $0.connections = 9
                $0.shape = .constant(perSecond: 600)
            }, threads: 3)
        #expect(report.sent + report.dropped == 600)
        #expect(report.offeredRate.map { abs($0 - 600) < 1 } == true)
        #expect(report.series.map(\.sent).reduce(0, +) == report.sent)
        #expect(report.series.map(\.answered).reduce(0, +) == report.answered)
    }

    @Test func `pipelined answers are matched to their requests`() throws {
        let server = try DelayServer(Delays(every: 7, delay: .milliseconds(20)))
        let report = try run(
            server.port,
            {
                $0.requests = 3000
                $0.connections = 4
                $0.pipeline = 16
            }, threads: 2)
        #expect(report.answered == 3000 && report.good == 3000 && report.errorCount == 0)
        #expect(report.sent == 3000)
    }

    @Test func `statuses that say no are errors by status`() throws {
        let server = try DelayServer(Delays(status: 503))
        let report = try run(server.port) { $0.requests = 50 }
        #expect(report.errors["status"] == 50 && report.statuses == ["503": 50] && report.good == 0)
        #expect(report.failedShare == 1)
    }

    @Test func `an answer that takes too long is a timeout, and the load goes on`() throws {
        let server = try DelayServer(Delays(stallAt: 10, stall: .seconds(30)))
        let report = try run(server.port) {
            $0.requests = 12
            $0.timeout = .milliseconds(100)
        }
        #expect(report.answered == 9 && report.errors["timeout"] == 3)
        #expect(report.reconnects >= 2)
    }

    @Test func `what the server could not take by the end is dropped, and told`() throws {
        let server = try DelayServer(Delays(every: 1, delay: .milliseconds(100)))
        let report = try run(server.port) {
            $0.duration = .seconds(1)
            $0.shape = .constant(perSecond: 100)
        }
        // One connection carries ten a second.
        #expect(report.sent <= 11 && report.sent + report.dropped == 100)
        #expect(report.warnings.contains { $0.contains("never made") })
        #expect(report.latency.max > 500_000)
    }

    @Test func `nobody there is a failure that names the target`() throws {
        let port = try FreePort.next()
        let failure = try #require(throws: RunFailure.self) { try run(port) { $0.requests = 1 } }
        #expect(failure.description.contains("127.0.0.1:\(port)"))
    }

    @Test func `a server that speaks something else is a protocol error`() throws {
        let server = try RawServer { _ in "SSH-2.0-OpenSSH\r\n\r\n" }
        let report = try run(server.port) { $0.requests = 5 }
        #expect(report.errors["protocol"] == 5 && report.answered == 0)
    }

    @Test func `a connection that the server closes before the answer is a reset`() throws {
        let server = try RawServer { number in number % 2 == 0 ? "" : "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" }
        let report = try run(server.port) { $0.requests = 20 }
        #expect(report.answered + (report.errors["reset"] ?? 0) == 20)
        #expect(report.answered > 0 && (report.errors["reset"] ?? 0) > 0)
    }

    @Test func `an interrupted run reports what it has`() throws {
        let server = try DelayServer(Delays(every: 1, delay: .milliseconds(5)))
        let interruption = Interruption()
        var target = try Target("http://127.0.0.1:\(server.port)/")
        try target.resolve()
        var settings = LoadSettings(target: target)
        settings.connections = 2
        settings.duration = .seconds(600)
        let resolved = target
        let run = LoadRun(
            settings: settings, threads: 1, pids: [], interruption: interruption,
            makeScenario: { _ in GetScenario(target: resolved, method: "GET", headers: [], body: []) })
        let outcome = try run.run { _, last in
            if last != nil { interruption.ask() }
        }
        #expect(outcome.wasInterrupted && outcome.totals.tally.answered > 0)
        #expect(outcome.seconds < 60)
    }
}
