// A client chooses the address that it comes from.

import Testing

@testable import Reactor

@Suite struct LocalAddressTests {
    private final class Listener: ListenerOwner {
        var peers: [String] = []
        func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
            peers.append(peer.description)
        }
        func acceptFailed(_ error: SystemError, tag: UInt32) {}
    }

    @Test func `a connection comes from the address that was asked for`() throws {
        let reactor = try Reactor(index: 0, descriptorsMax: 8)
        let descriptor = try Descriptor.listen(host: "127.0.0.1", port: 0, sharedPort: false)
        let port = descriptor.boundPort
        let listener = Listener()
        #expect(reactor.poller.addListener(descriptor, owner: listener, tag: 0) != nil)
        for source in ["127.0.0.3", "127.0.0.4"] {
            let client = try Descriptor.connect(host: "127.0.0.1", port: port, from: source)
            #expect(client.number > 0)
            #expect(reactor.poller.poll(timeout: .seconds(5)) > 0)
        }
        #expect(listener.peers == ["127.0.0.3", "127.0.0.4"])
    }

    @Test func `an address that is not ours, or none at all, is an error`() throws {
        for source in ["192.0.2.1", "nonsense"] {
            #expect(throws: SystemError.self) {
                let client = try Descriptor.connect(host: "127.0.0.1", port: 9, from: source)
                #expect(client.number < 0)
            }
        }
    }
}
