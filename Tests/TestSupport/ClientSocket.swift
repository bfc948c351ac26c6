// A blocking client socket with a deadline for every call: under RawHTTP and RedisClient.
// Owned by one thread. Bytes that arrive are gathered until somebody takes them.

import Foundation

public final class ClientSocket {
    private let descriptor: Int32
    private var isOpen = true
    /// Received and not yet taken.
    public private(set) var received: [UInt8] = []
    public var timeoutSeconds: Double

    /// - Parameters:
    ///   - receiveBufferBytes: SO_RCVBUF: a small one makes a client that takes little at a time.
    public init(port: Int, host: String = "127.0.0.1", timeoutSeconds: Double = 10, receiveBufferBytes: Int32? = nil)
        throws
    {
        self.timeoutSeconds = timeoutSeconds
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        try checkConnected(code, "\(host):\(port)")
    }

    public init(unixPath: String, timeoutSeconds: Double = 10) throws {
        self.timeoutSeconds = timeoutSeconds
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard unixPath.utf8.count <= room else { throw TestFailure("socket path too long: \(unixPath)") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: unixPath.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        try checkConnected(code, unixPath)
    }

    private func checkConnected(_ code: Int32, _ where: String) throws {
        guard code == 0 else { throw TestFailure("cannot connect to \(`where`): \(String(cString: strerror(errno)))") }
    }

    deinit { close() }

    public func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    /// Closes with a reset instead of an orderly end.
    public func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Says that nothing more will be sent; receiving goes on.
    public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends all of `bytes`. While the peer does not take them, what it sends is gathered.
    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        let deadline = monotonicSeconds() + timeoutSeconds
        while sent < bytes.count {
            let events = try wait(for: Int16(POLLIN | POLLOUT), until: deadline, "the peer takes what is sent")
            if events & Int16(POLLOUT) != 0 {
                let count = bytes[sent...].withUnsafeBytes { raw in
                    Glibc.send(
                        descriptor, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
                }
                guard count >= 0 || errno == EAGAIN else {
                    throw TestFailure("send failed: \(String(cString: strerror(errno)))")
                }
                sent += max(0, count)
            } else if try receiveOnce() == 0 {
                throw TestFailure("the peer closed before all was sent")
            }
        }
    }

    /// Waits for more bytes.
    /// - Returns: how many arrived; 0 is the end of the stream.
    public func receive(until deadline: Double? = nil) throws -> Int {
        _ = try wait(for: Int16(POLLIN), until: deadline ?? (monotonicSeconds() + timeoutSeconds), "the peer sends")
        return try receiveOnce()
    }

    /// Whether bytes, or the end, have arrived that nobody has taken.
    public var hasInput: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !received.isEmpty || poll(&entry, 1, 0) > 0
    }

    /// Removes `count` gathered bytes and returns them.
    public func take(_ count: Int) -> [UInt8] {
        let taken = Array(received[..<count])
        received.removeFirst(count)
        return taken
    }

    private func receiveOnce() throws -> Int {
        var room = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &room, room.count, Int32(MSG_DONTWAIT))
        guard count >= 0 else {
            if errno == EAGAIN { throw TestFailure("nothing to receive") }
            throw TestFailure("receive failed: \(String(cString: strerror(errno)))")
        }
        received.append(contentsOf: room[..<count])
        return count
    }

    private func wait(for events: Int16, until deadline: Double, _ what: String) throws -> Int16 {
        guard isOpen else { throw TestFailure("the socket is closed") }
        while true {
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let rest = max(0, deadline - monotonicSeconds())
            let count = poll(&entry, 1, Int32((rest * 1000).rounded(.up)))
            if count > 0 { return entry.revents }
            guard count < 0, errno == EINTR else { throw TestFailure("timeout: \(what)") }
        }
    }
}
