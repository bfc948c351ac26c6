// From listeners to connections: admits within the limits, tells the others that there is no room.
// Runs on the reactor's thread. Limits: `connectionsMax`, `connectionsPerAddressMax`, `refusalsMax`.

extension HTTPServer: ListenerOwner {
    /// How long a listener rests when the process is out of descriptors.
    static let acceptRest = Interval.milliseconds(100)

    public func accepted(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        guard counter.admit(peer) else {
            refusedCount += 1
            if refusalCount < limits.refusalsMax { refuse(descriptor, peer: peer, tag: tag) }
            return
        }
        acceptedCount += 1
        guard let index = adopt(descriptor, peer: peer, tag: tag) else { return counter.left(peer) }
        if handler.expectsProxyHeader(listener: tag, peer: peer) {
            connections.at(index).pointee.owesProxyHeader = true
            // The header comes before TLS.
            connections.at(index).pointee.stream.tls?.expectPreface()
        }
        handler.connectionChanged(listener: tag, isOpen: true)
        rearm(index)
    }

    /// - Returns: the connection's slot; nil when the slab or the poller is full, and the descriptor closed.
    private func adopt(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) -> UInt32? {
        // The stream's tag must be the connection's slot, and the connection needs the stream: the slot comes first.
        let placeholder = HTTPConnection(
            stream: Stream(id: .none, reactor: reactor), peer: peer, listener: tag, now: reactor.now)
        guard let slot = connections.insert(placeholder) else { return nil }
        let opened = Stream(
            descriptor, connecting: false, owner: self, tag: slot.index, reactor: reactor,
            tls: secureListeners[tag].map { .server($0.now) })
        guard let stream = opened else {
            connections.remove(slot.index)
            return nil
        }
        connections.at(slot.index).pointee.stream = stream
        return slot.index
    }

    /// Tells a client that there is no room, and lingers so that it can read this.
    private func refuse(_ descriptor: consuming Descriptor, peer: PeerAddress, tag: UInt32) {
        guard let index = adopt(descriptor, peer: peer, tag: tag) else { return }
        refusalCount += 1
        let connection = connections.at(index)
        connection.pointee.isRefusal = true
        connection.pointee.arrivalStart = .never
        let problem = Problem.unavailable("too many connections", retryAfterSeconds: 1)
        let requestID = ids.next()
        var body = reactor.buffers.take()
        problem.write(to: &body, requestID: requestID)
        connection.pointee.stream.write { answer in
            ResponseHead.start(.serviceUnavailable, into: &answer)
            answer.append(ContentType.json.line)
            answer.append("X-Request-ID: ")
            requestID.write(to: &answer)
            answer.append("\r\n")
            date.appendLine(unixSeconds: Int(reactor.wallMicroseconds / 1_000_000), to: &answer)
            answer.append("Connection: close\r\nRetry-After: 1\r\n")
            ResponseHead.contentLength(body.count, into: &answer)
            ResponseHead.end(into: &answer)
            answer.append(body.bytes)
        }
        reactor.buffers.give(body)
        endReading(index)
    }

    public func acceptFailed(_ error: SystemError, tag: UInt32) {
        for listener in listeners { reactor.poller.setReceiving(listener, false) }
        _ = reactor.schedule(at: reactor.now + Self.acceptRest, self, tag: Self.acceptRestTag)
    }

    /// Where a timer's tag is otherwise a connection's slot: no slot has this word.
    static let acceptRestTag = UInt64.max

    func acceptAgain() {
        for listener in listeners { reactor.poller.setReceiving(listener, true) }
    }
}
