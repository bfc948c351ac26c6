// One listening socket for several reactors: its connections are dealt out in turn.

import TestSupport
import Testing

@testable import Reactor

@Suite struct ConnectionDealerTests {
    @Test func `connections go to the servers in turn, and each serves what it was dealt`() throws {
        let servers = try (0..<3).map { _ in try TestServer() }
        let listener = Handover(try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false))
        let all = servers.map { $0.onReactor { $0 } }
        let isServed = servers[0].onReactor { server in
            server.listen(listener.take(), tag: 7, dealingTo: all)
        }
        #expect(isServed)
        let clients = try (0..<12).map { _ in try RawHTTP(port: Int(listener.boundPort)) }
        for client in clients { #expect(try client.exchange("GET", "/echo").status == 200) }
        for server in servers { #expect(server.onReactor { $0.acceptedCount } == 4) }
        servers[0].onReactor { server in server.stopAccepting {} }
        try eventually("nobody listens") { (try? RawHTTP(port: Int(listener.boundPort))) == nil }
        for client in clients { #expect(try client.exchange("GET", "/echo").status == 200) }
        for server in servers { server.stop() }
    }
}
