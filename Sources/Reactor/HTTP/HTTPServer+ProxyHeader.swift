// Connections that begin with a PROXY header, because the application expects one there: from then on their peer is
// the client that it names. Runs on the reactor's thread. Limits: the header's own; it must be here within the time of
// a request's head; the client's connections count as if they came from it. A malformed one costs its connection.

extension HTTPServer {
    func takeProxyHeader(_ bytes: RawSpan, _ index: UInt32) {
        let connection = connections.at(index)
        let before = connection.pointee.input.count
        do throws(ProxyHeader.Malformed) {
            let found: ProxyHeader?
            if before == 0 {
                found = try ProxyHeader.parse(bytes)
                if found == nil { keep(bytes, index) }
            } else {
                keep(bytes, index)
                found = try ProxyHeader.parse(connection.pointee.input.bytes)
            }
            guard let header = found else { return }
            reactor.buffers.give(exchange(&connection.pointee.input, for: ByteBuffer()))
            connection.pointee.owesProxyHeader = false
            let rest = bytes.extracting(header.byteCount - before..<bytes.byteCount)
            let id = connections.id(at: index)
            let isAdmitted = adopt(header.client, index)
            guard connections.isLive(id) else { return }
            // One that is told that there is no room is told so by TLS.
            if let tls = connections.at(index).pointee.stream.tls { return tls.begin(with: rest) }
            if !isAdmitted { return }
            if rest.byteCount > 0 { received(rest, tag: index) }
        } catch {
            close(index)
        }
    }

    /// - Returns: false where the client has too many connections already: it is told so.
    private func adopt(_ client: PeerAddress?, _ index: UInt32) -> Bool {
        guard let client else { return true }
        let connection = connections.at(index)
        let isAdmitted = counter.moved(from: connection.pointee.peer, to: client)
        if !isAdmitted {
            refusedCount += 1
            refuseConnection(.unavailable("too many connections", retryAfterSeconds: 1), ids.next(), index)
            return false
        }
        connection.pointee.peer = client
        return true
    }
}
