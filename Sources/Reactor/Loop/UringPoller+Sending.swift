// Sends of the io_uring poller: loans are queued, tried all together by the next enter, and told at the next `deliver`.
// Runs on the reactor's thread. A loan is the kernel's from `send` to that enter and no longer, for a send is tried once
// and then over (MSG_DONTWAIT): a stream that is removed meanwhile has the queue handed over first.
// Limits: `sendsMax` loans; one more is sent at once. `sendBytesMax` bytes a loan; the rest counts as not taken.

import CReactor

extension UringPoller {
    static let sendBytesMax = 1 << 30

    func send(_ id: SlotID, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        guard entries.isLive(id) else { return .failed(.connectionReset) }
        if bytes.isEmpty { return .sent(0) }
        let entry = entries.at(id.index)
        precondition(entry.pointee.loan < 0, "sent while the poller keeps a loan")
        if entry.pointee.isBlocked {
            entry.pointee.owesSent = true
            return .sent(0)
        }
        if entry.pointee.failure != 0 { return .failed(SystemError(number: entry.pointee.failure)) }
        let count = min(bytes.count, Self.sendBytesMax)
        guard state.pointee.sendCount < Self.sendsMax else { return sendAtOnce(id, bytes) }
        let place = state.pointee.bank * Self.sendsMax + state.pointee.sendCount
        state.pointee.sendCount += 1
        (sends + place).initialize(to: Sending(stream: id, lent: count, result: count))
        entry.pointee.loan = Int32(place)
        cr_uring_send(
            uring, entry.pointee.descriptor, bytes.baseAddress, UInt32(count), UringToken(sendAt: place).word)
        return .inFlight
    }

    private func sendAtOnce(_ id: SlotID, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        let entry = entries.at(id.index)
        let count = cr_send(entry.pointee.descriptor, bytes.baseAddress, bytes.count)
        if count == bytes.count { return .sent(count) }
        guard count >= 0 || Self.isNothing(-count) else { return .failed(SystemError(number: Int32(-count))) }
        entry.pointee.owesSent = true
        block(id)
        return .sent(max(0, count))
    }

    private static func isNothing(_ error: Int) -> Bool { error == Int(EAGAIN) || error == Int(EINTR) }

    private func block(_ id: SlotID) {
        entries.at(id.index).pointee.isBlocked = true
        arrange(id)
    }

    /// Gets a loan back from the kernel before its stream is gone. Nobody is told what became of it.
    func endLoan(_ entry: UnsafeMutablePointer<UringEntry>) {
        submit()
        precondition(cr_uring_queued(uring) == 0, "the kernel did not take what it was asked")
        sends[Int(entry.pointee.loan)].stream = .none
        entry.pointee.loan = -1
    }

    /// Notes what became of sends that were not taken whole, out of unread events.
    func noteSends(_ places: Range<UInt32>) {
        for i in places {
            let event = cr_uring_event_at(uring, i)
            let token = UringToken(word: event.token)
            if token.kind == .send { sends[Int(token.index)].result = Int(event.result) }
        }
    }

    /// Tells the owners what became of their loans. Those that they lend meanwhile go to the other bank.
    func tellSends() {
        let first = state.pointee.bank * Self.sendsMax
        let count = state.pointee.sendCount
        state.pointee.bank = 1 - state.pointee.bank
        state.pointee.sendCount = 0
        for place in first..<first + count {
            let id = sends[place].stream
            guard entries.isLive(id) else { continue }
            tellSend(id, sends[place].result, sends[place].lent)
        }
    }

    private func tellSend(_ id: SlotID, _ result: Int, _ lent: Int) {
        let entry = entries.at(id.index)
        guard case .stream(let owner) = entry.pointee.owner else { return }
        entry.pointee.loan = -1
        if result == lent { return owner.sent(result, tag: entry.pointee.tag) }
        guard result >= 0 || Self.isNothing(-result) else {
            // Told a turn later: what the peer sent before it went is to be received first.
            entry.pointee.failure = Int32(-result)
            return addPending(id)
        }
        block(id)
        if result > 0 {
            owner.sent(result, tag: entry.pointee.tag)
        } else {
            entry.pointee.owesSent = true
        }
    }
}
