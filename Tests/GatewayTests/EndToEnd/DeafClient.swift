// A client that sends and never takes an answer: RawHTTP would gather what comes. Owned by one thread.

import Glibc
import TestSupport

final class DeafClient {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var bytes: Int32 = 4096
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard code == 0 else { throw TestFailure("cannot connect to \(port)") }
    }

    deinit { close(descriptor) }

    /// Sends `bytes` again and again until none is taken for `quietMs`, or `bytesMax` are sent.
    /// - Returns: how many were taken.
    func sendUntilStuck(_ bytes: [UInt8], bytesMax: Int, quietMs: Int32 = 1000) -> Int {
        var sent = 0
        while sent < bytesMax {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, quietMs) > 0 else { return sent }
            let from = sent % bytes.count
            let count = bytes[from...].withUnsafeBytes { raw in
                send(descriptor, raw.baseAddress, raw.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            guard count > 0 else { return sent }
            sent += count
        }
        return sent
    }
}
