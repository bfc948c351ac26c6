// Deals the connections of one listening socket out to the servers of several reactors, in turn: where the kernel cannot
// spread them, as over a Unix socket or one that came with the process. Runs on the reactor's thread that has the socket.
// Limit: a reactor whose mailbox is full is passed over.

final class ConnectionDealer: ListenerOwner {
    private unowned let own: HTTPServer
    private let servers: [HTTPServer]
    private var next = 0

    /// - Parameter servers: all that take connections, `own` among them.
    init(of own: HTTPServer, to servers: [HTTPServer]) {
        precondition(servers.contains { $0 === own }, "a dealer serves too")
        self.own = own
        self.servers = servers
    }

    func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        let server = servers[next]
        next = (next + 1) % servers.count
        if server === own { return own.accepted(descriptor, peer: peer, tag: tag) }
        let number = descriptor.release()
        let isTaken = server.reactor.post { server.accepted(Descriptor(number), peer: peer, tag: tag) }
        if !isTaken { own.accepted(Descriptor(number), peer: peer, tag: tag) }
    }

    func acceptFailed(_ error: SystemError, tag: UInt32) { own.acceptFailed(error, tag: tag) }

    func listeningEnded(tag: UInt32) { own.listeningEnded(tag: tag) }
}
