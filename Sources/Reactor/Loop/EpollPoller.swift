// The poller over epoll, level-triggered: one receive per stream and turn, sends tried at once.
// Owned by one reactor thread. Limits: `eventsMax` events a wait, `acceptBurstMax` connections a listener and turn,
// `receiveBytes` bytes a receive, `descriptorsMax` descriptors.

import CReactor

final class EpollPoller: Poller {
    static let eventsMax = 512
    static let acceptBurstMax = 64
    static let receiveBytes = 64 * 1024

    private struct Entry {
        enum Owner {
            case listener(any ListenerOwner)
            case stream(any StreamOwner)
            case watch(any WatchOwner)
        }
        let descriptor: Int32
        let owner: Owner
        let tag: UInt32
        var interest: UInt32
        var connecting = false
        /// The peer sends no more: reading again would only say so again.
        var ended = false
    }

    private let epoll: Int32
    private let entries: Slab<Entry>
    private let events: UnsafeMutablePointer<cr_epoll_event>
    private var eventCount = 0
    private let scratch: UnsafeMutableRawBufferPointer

    var name: String { "epoll" }

    init(descriptorsMax: Int) throws(SystemError) {
        let status = cr_epoll_create()
        guard status >= 0 else { throw SystemError(number: -status) }
        epoll = status
        entries = Slab(countMax: descriptorsMax)
        events = .allocate(capacity: Self.eventsMax)
        scratch = .allocate(byteCount: Self.receiveBytes, alignment: 64)
    }

    deinit {
        entries.forEachIndex { index in
            if case .watch = entries.at(index).pointee.owner { return }
            cr_close(entries.at(index).pointee.descriptor)
        }
        cr_close(epoll)
        events.deallocate()
        scratch.deallocate()
    }

    // MARK: Registration

    func addListener(_ descriptor: consuming Descriptor, owner: any ListenerOwner, tag: UInt32) -> SlotID? {
        add(descriptor.release(), .listener(owner), tag, interest: CR_READABLE)
    }

    func addStream(
        _ descriptor: consuming Descriptor, connecting: Bool, owner: any StreamOwner, tag: UInt32
    ) -> SlotID? {
        let interest = connecting ? CR_WRITABLE : CR_READABLE
        return add(descriptor.release(), .stream(owner), tag, interest: interest, connecting: connecting)
    }

    func addWatch(_ descriptor: Int32, interest: Readiness, owner: any WatchOwner, tag: UInt32) -> SlotID? {
        add(descriptor, .watch(owner), tag, interest: interest.rawValue)
    }

    private func add(
        _ descriptor: Int32, _ owner: Entry.Owner, _ tag: UInt32, interest: UInt32, connecting: Bool = false
    ) -> SlotID? {
        let entry = Entry(descriptor: descriptor, owner: owner, tag: tag, interest: interest, connecting: connecting)
        if let id = entries.insert(entry) {
            if cr_epoll_add(epoll, descriptor, interest, id.word) == 0 { return id }
            entries.remove(id.index)
        }
        if case .watch = owner { return nil }
        cr_close(descriptor)
        return nil
    }

    func remove(_ id: SlotID) {
        guard entries.isLive(id) else { return }
        let entry = entries.remove(id.index)
        switch entry.owner {
        case .watch: cr_epoll_remove(epoll, entry.descriptor)
        case .listener:
            // The kernel forgets a socket when all who have it have closed it, and this one may be shared.
            cr_epoll_remove(epoll, entry.descriptor)
            cr_close(entry.descriptor)
        case .stream: cr_close(entry.descriptor)
        }
    }

    func retire(_ listener: SlotID) -> Bool {
        // Whatever was accepted has been told.
        remove(listener)
        return false
    }

    func close() {
        entries.forEachIndex { remove(entries.id(at: $0)) }
    }

    func setWatch(_ id: SlotID, interest: Readiness) {
        guard entries.isLive(id) else { return }
        change(id, to: interest.rawValue)
    }

    func setReceiving(_ id: SlotID, _ receiving: Bool) {
        guard entries.isLive(id) else { return }
        let entry = entries.at(id.index)
        if entry.pointee.ended { return }
        let interest = entry.pointee.interest
        change(id, to: receiving ? interest | CR_READABLE : interest & ~CR_READABLE)
    }

    private func change(_ id: SlotID, to interest: UInt32) {
        let entry = entries.at(id.index)
        guard entry.pointee.interest != interest else { return }
        entry.pointee.interest = interest
        let status = cr_epoll_change(epoll, entry.pointee.descriptor, interest, id.word)
        precondition(status == 0, "epoll refused a change: error \(-status)")
    }

    // MARK: Bytes

    func send(_ id: SlotID, _ bytes: UnsafeRawBufferPointer) -> SendOutcome {
        guard entries.isLive(id) else { return .failed(.connectionReset) }
        let entry = entries.at(id.index)
        let count = cr_send(entry.pointee.descriptor, bytes.baseAddress, bytes.count)
        if count == bytes.count { return .sent(count) }
        guard count >= 0 || -count == Int(EAGAIN) || -count == Int(EINTR) else {
            return .failed(SystemError(number: Int32(-count)))
        }
        change(id, to: entry.pointee.interest | CR_WRITABLE)
        return .sent(max(0, count))
    }

    func endSending(_ id: SlotID) {
        if entries.isLive(id) { cr_end_sending(entries.at(id.index).pointee.descriptor) }
    }

    func peerIsThere(_ id: SlotID) -> Bool {
        entries.isLive(id) && cr_peer_alive(entries.at(id.index).pointee.descriptor) == 1
    }

    // MARK: Events

    func wait(timeout: Interval?) -> Int {
        let count = cr_epoll_wait(epoll, events, Int32(Self.eventsMax), timeout?.nanoseconds ?? -1)
        precondition(count >= 0, "epoll_wait failed: error \(-count)")
        eventCount = Int(count)
        return eventCount
    }

    func deliver() {
        for i in 0..<eventCount {
            let id = SlotID(word: cr_epoll_token(events + i))
            // An event for a descriptor closed earlier in this turn.
            guard entries.isLive(id) else { continue }
            let ready = cr_epoll_ready(events + i)
            switch entries.at(id.index).pointee.owner {
            case .stream(let owner): streamReady(id, owner, ready)
            case .listener(let owner): listenerReady(id, owner)
            case .watch(let owner): owner.ready(Readiness(rawValue: ready), tag: entries.at(id.index).pointee.tag)
            }
        }
        eventCount = 0
    }

    private func listenerReady(_ id: SlotID, _ owner: any ListenerOwner) {
        for _ in 0..<Self.acceptBurstMax {
            guard entries.isLive(id) else { return }
            let entry = entries.at(id.index)
            var address = cr_address()
            let status = cr_accept(entry.pointee.descriptor, &address)
            if status >= 0 {
                owner.accepted(Descriptor(status), peer: PeerAddress(address), tag: entry.pointee.tag)
                continue
            }
            switch -status {
            case EAGAIN: return
            case EINTR, ECONNABORTED, EPROTO: continue
            default: return owner.acceptFailed(SystemError(number: -status), tag: entry.pointee.tag)
            }
        }
    }

    private func streamReady(_ id: SlotID, _ owner: any StreamOwner, _ ready: UInt32) {
        let entry = entries.at(id.index)
        let tag = entry.pointee.tag
        if entry.pointee.connecting { return connectReady(id, owner) }
        if ready & CR_WRITABLE != 0 {
            change(id, to: entry.pointee.interest & ~CR_WRITABLE)
            owner.sent(0, tag: tag)
            guard entries.isLive(id) else { return }
        }
        let reading = entry.pointee.interest & CR_READABLE != 0
        if reading, ready & (CR_READABLE | CR_HANGUP) != 0 {
            receive(id, owner)
        } else if ready & CR_HANGUP != 0 {
            // Nobody reads, and epoll would report the hang-up for ever.
            let number = cr_socket_error(entry.pointee.descriptor)
            owner.failed(SystemError(number: number == 0 ? ECONNRESET : number), tag: tag)
        }
    }

    private func connectReady(_ id: SlotID, _ owner: any StreamOwner) {
        let entry = entries.at(id.index)
        let number = cr_socket_error(entry.pointee.descriptor)
        if number != 0 { return owner.failed(SystemError(number: number), tag: entry.pointee.tag) }
        entry.pointee.connecting = false
        change(id, to: CR_READABLE)
        owner.connected(tag: entry.pointee.tag)
    }

    private func receive(_ id: SlotID, _ owner: any StreamOwner) {
        let entry = entries.at(id.index)
        let tag = entry.pointee.tag
        let count = cr_receive(entry.pointee.descriptor, scratch.baseAddress, scratch.count)
        if count > 0 {
            owner.received(UnsafeRawBufferPointer(rebasing: scratch[0..<count]).bytes, tag: tag)
        } else if count == 0 {
            entry.pointee.ended = true
            change(id, to: entry.pointee.interest & ~CR_READABLE)
            owner.receiveEnded(tag: tag)
        } else if -count != Int(EAGAIN), -count != Int(EINTR) {
            owner.failed(SystemError(number: Int32(-count)), tag: tag)
        }
    }
}
