// What the proxy tests need: gateways that share one Redis, a SOCKS5 server and a client that goes through one.

import Foundation
import Synchronization
import TestSupport

/// Gateways on one Redis and one PostgreSQL, quick in all that waits.
final class ProxyFleet {
    let redisURL: String
    let redis: TestSupport.RedisClient
    let gateways: [GatewayProcess]

    init(_ count: Int = 1, _ environment: [String: String]) throws {
        redisURL = try Services.shared.takeRedisDatabase()
        redis = try TestSupport.RedisClient(url: redisURL)
        let (url, postgresURL) = (redisURL, try GatewayProcess.migratedDatabase())
        let variables = ["GATEWAY_REAPER_INTERVAL_SECONDS": "0.05", "GATEWAY_WORKER_RATE_PER_MINUTE": "0"]
            .merging(environment) { _, given in given }
        gateways = try (0..<count).map { _ in
            try GatewayProcess(redisURL: url, postgresURL: postgresURL, environment: variables)
        }
        for gateway in gateways {
            try eventually("all reactors are ready", deadlineSeconds: 30) {
                try (0..<16).allSatisfy { _ in try gateway.exchange("GET", "/health/ready").status == 200 }
            }
        }
    }

    /// A proxy request of a worker, to the gateway of that number.
    func ask(
        _ method: String = "GET", _ path: String = "create", worker: String, platform: String = "beacon",
        more: String = "", kind: String = "", at gateway: Int = 0
    ) throws -> HTTPResponse {
        try gateways[gateway].exchange(
            method, "/internal\(kind)/proxy/\(path)?platform=\(platform)\(more)",
            headers: [("X-Worker-Token", GatewayProcess.workerToken), ("X-Worker-ID", worker)])
    }

    /// The port that a worker is lent.
    func take(_ worker: String, _ platform: String = "beacon", kind: String = "", at gateway: Int = 0) throws -> Int {
        try port(ask(worker: worker, platform: platform, kind: kind, at: gateway))
    }

    func port(_ response: HTTPResponse) throws -> Int {
        guard response.status == 200, let port = try response.jsonObject()["port"] as? Int else {
            throw TestFailure("no proxy: \(response.status) \(response.bodyText)")
        }
        return port
    }

    /// The end of a ban in Redis, milliseconds since the epoch; nil where there is none.
    func banEnd(_ proxy: String, _ platform: String = "beacon") throws -> Double? {
        try redis.command("ZSCORE", "{parcel:0}:proxy-bans:\(platform)", proxy).string.flatMap { Double($0) }
    }

    var loanCount: Int {
        get throws { try redis.command("HLEN", "{parcel:0}:proxy-of").integer ?? -1 }
    }

    /// A gauge as a gateway shows it.
    func gauge(_ name: String, _ platform: String = "beacon", at gateway: Int = 0) throws -> Double {
        try MetricsPage(gateways[gateway]).value(name, ["platform": platform, "kind": "parcel"])
    }

    /// `GATEWAY_PROXIES` of so many proxies, at ports from 7001 on.
    static func list(_ count: Int) -> [String: String] {
        ["GATEWAY_PROXIES": (1...count).map { "socks5://10.0.0.1:\(7000 + $0)" }.joined(separator: ",")]
    }
}

/// A SOCKS5 server: no authentication, CONNECT to IPv4 addresses, one connection at a time. Source: RFC 1928.
final class SOCKSServer: Sendable {
    let port: Int
    private let descriptor: Int32
    private let served = Atomic(0)

    /// Connections relayed.
    var servedCount: Int { served.load(ordering: .relaxed) }

    init() throws {
        port = try FreePort.next()
        descriptor = try Self.listen(port)
        Thread { [self] in
            while true {
                let client = accept(descriptor, nil, nil)
                if client < 0 { return }
                relay(client)
                Glibc.close(client)
            }
        }.start()
    }

    /// Ends the thread. To be called by each test.
    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }

    private static func listen(_ port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let code = withAddress(port) { bind(descriptor, $0, $1) }
        guard code == 0, Glibc.listen(descriptor, 16) == 0 else { throw TestFailure("cannot listen on \(port)") }
        return descriptor
    }

    private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func relay(_ client: Int32) {
        guard let greeting = receive(client, 2), greeting[0] == 5, receive(client, Int(greeting[1])) != nil,
            transmit(client, [5, 0]),
            let request = receive(client, 10), request[0...3] == [5, 1, 0, 1], request[4...7] == [127, 0, 0, 1]
        else { return }
        let target = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(target) }
        let port = Int(request[8]) << 8 | Int(request[9])
        let isConnected = Self.withAddress(port) { connect(target, $0, $1) } == 0
        guard transmit(client, [5, isConnected ? 0 : 5, 0, 1, 0, 0, 0, 0, 0, 0]), isConnected else { return }
        served.add(1, ordering: .relaxed)
        var ends = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: target, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&ends, 2, 10_000) > 0 {
            for (from, to) in [(0, target), (1, client)] where ends[from].revents != 0 {
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = recv(ends[from].fd, &buffer, buffer.count, 0)
                guard count > 0, transmit(to, Array(buffer[..<count])) else { return }
            }
        }
    }

    private func receive(_ descriptor: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(descriptor, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }

    private func transmit(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }
}

/// The first step of SOCKS5 with the server at a port: what it says to "no authentication".
func greetSOCKS(_ host: String, _ port: Int) throws -> (socket: ClientSocket, answer: [UInt8]) {
    let socket = try ClientSocket(port: port, host: host)
    try socket.send([5, 1, 0])
    while socket.received.count < 2 {
        guard try socket.receive() > 0 else { throw TestFailure("the SOCKS server closed") }
    }
    return (socket, socket.take(2))
}

/// Fetches `http://127.0.0.1:PORT/health` through a SOCKS5 proxy.
func fetchHealth(of port: Int, through proxy: (host: String, port: Int)) throws -> String {
    let (socket, answer) = try greetSOCKS(proxy.host, proxy.port)
    guard answer == [5, 0] else { throw TestFailure("SOCKS says \(answer)") }
    try socket.send([5, 1, 0, 1, 127, 0, 0, 1, UInt8(port >> 8), UInt8(port & 255)])
    while socket.received.count < 10 { guard try socket.receive() > 0 else { throw TestFailure("no answer") } }
    let reply = socket.take(10)
    guard reply[1] == 0 else { throw TestFailure("SOCKS cannot connect: \(reply[1])") }
    try socket.send(Array("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
    while try socket.receive() > 0 {}
    return String(decoding: socket.received, as: UTF8.self)
}
