// Receiving of the io_uring poller: the kernel puts bytes into the ring's buffers, each lent to its owner for one call.
// Runs on the reactor's thread. A stream whose owner has stopped receiving is cancelled; what the kernel had received
// before it knew is held and told when the owner goes on. Limits: `heldBytesMax` held for a stream; out of buffers, streams
// wait and ask again in the order in which they went without, as many a turn as there are buffers, those that we opened first.

import CReactor

extension UringPoller {
    /// The kernel receives 32 buffers in a burst, and may begin a second one before it looks at what was cancelled.
    static let heldBytesMax = 2 * 32 * UringPoller.receiveBytes

    func received(_ event: cr_uring_event, _ token: UringToken) {
        let buffer = cr_uring_buffer_of(event)
        let isLast = cr_uring_goes_on(event) == 0
        if isLast { state.pointee.requestCount -= 1 }
        if let id = tenant(token) {
            if isLast { entries.at(id.index).pointee.receiving = .idle }
            tellReceived(id, event.result, buffer)
            if isLast, entries.isLive(id) { arrange(id) }
        }
        if buffer >= 0 { cr_uring_give_back(uring, buffer) }
    }

    private func tellReceived(_ id: SlotID, _ result: Int32, _ buffer: Int32) {
        let entry = entries.at(id.index)
        guard case .stream(let owner) = entry.pointee.owner else { return }
        let tag = entry.pointee.tag
        let isHeld = !entry.pointee.isReceiving || entry.pointee.holdsSomething
        switch result {
        case 1...:
            let bytes = UnsafeRawBufferPointer(start: cr_uring_buffer(uring, buffer), count: Int(result))
            if bytes.count < Self.receiveBytes { entry.pointee.receivesSingly = false }
            if isHeld { entry.pointee.held.append(bytes) } else { owner.received(bytes.bytes, tag: tag) }
        case 0 where isHeld: entry.pointee.heldEnd = .ended
        case 0:
            entry.pointee.hasEnded = true
            owner.receiveEnded(tag: tag)
        case -ENOBUFS:
            entry.pointee.isStarved = true
            if entry.pointee.isOurs {
                state.pointee.starvedOurs.append(id)
            } else {
                state.pointee.starved.append(id)
            }
        case -ECANCELED, -EAGAIN, -EINTR: break
        default: owner.failed(SystemError(number: -result), tag: tag)
        }
    }

    /// Tells what was held while the owner did not receive, a buffer's length at a time, unless it stops again.
    func tellHeld(_ id: SlotID, _ owner: any StreamOwner) {
        let entry = entries.at(id.index)
        let tag = entry.pointee.tag
        guard entry.pointee.isReceiving, !entry.pointee.isConnecting else { return }
        // Taken out meanwhile: the owner may remove the stream.
        var held = exchange(&entry.pointee.held, for: ByteBuffer())
        while !held.isEmpty {
            let count = min(held.count, Self.receiveBytes)
            owner.received(held.bytes.extracting(0..<count), tag: tag)
            guard entries.isLive(id) else { return }
            held.consume(count)
            if !entry.pointee.isReceiving { break }
        }
        guard held.isEmpty else { return entry.pointee.held = held }
        if entry.pointee.isReceiving, entry.pointee.heldEnd == .ended {
            entry.pointee.heldEnd = .none
            entry.pointee.hasEnded = true
            owner.receiveEnded(tag: tag)
        }
    }

    /// Streams that went without a buffer ask again: those that waited longest, as many as there are buffers.
    func feedStarved() {
        for id in state.pointee.starvedOurs where entries.isLive(id) {
            entries.at(id.index).pointee.isStarved = false
            arrange(id)
        }
        state.pointee.starvedOurs.removeAll(keepingCapacity: true)
        guard !state.pointee.starved.isEmpty else { return }
        swap(&state.pointee.starved, &state.pointee.starvedNow)
        for (position, id) in state.pointee.starvedNow.enumerated() {
            guard entries.isLive(id) else { continue }
            if position < starvedBurstMax {
                entries.at(id.index).pointee.isStarved = false
                arrange(id)
            } else {
                state.pointee.starved.append(id)
            }
        }
        state.pointee.starvedNow.removeAll(keepingCapacity: true)
    }
}
