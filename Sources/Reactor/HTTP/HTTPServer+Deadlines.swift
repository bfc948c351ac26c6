// When a connection's patience ends: heads and bodies that dawdle, idle and stuck connections, lingering ones.
// One timer a connection. It is set early and checked late: a request moves no timer, it only notes the time.

extension HTTPServer {
    private enum Expiry {
        case head, body, idle, stuck, lingering
    }

    /// A head or a body has begun to arrive, and has a deadline from now on.
    func beginArrival(_ index: UInt32) {
        let connection = connections.at(index)
        guard connection.pointee.arrivalStart == nil else { return }
        connection.pointee.arrivalStart = reactor.now
        rearm(index)
    }

    /// Makes the timer fire no later than the next deadline.
    func rearm(_ index: UInt32) {
        let connection = connections.at(index)
        guard let (deadline, _) = nextDeadline(index), deadline < connection.pointee.timerDeadline else { return }
        reactor.cancel(connection.pointee.timer)
        arm(index, deadline)
    }

    private func arm(_ index: UInt32, _ deadline: Instant) {
        let connection = connections.at(index)
        connection.pointee.timerDeadline = deadline
        connection.pointee.timer = reactor.schedule(at: deadline, self, tag: connections.id(at: index).word)
    }

    func deadlineReached(_ id: SlotID) {
        guard connections.isLive(id) else { return }
        let connection = connections.at(id.index)
        connection.pointee.timer = .none
        connection.pointee.timerDeadline = Instant(nanoseconds: .max)
        guard let (deadline, expiry) = nextDeadline(id.index) else {
            // Requests are with their handlers, who have limits of their own; look again later.
            return arm(id.index, reactor.now + limits.idleTimeout)
        }
        if deadline > reactor.now { return arm(id.index, deadline) }
        switch expiry {
        case .idle, .stuck, .lingering:
            close(id.index)
        case .head:
            if connection.pointee.input.isEmpty, connection.pointee.exchangeCount == 0 { return close(id.index) }
            refuseConnection(.timedOut("the request's head took longer than the limit"), id.index)
        case .body:
            breakBody(.timedOut("the request's body arrives too slowly"), .timedOut, id.index)
        }
    }

    private func nextDeadline(_ index: UInt32) -> (Instant, Expiry)? {
        let connection = connections.at(index)
        if connection.pointee.phase == .lingering {
            return (connection.pointee.lastActivity + limits.lingerTimeout, .lingering)
        }
        let stuck = connection.pointee.lastActivity + limits.idleTimeout
        if connection.pointee.stream.unsentBytes > 0 { return (stuck, .stuck) }
        if let start = connection.pointee.arrivalStart {
            if connection.pointee.phase == .head { return (start + limits.headerTimeout, .head) }
            // Not receiving is our own doing: the client's clock does not run.
            guard connection.pointee.isReceiving else { return nil }
            let earned = Double(connection.pointee.bodyBytes) / Double(limits.bodyRateBytesMin)
            return (start + limits.bodyGrace + .seconds(earned), .body)
        }
        return connection.pointee.exchangeCount == 0 ? (stuck, .idle) : nil
    }
}
