// Proxies from a tor-socks-proxy service: what it is asked, what its answers come to, what its failures do.

import Foundation
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Gateway

@Suite struct ProxyServiceTests {
    /// A service that hands out another port each time, from 9050 on. It closes every connection: others may wait.
    private static func counting() throws -> ScriptedServer {
        let next = Atomic(9050)
        return try ScriptedServer { _ in
            let port = next.add(1, ordering: .relaxed).oldValue
            let json = #"{"host":"tor.example","port":\#(port),"type":"socks5","extra":[1]}"#
            return .last("HTTP/1.1 200 OK\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)")
        }
    }

    @Test func `a proxy is created once, and stays with its worker on every gateway`() throws {
        let service = try Self.counting()
        defer { service.close() }
        let fleet = try ProxyFleet(2, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(service.port)/api/"])
        let proxy = try fleet.ask(worker: "w1", platform: "a:b").jsonObject()
        #expect(proxy["host"] as? String == "tor.example" && proxy["type"] as? String == "socks5")
        let port = try fleet.take("w1", "a:b", at: 1)
        #expect(proxy["port"] as? Int == port)
        #expect(service.requests.map { "\($0.method) \($0.target)" } == ["GET /api/create?platform=a%3Ab"])
        #expect(try fleet.take("w2", "a:b") != port)
        #expect(service.requests.count == 2)
    }

    @Test func `rotation asks the service with platform and reason`() throws {
        let service = try Self.counting()
        defer { service.close() }
        let fleet = try ProxyFleet(1, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(service.port)"])
        let old = try fleet.take("w1")
        let new = try fleet.port(fleet.ask("POST", "\(old)/rotate", worker: "w1", more: "&reason=too%20slow%26x"))
        #expect(new != old)
        #expect(service.requests.last?.target == "/rotate/\(old)?platform=beacon&reason=too%20slow%26x")
        #expect(service.requests.last?.method == "POST")
        #expect(try fleet.take("w1") == new)
        #expect(try fleet.banEnd("tor.example:\(old)") != nil)
        try expectProblem(try fleet.ask("POST", "9/rotate", worker: "w1"), 404, "NOT_FOUND")
    }

    @Test func `the same port with a new circuit is as good as another`() throws {
        let service = try ScriptedServer { _ in
            let json = #"{"host":"127.0.0.1","port":9050,"type":"socks5"}"#
            return .last("HTTP/1.1 200 OK\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)")
        }
        defer { service.close() }
        let fleet = try ProxyFleet(1, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(service.port)"])
        #expect(try fleet.take("w1") == 9050)
        #expect(try fleet.port(fleet.ask("POST", "9050/rotate", worker: "w1")) == 9050)
        // A ban is a ban, whatever the circuit: the service is asked for another, which it has not.
        _ = try fleet.ask("POST", "9050/ban", worker: "w1")
        try expectProblem(try fleet.ask(worker: "w1"), 503, "SERVICE_UNAVAILABLE", ProblemDetails(says: "banned"))
        #expect(service.requests.last?.target == "/rotate/9050?platform=beacon&reason=banned")
    }

    @Test func `a blocked task has the service give another`() throws {
        let service = try Self.counting()
        defer { service.close() }
        let fleet = try ProxyFleet(1, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(service.port)"])
        let worker = try WorkerClient(port: fleet.gateways[0].port, id: "w1")
        _ = try worker.enqueue([Sample.task("t1")])
        _ = try worker.pull("capacity=1")
        let port = try fleet.take("w1")
        let answer = try worker.fail("t1", body: #"{"reason":"blocked","proxy_port":\#(port)}"#)
        let proxy = try #require(answer["new_proxy"] as? [String: Any])
        #expect(proxy["port"] as? Int != port)
        #expect(try fleet.take("w1") == proxy["port"] as? Int)
        #expect(service.requests.last?.target == "/rotate/\(port)?platform=beacon&reason=blocked")
    }

    @Test(arguments: [
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 502, "UPSTREAM_ERROR"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 502, "UPSTREAM_ERROR"),
        ("HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", 503, "SERVICE_UNAVAILABLE"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 502, "UPSTREAM_ERROR"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}", 502, "UPSTREAM_ERROR"),
        ("garbage", 502, "UPSTREAM_ERROR"), ("", 502, "UPSTREAM_ERROR"),
    ])
    func `a service that fails is told as that, and a task fails without it`(
        _ text: String, _ status: Int, _ code: String
    ) throws {
        let service = try ScriptedServer { _ in .last(text) }
        defer { service.close() }
        let fleet = try ProxyFleet(1, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(service.port)"])
        try expectProblem(
            try fleet.ask(worker: "w1"), status, code, ProblemDetails(says: "the proxy service"))
        #expect(try fleet.loanCount == 0)
        try expectProblem(try fleet.ask("POST", "7001/rotate", worker: "w1"), 404, "NOT_FOUND")
    }

    @Test func `a service that is not there or does not answer is a 502 or a 504`() throws {
        let gone = try ProxyFleet(1, ["GATEWAY_PROXY_SERVICE_URL": "http://127.0.0.1:\(try FreePort.next())"])
        try expectProblem(
            try gone.ask(worker: "w1"), 502, "UPSTREAM_ERROR", ProblemDetails(says: "cannot connect"))
    }

    @Test func `times and limits of the service have their answers`() {
        #expect(Problem(.timedOut(.firstByte), of: "x").status == 504)
        #expect(Problem(.timedOut(.connect), of: "x").code.description == "UPSTREAM_TIMEOUT")
        #expect(Problem(.resetBeforeResponse, of: "x").status == 502)
        #expect(Problem(.overloaded, of: "x").status == 503)
    }

    @Test func `an answer names a proxy only if a worker could use it`() {
        func address(_ json: String) -> String? { TorProxyService.address(in: Array(json.utf8))?.text }
        #expect(address(#"{"host":"10.0.0.1","port":9050,"type":"socks5"}"#) == "10.0.0.1:9050")
        #expect(address(#"{"host":"fe80::1","port":1}"#) == "fe80::1:1")
        for json in [
            #"{"host":"10.0.0.1","port":9050,"type":"http"}"#, #"{"host":"a b","port":1}"#, #"{"host":"","port":1}"#,
            #"{"host":"a\u0000","port":1}"#, #"{"host":"a","port":0}"#, #"{"host":"a","port":"1"}"#, "[]", "",
            #"{"host":"a"}"#, #"{"host":"a","port":65536}"#, #"{"host":"a","port":1} x"#,
        ] {
            #expect(address(json) == nil, "\(json)")
        }
        #expect(TorProxyService.escaped("a b/é~") == "a%20b%2F%C3%A9~")
    }
}
