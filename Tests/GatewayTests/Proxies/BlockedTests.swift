// Tasks that fail as blocked: the proxy is banned for the platform and another one offered.

import TestSupport
import Testing

@Suite struct BlockedTests {
    /// A fleet in which one worker holds a task and a proxy.
    private func holding(_ proxies: Int, gateways: Int = 1) throws -> (ProxyFleet, WorkerClient, port: Int) {
        let fleet = try ProxyFleet(gateways, ProxyFleet.list(proxies))
        let worker = try WorkerClient(port: fleet.gateways[0].port, id: "w1")
        _ = try worker.enqueue([Sample.task("t1")])
        #expect(try worker.pull("capacity=1").map(\.id) == ["t1"])
        return (fleet, worker, try fleet.take("w1"))
    }

    @Test func `a blocked task bans its proxy for an hour on the task's platform and offers another`() throws {
        let (fleet, worker, port) = try holding(2, gateways: 2)
        let before = wallSeconds()
        let answer = try worker.fail("t1", body: #"{"reason":"blocked","proxy_port":\#(port)}"#)
        #expect(answer["success"] as? Bool == true && answer["should_retry"] as? Bool == true)
        let proxy = try #require(answer["new_proxy"] as? [String: Any])
        #expect(proxy["port"] as? Int != port && proxy["type"] as? String == "socks5")
        #expect(proxy["expires_at"] is String)
        #expect(abs(try #require(try fleet.banEnd("10.0.0.1:\(port)")) / 1000 - before - 3600) < 30)
        // It is the worker's from now on, on every gateway; other platforms may use the old one.
        #expect(try fleet.take("w1", at: 1) == proxy["port"] as? Int)
        #expect(try fleet.banEnd("10.0.0.1:\(port)", "qpublic") == nil)
    }

    @Test func `the worker's word on the platform goes before the task's, even for a task it does not hold`() throws {
        let (fleet, worker, port) = try holding(2)
        let body = #"{"reason":"blocked","proxy_port":\#(port),"platform":"qpublic"}"#
        let answer = try worker.fail("unknown", body: body)
        #expect(answer["success"] as? Bool == false && answer["new_proxy"] != nil)
        #expect(try fleet.banEnd("10.0.0.1:\(port)", "qpublic") != nil)
        #expect(try fleet.banEnd("10.0.0.1:\(port)") == nil)
    }

    @Test(arguments: [
        #"{"reason":"blocked"}"#, #"{"reason":"rate_limited","proxy_port":7001}"#,
        #"{"reason":"blocked","proxy_port":9}"#, #"{"proxy_port":7001}"#,
    ])
    func `other failures ban nothing and offer nothing`(_ body: String) throws {
        let (fleet, worker, port) = try holding(2)
        let answer = try worker.fail("t1", body: body)
        #expect(answer["success"] as? Bool == true && answer["new_proxy"] == nil)
        #expect(try fleet.redis.command("KEYS", "*proxy-bans*") == .array([]))
        #expect(try fleet.take("w1") == port)
    }

    @Test func `with no other proxy the task fails all the same`() throws {
        let (fleet, worker, port) = try holding(1)
        let answer = try worker.fail("t1", body: #"{"reason":"blocked","proxy_port":\#(port)}"#)
        #expect(answer["success"] as? Bool == true && answer["new_proxy"] == nil)
        #expect(try fleet.banEnd("10.0.0.1:\(port)") != nil)
    }

    @Test func `a proxy of another kind of work is not touched`() throws {
        let (fleet, worker, port) = try holding(2)
        _ = try worker.fail("t1", body: #"{"reason":"blocked","proxy_port":\#(port)}"#)
        let party = Set(try (0..<2).map { try fleet.take("p\($0)", kind: "/party") })
        #expect(party.contains(port))
    }
}
