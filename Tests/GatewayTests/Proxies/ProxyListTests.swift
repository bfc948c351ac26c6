// Proxies from a list, through built gateways that share one Redis: lending, rotation, bans, cool-downs, the gauges.

import Foundation
import TestSupport
import Testing

@Suite struct ProxyListTests {
    @Test func `a proxy stays with its worker and platform, whichever gateway is asked`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(3))
        let first = try fleet.ask(worker: "w1")
        let proxy = try first.jsonObject()
        #expect(proxy["host"] as? String == "10.0.0.1" && proxy["type"] as? String == "socks5")
        let expires = try #require(proxy["expires_at"] as? String)
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let plain = ISO8601DateFormatter()
        let end = try #require(formatter.date(from: expires) ?? plain.date(from: expires))
        #expect(abs(end.timeIntervalSinceNow - 3600) < 60)
        let port = try fleet.port(first)
        for gateway in [1, 0, 1] { #expect(try fleet.take("w1", at: gateway) == port) }
        #expect(try fleet.loanCount == 1)
    }

    @Test func `the least used proxy is lent first, over all gateways`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(4))
        let ports = try (0..<8).map { try fleet.take("w\($0)", at: $0 % 2) }
        #expect(Set(ports[..<4]).count == 4 && Set(ports[4...]).count == 4)
        // The other kind has its own loans.
        #expect(Set(try (0..<4).map { try fleet.take("w\($0)", kind: "/party") }).count == 4)
        #expect(try fleet.loanCount == 8)
    }

    @Test func `a rotated proxy cools down for five minutes where it was rotated`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(2))
        let old = try fleet.take("w1")
        let before = wallSeconds()
        let new = try fleet.port(fleet.ask("POST", "\(old)/rotate", worker: "w1", more: "&reason=slow", at: 1))
        #expect(new != old)
        #expect(try fleet.take("w1") == new)
        let end = try #require(try fleet.banEnd("10.0.0.1:\(old)"))
        #expect(abs(end / 1000 - before - 300) < 30)
        // Nobody gets it on that platform; on another it may be had.
        for worker in ["w2", "w3", "w4"] { #expect(try fleet.take(worker) == new) }
        #expect(try fleet.take("w5", "qpublic") == old)
    }

    @Test func `a ban lasts as long as was asked, and everything banned is a 503`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(2))
        let before = wallSeconds()
        let hour = try fleet.ask("POST", "7001/ban", worker: "w1", more: "&reason=blocked")
        #expect(try hour.jsonObject()["status"] as? String == "banned")
        #expect(try #require(try hour.jsonObject()["until"] as? String).hasPrefix("20"))
        #expect(abs(try #require(try fleet.banEnd("10.0.0.1:7001")) / 1000 - before - 3600) < 30)
        #expect(try fleet.take("w2", at: 1) == 7002)
        let minute = try fleet.ask("POST", "7002/ban", worker: "w1", more: "&duration_minutes=1", at: 1)
        #expect(minute.status == 200)
        #expect(abs(try #require(try fleet.banEnd("10.0.0.1:7002")) / 1000 - before - 60) < 30)
        try expectProblem(try fleet.ask(worker: "w2"), 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "banned"))
        #expect(try [7001, 7002].contains(fleet.take("w2", "qpublic")))
        // A ban that has ended is none.
        _ = try fleet.redis.command("ZADD", "{parcel:0}:proxy-bans:beacon", "1", "10.0.0.1:7002")
        #expect(try fleet.take("w2") == 7002)
    }

    @Test func `what is no request for a proxy is refused`() throws {
        let fleet = try ProxyFleet(1, ProxyFleet.list(1))
        try expectProblem(
            try fleet.ask(worker: "w1", platform: ""), 400, "INVALID_REQUEST", ProblemDetails(parameter: "platform"))
        try expectProblem(
            try fleet.ask(worker: "w1", platform: "a%20b"), 400, "INVALID_REQUEST",
            ProblemDetails(parameter: "platform"))
        try expectProblem(
            try fleet.ask("POST", "7001/ban", worker: "w1", more: "&duration_minutes=0"), 400, "INVALID_REQUEST",
            ProblemDetails(parameter: "duration_minutes"))
        for port in ["x", "0", "65536"] {
            try expectProblem(try fleet.ask("POST", "\(port)/rotate", worker: "w1"), 400, "INVALID_REQUEST")
        }
        for action in ["rotate", "ban"] {
            try expectProblem(try fleet.ask("POST", "9/\(action)", worker: "w1"), 404, "NOT_FOUND")
            try expectProblem(try fleet.ask("GET", "7001/\(action)", worker: "w1"), 405, "METHOD_NOT_ALLOWED")
        }
        let gateway = fleet.gateways[0]
        try expectProblem(
            try gateway.exchange("GET", "/internal/proxy/create?platform=a"), 401, "UNAUTHORIZED")
        try expectProblem(
            try gateway.exchange(
                "GET", "/internal/proxy/create?platform=a", headers: [("X-Worker-Token", GatewayProcess.workerToken)]),
            400, "INVALID_REQUEST")
    }

    @Test func `without a list and a service there are no proxies`() throws {
        let fleet = try ProxyFleet(1, [:])
        try expectProblem(
            try fleet.ask(worker: "w1"), 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "GATEWAY_PROXIES"))
    }

    @Test func `a worker that is gone gives its proxies back, one that lives keeps them`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(2).merging(["GATEWAY_LEASE_SECONDS": "1"]) { $1 })
        let client = try WorkerClient(port: fleet.gateways[1].port, id: "alive")
        let kept = try fleet.take("alive")
        #expect(try fleet.take("gone") != kept)
        #expect(try fleet.loanCount == 2)
        try eventually("the silent one's is free") {
            _ = try client.heartbeat()
            return try fleet.loanCount == 1
        }
        #expect(try fleet.redis.command("HKEYS", "{parcel:0}:proxy-of").array?.map(\.string) == ["alive beacon"])
        try eventually("the other's too, once it is silent") { try fleet.loanCount == 0 }
    }

    @Test func `every gateway shows what is left and what is banned on each platform`() throws {
        let fleet = try ProxyFleet(2, ProxyFleet.list(3))
        _ = try fleet.take("w1", "qpublic")
        _ = try fleet.ask("POST", "7001/ban", worker: "w1")
        for gateway in 0..<2 {
            try eventually("the gauges of gateway \(gateway)") {
                try fleet.gauge("gateway_proxy_available", at: gateway) == 2
                    && fleet.gauge("gateway_proxy_banned", at: gateway) == 1
                    && fleet.gauge("gateway_proxy_available", "qpublic", at: gateway) == 3
                    && fleet.gauge("gateway_proxy_banned", "qpublic", at: gateway) == 0
            }
        }
        _ = try fleet.redis.command("ZADD", "{parcel:0}:proxy-bans:beacon", "1", "10.0.0.1:7001")
        _ = try fleet.redis.command("ZADD", "{parcel:0}:proxy-banned", "1", "beacon")
        try eventually("the ban has ended") { try fleet.gauge("gateway_proxy_banned") == 0 }
    }

    @Test func `a proxy from the list takes a worker where it wants to go`() throws {
        let server = try SOCKSServer()
        defer { server.close() }
        let fleet = try ProxyFleet(1, ["GATEWAY_PROXIES": "socks5://user:secret@127.0.0.1:\(server.port)"])
        let proxy = try fleet.ask(worker: "w1").jsonObject()
        #expect(proxy["username"] as? String == "user" && proxy["password"] as? String == "secret")
        let host = try #require(proxy["host"] as? String)
        let port = try #require(proxy["port"] as? Int)
        let page = try fetchHealth(of: fleet.gateways[0].port, through: (host, port))
        #expect(page.hasPrefix("HTTP/1.1 200 OK") && page.hasSuffix(#"{"status":"ok","service":"gateway"}"#))
        #expect(server.servedCount == 1)
    }

    @Test(.enabled(if: TorDaemon.isInstalled, "needs tor: scripts/install --tests"))
    func `the tor daemon's SOCKS port is lent, rotated and banned like any other`() throws {
        let tor = try TorDaemon()
        let fleet = try ProxyFleet(
            1, ["GATEWAY_PROXIES": tor.ports.map { "socks5://127.0.0.1:\($0)" }.joined(separator: ",")])
        let first = try fleet.take("w1")
        #expect(try greetSOCKS("127.0.0.1", first).answer == [5, 0])
        let second = try fleet.port(fleet.ask("POST", "\(first)/rotate", worker: "w1"))
        #expect(Set([first, second]) == Set(tor.ports))
        #expect(try greetSOCKS("127.0.0.1", second).answer == [5, 0])
        #expect(try fleet.ask("POST", "\(second)/ban", worker: "w1").status == 200)
        #expect(try fleet.ask(worker: "w1").status == 503)
    }
}

/// A `tor` with two SOCKS ports that knows nobody but a directory on this machine that is not there: it builds no
/// circuit, which lending does not need, and leaves the network alone.
private final class TorDaemon {
    private static let nobody =
        "nobody orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 "
        + "0000000000000000000000000000000000000002"

    static var isInstalled: Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/tor") }
    }

    let ports: [Int]
    private let child: ChildProcess
    private let folder: TemporaryFolder

    init() throws {
        let ports = [try FreePort.next(), try FreePort.next()]
        let folder = try TemporaryFolder()
        let child = try ChildProcess(
            "tor",
            [
                "--ignore-missing-torrc", "-f", folder.path("torrc"), "--defaults-torrc", folder.path("defaults"),
                "--DataDirectory", folder.path("data"), "--UseDefaultFallbackDirs", "0", "--DirAuthority", Self.nobody,
            ]
                + ports.flatMap { ["--SocksPort", "127.0.0.1:\($0)"] },
            outputPath: folder.path("log"), errorPath: folder.path("log"))
        TestRun.record(child: child.pid)
        (self.ports, self.child, self.folder) = (ports, child, folder)
        try eventually("tor listens: \((try? folder.read("log")) ?? "")", deadlineSeconds: 30) {
            try ports.allSatisfy { port in
                guard child.isRunning else { throw TestFailure("tor ended: \((try? folder.read("log")) ?? "")") }
                return (try? greetSOCKS("127.0.0.1", port)) != nil
            }
        }
    }

    deinit {
        child.signal(SIGKILL)
        _ = try? child.waitForExit(deadlineSeconds: 5)  // The sweep at exit tries again.
        TestRun.forget(child: child.pid)
    }
}
