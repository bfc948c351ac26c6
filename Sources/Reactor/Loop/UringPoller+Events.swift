// Waiting and telling of the io_uring poller. Runs on the reactor's thread.
// One enter a turn hands over what the turn queued and brings what has happened. It waits only where the turn sent
// nothing: loans are told at once, for their owners may be waiting to close or to go on.

import CReactor

extension UringPoller {
    func wait(timeout: Interval?) -> Int {
        let isBusy =
            state.pointee.sendCount > 0 || !state.pointee.pending.isEmpty || !state.pointee.starved.isEmpty
        let status = cr_uring_enter(uring, isBusy ? 0 : timeout.map { max(0, $0.nanoseconds) } ?? -1)
        precondition(status == 0, "io_uring_enter failed: error \(-status)")
        return Int(cr_uring_ready(uring)) + state.pointee.sendCount + state.pointee.pending.count
    }

    func deliver() {
        let ready = cr_uring_ready(uring)
        let count = min(ready, UInt32(Self.eventsMax))
        swap(&state.pointee.pending, &state.pointee.pendingNow)
        if state.pointee.sendCount > 0 {
            noteSends(state.pointee.noted..<ready)
            // Not before all of them were tried (without memory the kernel may leave some for the next enter) and all
            // that it has to say of them is here.
            if cr_uring_queued(uring) == 0, cr_uring_overflows(uring) == 0 { tellSends() }
        }
        for _ in 0..<count {
            let event = cr_uring_event_at(uring, 0)
            cr_uring_consume(uring)
            let token = UringToken(word: event.token)
            switch token.kind {
            case .receive: received(event, token)
            case .poll: polled(event, token)
            case .accept: accepted(event, token)
            case .send, .nobody: break
            }
        }
        state.pointee.noted = ready - count
        tellPending()
        feedStarved()
    }

    /// The slot that an event is for; nil: its tenant has gone.
    func tenant(_ token: UringToken) -> SlotID? {
        guard entries.isLive(at: token.index) else { return nil }
        let id = entries.id(at: token.index)
        return token.isFor(id) ? id : nil
    }

    private func tellPending() {
        for id in state.pointee.pendingNow where entries.isLive(id) {
            let entry = entries.at(id.index)
            entry.pointee.isPending = false
            guard case .stream(let owner) = entry.pointee.owner else { continue }
            tellHeld(id, owner)
            guard entries.isLive(id) else { continue }
            if entry.pointee.failure != 0 {
                owner.failed(SystemError(number: entry.pointee.failure), tag: entry.pointee.tag)
                guard entries.isLive(id) else { continue }
            }
            arrange(id)
        }
        state.pointee.pendingNow.removeAll(keepingCapacity: true)
    }

    // MARK: Listeners

    private func accepted(_ event: cr_uring_event, _ token: UringToken) {
        let isLast = cr_uring_goes_on(event) == 0
        if isLast { state.pointee.requestCount -= 1 }
        guard let id = tenant(token), case .listener(let owner) = entries.at(id.index).pointee.owner else {
            if event.result >= 0 { cr_close(event.result) }
            return
        }
        let entry = entries.at(id.index)
        if isLast { entry.pointee.receiving = .idle }
        switch event.result {
        case 0...:
            var address = cr_address()
            if cr_accepted(event.result, &address) == 0 {
                owner.accepted(Descriptor(event.result), peer: PeerAddress(address), tag: entry.pointee.tag)
            } else {
                cr_close(event.result)
            }
        case -ECANCELED, -EAGAIN, -EINTR, -ECONNABORTED, -EPROTO: break
        default: owner.acceptFailed(SystemError(number: -event.result), tag: entry.pointee.tag)
        }
        guard isLast, entries.isLive(id) else { return }
        if entries.at(id.index).pointee.isRetiring {
            let tag = entries.at(id.index).pointee.tag
            remove(id)
            owner.listeningEnded(tag: tag)
        } else {
            arrange(id)
        }
    }

    // MARK: Polls

    private func polled(_ event: cr_uring_event, _ token: UringToken) {
        state.pointee.requestCount -= 1
        guard let id = tenant(token) else { return }
        let entry = entries.at(id.index)
        entry.pointee.polling = .idle
        if event.result != -ECANCELED {
            let ready = event.result < 0 ? CR_HANGUP : cr_uring_polled(event.result)
            switch entry.pointee.owner {
            case .watch(let owner): owner.ready(Readiness(rawValue: ready), tag: entry.pointee.tag)
            case .stream(let owner): streamReady(id, owner, ready)
            case .listener: break
            }
        }
        if entries.isLive(id) { arrange(id) }
    }

    private func streamReady(_ id: SlotID, _ owner: any StreamOwner, _ ready: UInt32) {
        let entry = entries.at(id.index)
        let tag = entry.pointee.tag
        if entry.pointee.isConnecting {
            let number = cr_socket_error(entry.pointee.descriptor)
            if number != 0 { return owner.failed(SystemError(number: number), tag: tag) }
            entry.pointee.isConnecting = false
            return owner.connected(tag: tag)
        }
        if entry.pointee.isBlocked, ready != 0 {
            // A hang-up too: trying again tells what is wrong.
            entry.pointee.isBlocked = false
            guard entry.pointee.owesSent else { return }
            entry.pointee.owesSent = false
            return owner.sent(0, tag: tag)
        }
        if ready & CR_HANGUP != 0, entry.pointee.wantedPoll != 0 {
            let number = cr_socket_error(entry.pointee.descriptor)
            owner.failed(SystemError(number: number == 0 ? ECONNRESET : number), tag: tag)
        }
    }
}
