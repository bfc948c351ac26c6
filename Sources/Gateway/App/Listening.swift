// The listening sockets of the process: those that came with it (from a service manager, or from the process that it
// succeeds) and those that it opens. Built on the main thread before the reactors take them over.
// Limit: `CR_INHERITED_MAX` inherited sockets. Source: the HTTP contract, section 1.

import Logging
import Reactor

/// A listening socket on its way to its reactor, which takes it over.
struct ListeningSocket: Sendable {
    var descriptor: Int32
    /// Index of its `ListenerSetting`.
    var tag: UInt32
    /// Reactor that accepts.
    var reactor: Int
    /// Reactors that its connections are dealt to; the first of them accepts.
    var dealtTo: [Int]
    /// How it is called when it is passed on.
    var name: String
}

struct Listening: Sendable {
    private(set) var sockets: [ListeningSocket] = []
    /// Files of Unix sockets that are ours to remove.
    private(set) var files: [SocketFile] = []
    private let reactors: Int
    private let logger = Logger(label: "gateway")

    /// What a predecessor's sockets are called: this, and the address that it was told to listen on. A port that the kernel
    /// chose is found by it too.
    static let ownPrefix = "gateway "

    /// - Parameter inherited: sockets that came with the process; those of no listener are closed.
    init(
        _ listeners: [ListenerSetting], reactors: Int, unixMode: Int, inherited: [InheritedSocket]
    ) throws(StartFailure) {
        self.reactors = reactors
        var inherited = inherited
        for (tag, listener) in listeners.enumerated() {
            let name = Self.ownPrefix + Self.text(listener.address).replacing(":", with: "|")
            var mine: [InheritedSocket] = []
            inherited.removeAll { socket in
                guard socket.name == name || (!socket.isOurs && socket.address == listener.bound) else { return false }
                mine.append(socket)
                return true
            }
            if mine.isEmpty {
                try open(listener, UInt32(tag), name, unixMode: unixMode)
            } else {
                take(mine, UInt32(tag), listener)
            }
        }
        for socket in inherited {
            logger.warning("a socket that came with the process has no listener", metadata: ["name": "\(socket.name)"])
            _ = Descriptor(socket.descriptor)
        }
    }

    /// For a successor.
    var passedOn: [(descriptor: Int32, name: String)] { sockets.map { ($0.descriptor, $0.name) } }

    private static func text(_ address: SocketAddress) -> String {
        switch address {
        case .tcp(let host, let port): "\(bracketed(host)):\(port)"
        case .unix(let path): path
        }
    }

    // MARK: Inherited

    /// Spreads the sockets of a listener over the reactors, so that each reactor gets connections of it.
    private mutating func take(_ inherited: [InheritedSocket], _ tag: UInt32, _ listener: ListenerSetting) {
        for (index, socket) in inherited.enumerated() {
            add(socket.descriptor, tag, socket.name, index: index, of: inherited.count)
        }
        if case .unix(let path) = listener.address, inherited[0].isOurs, let file = SocketFile(path) {
            files.append(file)
        }
        tell(listener.address, inherited[0].descriptor, from: "inherited")
    }

    private mutating func add(_ descriptor: Int32, _ tag: UInt32, _ name: String, index: Int, of count: Int) {
        let reactor = index % reactors
        let dealtTo = count >= reactors ? [reactor] : Array(stride(from: reactor, to: reactors, by: count))
        sockets.append(
            ListeningSocket(descriptor: descriptor, tag: tag, reactor: reactor, dealtTo: dealtTo, name: name))
    }

    // MARK: Opened

    /// One TCP socket a reactor, all on the listener's port: the kernel spreads connections over them. A Unix socket is one.
    private mutating func open(
        _ listener: ListenerSetting, _ tag: UInt32, _ name: String, unixMode: Int
    ) throws(StartFailure) {
        switch listener.address {
        case .tcp(let host, var port):
            let numeric = try attempt("GATEWAY_HOST \(host)") { () throws(SystemError) in
                try PeerAddress.resolve(host)
            }
            for index in 0..<reactors {
                let descriptor = try attempt("cannot listen on \(host):\(port)") { () throws(SystemError) in
                    try Descriptor.listen(host: numeric, port: UInt16(port), sharedPort: true)
                }
                port = Int(descriptor.boundPort)
                add(descriptor.release(), tag, name, index: index, of: reactors)
            }
        case .unix(let path):
            let descriptor = try attempt("cannot listen on \(path)") { () throws(SystemError) in
                try Descriptor.listen(path: path, mode: UInt32(unixMode))
            }
            if let file = SocketFile(path) { files.append(file) }
            add(descriptor.release(), tag, name, index: 0, of: 1)
        }
        if let first = sockets.last { tell(listener.address, first.descriptor, from: "opened") }
    }

    private func attempt<Value: ~Copyable>(
        _ what: String, _ body: () throws(SystemError) -> Value
    ) throws(StartFailure) -> Value {
        do {
            return try body()
        } catch {
            throw StartFailure(description: "\(what): \(error)")
        }
    }

    private func tell(_ address: SocketAddress, _ descriptor: Int32, from source: String) {
        switch address {
        case .tcp(let host, let port):
            let bound = if case .tcp(_, let number)? = BoundAddress(descriptor: descriptor) { number } else { port }
            logger.info(
                "listening", metadata: ["address": "\(host):\(bound)", "port": "\(bound)", "socket": "\(source)"])
        case .unix(let path): logger.info("listening", metadata: ["address": "\(path)", "socket": "\(source)"])
        }
    }
}

extension InheritedSocket {
    /// Whether a gateway opened it, which this one succeeds.
    var isOurs: Bool { name.hasPrefix(Listening.ownPrefix) }
    /// By which the gateway that this one succeeds is told that it serves.
    var isReadyPipe: Bool { address == nil && name == Successor.readyName }
}

extension ListenerSetting {
    /// What its socket would be bound to; nil where the kernel chooses the port, or the host is not known.
    var bound: BoundAddress? {
        switch address {
        case .unix(let path): return .unix(path: path)
        case .tcp(_, 0): return nil
        case .tcp(let host, let port):
            // `try?`: a name that is not known is told when its socket is opened.
            guard let numeric = try? PeerAddress.resolve(host) else { return nil }
            return .tcp(host: numeric, port: port)
        }
    }

    /// A listener for a socket that a service manager passed: its surface is its name, or everything.
    fileprivate init?(_ socket: InheritedSocket) {
        switch socket.address {
        case .tcp(let host, let port)?: address = .tcp(host: host, port: port)
        case .unix(let path)?: address = .unix(path: path)
        case nil: return nil
        }
        isPlain = socket.name.hasSuffix("+plain")
        let name = isPlain ? String(socket.name.dropLast("+plain".count)) : socket.name
        surfaces = Surfaces.names.first { $0.name == name }?.surfaces ?? []
    }
}

extension GatewayConfiguration {
    /// This configuration with a listener for each socket that a service manager passed. Sockets at an address of
    /// `GATEWAY_LISTENERS` are that listener's; others serve the surface that they are named after, and without
    /// `GATEWAY_LISTENERS` everything if they are named otherwise.
    func listening(on inherited: [InheritedSocket]) -> GatewayConfiguration {
        var result = self
        for socket in inherited where !socket.isOurs {
            guard var listener = ListenerSetting(socket) else { continue }
            if listener.surfaces.isEmpty, listeners.isEmpty { listener.surfaces = .all }
            let isKnown = result.listeners.contains { $0.bound == socket.address || $0.address == listener.address }
            if !isKnown, !listener.surfaces.isEmpty { result.listeners.append(listener) }
        }
        return result
    }
}
