// When a connection's patience ends: heads and bodies that dawdle, idle and stuck connections, lingering ones.
// One timer a connection. It is set early and checked late: a request moves no timer, it only notes the time.

extension HTTPServer: TimerOwner {
    private enum Expiry {
        case head, body, idle, stuck, lingering
    }

    public func timerFired(tag: UInt64) {
        if tag == Self.acceptRestTag { acceptAgain() } else { deadlineReached(SlotID(word: tag)) }
    }

    /// A head or a body has begun to arrive, and has a deadline from now on.
    func beginArrival(_ index: UInt32) {
        let connection = connections.at(index)
        guard connection.pointee.arrivalStart == .never else { return }
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

    private func deadlineReached(_ id: SlotID) {
        guard connections.isLive(id) else { return }
        let connection = connections.at(id.index)
        connection.pointee.timer = .none
        connection.pointee.timerDeadline = .never
        guard let (deadline, expiry) = nextDeadline(id.index) else {
            // Requests are with their handlers, who have limits of their own. Whatever deadline begins without
            // `rearm` is an idle one, hence not before this.
            return arm(id.index, reactor.now + limits.idleTimeout)
        }
        if deadline > reactor.now { return arm(id.index, deadline) }
        switch expiry {
        case .idle where isDraining:
            // A request that is on its way meanwhile must not meet a reset. This turn's end closes the connection, or has it
            // linger; its deadline is past until then, and must not fire again in this turn.
            endReading(id.index)
            return arm(id.index, reactor.now + limits.lingerTimeout)
        case .idle, .stuck, .lingering:
            return close(id.index)
        case .head:
            // The empty line that some clients send after a body is no request.
            let isSilent = connection.pointee.input.count <= 2 && connection.pointee.exchangeCount == 0
            if isSilent || connection.pointee.owesProxyHeader { return close(id.index) }
            refuseConnection(.timedOut("the request's head took longer than the limit"), ids.next(), id.index)
        case .body:
            breakBody(.timedOut("the request's body arrives too slowly"), .timedOut, id.index)
        }
        if connections.isLive(id) { rearm(id.index) }
    }

    private func nextDeadline(_ index: UInt32) -> (Instant, Expiry)? {
        let connection = connections.at(index)
        if connection.pointee.phase == .lingering {
            return (connection.pointee.lingeringSince + limits.lingerTimeout, .lingering)
        }
        var next: (Instant, Expiry)?
        if connection.pointee.isSending {
            // One that is refused may still have its TLS handshake before it, and has only so much time for that.
            let patience = connection.pointee.isRefusal ? limits.headerTimeout : limits.idleTimeout
            next = (connection.pointee.lastSent + patience, .stuck)
        }
        if let arrival = arrivalDeadline(index) {
            if next == nil || arrival.0 < next!.0 { next = arrival }
        } else if next == nil, connection.pointee.exchangeCount == 0 {
            next = (connection.pointee.lastActivity + idleTimeout, .idle)
        }
        return next
    }

    private var idleTimeout: Interval {
        isDraining && drainPatience > .zero ? min(limits.idleTimeout, drainPatience) : limits.idleTimeout
    }

    /// The deadline of what is arriving; nil between requests, and while the client waits for us.
    private func arrivalDeadline(_ index: UInt32) -> (Instant, Expiry)? {
        let connection = connections.at(index)
        let start = connection.pointee.arrivalStart
        guard start != .never, connection.pointee.isReceiving, !connection.pointee.owesContinue else { return nil }
        if connection.pointee.phase == .head { return (start + limits.headerTimeout, .head) }
        guard limits.bodyRateBytesMin > 0 else { return nil }
        let earned = Double(connection.pointee.bodyBytes) / Double(limits.bodyRateBytesMin)
        return (start + limits.bodyGrace + .seconds(earned), .body)
    }

    /// Receiving stops or goes on for our own reasons: the client's clock stands still meanwhile.
    func noteReceiving(_ isReceiving: Bool, _ index: UInt32) {
        let connection = connections.at(index)
        if !isReceiving {
            connection.pointee.receivingStopped = reactor.now
        } else if connection.pointee.arrivalStart != .never {
            let pause = reactor.now - connection.pointee.receivingStopped
            connection.pointee.arrivalStart = connection.pointee.arrivalStart + pause
            rearm(index)
        }
    }
}
