// Sends what answers wrote, once a turn; then resumes what waited at a bound, or closes what is finished.
// Runs on the reactor's thread. Source: RFC 9112 section 9.6 (closing without destroying the last answer).

extension HTTPServer: TurnParticipant {
    public func turnEnded() {
        while !dirty.isEmpty {
            swap(&dirty, &dirtyNow)
            for id in dirtyNow where connections.isLive(id) {
                connections.at(id.index).pointee.isDirty = false
                settle(connections.at(id.index).pointee.stream.flush(), id.index)
            }
            dirtyNow.removeAll(keepingCapacity: true)
        }
    }

    public func sent(_ count: Int, tag: UInt32) {
        let connection = connections.at(tag)
        connection.pointee.lastActivity = reactor.now
        connection.pointee.lastSent = reactor.now
        settle(connection.pointee.stream.sent(count), tag)
    }

    /// Goes on after a flush: resumes when there is room, closes when all is said.
    private func settle(_ outcome: Stream.FlushOutcome, _ index: UInt32) {
        let id = connections.id(at: index)
        let connection = connections.at(index)
        switch outcome {
        case .failed: return close(index)
        case .waiting where !connection.pointee.isSending:
            connection.pointee.isSending = true
            connection.pointee.lastSent = reactor.now
            rearm(index)
        case .waiting: break
        case .done: connection.pointee.isSending = false
        }
        if connection.pointee.firstExchange != .max {
            tellRoom(connection.pointee.firstExchange, index)
            guard connections.isLive(id) else { return }
        }
        if connection.pointee.isPaused, mayContinue(index) {
            parseInput(index)
            // What was taken up now fills batches whose turn may be over already.
            reactor.turnAgain()
            guard connections.isLive(id) else { return }
            updateReceiving(index)
        }
        if connection.pointee.peerEnded, !connection.pointee.isPaused { connection.pointee.readsNoMore = true }
        if connection.pointee.readsNoMore, connection.pointee.exchangeCount == 0,
            connection.pointee.stream.unsentBytes == 0, connection.pointee.phase != .lingering
        {
            linger(index)
        }
    }

    /// The last answer is out: waits for the peer to close, so that unread bytes of its do not reset the connection
    /// before it has read the answer.
    func linger(_ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.peerEnded { return close(index) }
        leaveBody(.connectionClosed, index)
        reactor.buffers.give(exchange(&connection.pointee.input, for: ByteBuffer()))
        connection.pointee.stream.endSending()
        connection.pointee.phase = .lingering
        connection.pointee.lingeringSince = reactor.now
        if !connection.pointee.isReceiving {
            connection.pointee.isReceiving = true
            connection.pointee.stream.setReceiving(true)
        }
        rearm(index)
    }
}
