// What one process leaves to the next: its listening sockets. A service manager passes them in the same way
// (sd_listen_fds(3)), and is told how things stand (sd_notify(3)). `InheritedSocket.take` runs before there are threads;
// the rest on threads that may block. Limit: `CR_INHERITED_MAX` sockets.

import CReactor

/// What a listening socket is bound to.
public enum BoundAddress: Equatable, Sendable {
    /// A numeric address.
    case tcp(host: String, port: Int)
    case unix(path: String)

    /// nil: the socket is of another family.
    public init?(descriptor: Int32) {
        var text = [CChar](repeating: 0, count: 256)
        var port: UInt16 = 0
        let kind = cr_bound_name(descriptor, &text, text.count, &port)
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        switch Int(kind) {
        case CR_BOUND_TCP: self = .tcp(host: name, port: Int(port))
        case CR_BOUND_UNIX: self = .unix(path: name)
        default: return nil
        }
    }
}

/// A descriptor that this process was born with.
public struct InheritedSocket: Sendable {
    public var descriptor: Int32
    /// What its giver calls it; "unknown" where it was not said.
    public var name: String
    /// nil: it is no listening stream socket.
    public var address: BoundAddress?

    /// All of them. Later calls find none.
    public static func take() -> [InheritedSocket] {
        var text = [CChar](repeating: 0, count: 65_536)
        let count = cr_inherited_take(&text, text.count)
        let list = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let names = list.split(separator: ":", omittingEmptySubsequences: false).map { String($0) }
        return (0..<Int(count)).map { index in
            let descriptor = Int32(CR_INHERITED_FIRST + index)
            let listens = cr_inherited_adopt(descriptor) == 1
            let name = index < names.count && !names[index].isEmpty ? names[index] : "unknown"
            return InheritedSocket(
                descriptor: descriptor, name: name, address: listens ? BoundAddress(descriptor: descriptor) : nil)
        }
    }
}

/// A socket's file, which its owner removes in the end.
public struct SocketFile: Sendable {
    public let path: String
    private let device: UInt64
    private let number: UInt64

    /// nil: there is none.
    public init?(_ path: String) {
        var device: UInt64 = 0
        var number: UInt64 = 0
        guard cr_socket_file(path, &device, &number) == 1 else { return nil }
        (self.path, self.device, self.number) = (path, device, number)
    }

    /// Removes the file, unless another has taken its place.
    public func remove() {
        guard let now = SocketFile(path), now.device == device, now.number == number else { return }
        unlink(path)
    }
}

/// A new process of this program that takes over our sockets.
public struct Successor: Sendable {
    /// The name of the descriptor by which it says that it serves.
    public static let readyName = "ready"

    public let pid: Int32
    private let ready: Int32

    /// The path of this program's file, as it was when it is asked for: a new version is put at the same place.
    public static func executable() throws(SystemError) -> String {
        var path = [CChar](repeating: 0, count: 4096)
        let status = cr_executable_path(&path, path.count)
        guard status == 0 else { throw SystemError(number: -status) }
        return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Starts it.
    /// - Parameters:
    ///   - arguments: the first is the program's name.
    ///   - sockets: descriptors that stay ours too, with names free of colons.
    public static func start(
        _ executable: String, _ arguments: [String], sockets: [(descriptor: Int32, name: String)]
    ) throws(SystemError) -> Successor {
        var ends: [Int32] = [0, 0]
        var status = cr_pipe(&ends)
        guard status == 0 else { throw SystemError(number: -status) }
        let descriptors = sockets.map(\.descriptor) + [ends[1]]
        let names = (sockets.map(\.name) + [readyName]).joined(separator: ":")
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        status = cr_spawn_inheriting(executable, &argv, descriptors, Int32(descriptors.count), names)
        for argument in argv { free(argument) }
        cr_close(ends[1])
        guard status > 0 else {
            cr_close(ends[0])
            throw SystemError(number: -status)
        }
        return Successor(pid: status, ready: ends[0])
    }

    /// Waits until it serves. Called once.
    /// - Returns: false where it ended instead, or was ended after `timeout`.
    public func waitUntilReady(_ timeout: Interval) -> Bool {
        let heard = cr_pipe_hear(ready, Int32(clamping: timeout.nanoseconds / 1_000_000))
        cr_close(ready)
        if heard == 1 { return true }
        if heard < 0 { cr_child_signal(pid, SIGKILL) }
        cr_child_reap(pid)
        return false
    }

    /// Asks it to end, while it is not ready.
    public func terminate() { cr_child_signal(pid, SIGTERM) }

    /// Says to the process that started this one that it may go.
    /// - Parameter ready: the descriptor of that name, closed here.
    public static func tellPredecessor(_ ready: consuming Descriptor) { cr_pipe_tell(ready.number) }
}

/// The service manager, where there is one.
public enum ServiceManager {
    /// - Parameter state: as in sd_notify(3): `READY=1`, `MAINPID=7`.
    public static func tell(_ state: String) { cr_notify(state) }
}
