// The poller over io_uring: what the kernel is asked for is queued, and one enter a turn hands it over and waits.
// Owned by one reactor thread, the first that waits. Limits: `bufferCount` buffers of `receiveBytes` to receive into,
// `sendsMax` sends a turn (more are tried at once), `descriptorsMax` descriptors.
//
//     accept, receive: multishot, asked for once · poll: once an event, so that it is level-triggered
//     send: tried when it is handed over, never later; the loan ends with that enter and is told at the next `deliver`
//     remove: what the kernel still does for the descriptor is cancelled first; its last word finds a stale slot
//
// Split by what happens: +Receiving, +Sending, +Events (waiting and telling).

import CReactor

final class UringPoller: Poller {
    static let bufferCount = 256
    static let receiveBytes = 16 * 1024
    static let sendsMax = 512
    /// Events told a turn, as many as epoll's poller tells: a burst of connections must not become one burst of requests to
    /// those behind us. The others come first in the next turn.
    static let eventsMax = EpollPoller.eventsMax
    /// `close` waits this often, a hundredth of a second each time, for the kernel's last words.
    static let closingTriesMax = 100

    /// What changes lies behind a pointer: an access to a `var` of a class is checked for exclusivity when it happens.
    struct State {
        /// Requests that the kernel has not said its last word about: accepts, receives, polls.
        var requestCount = 0
        /// Which of the two banks of `sends` is being filled, and how far.
        var bank = 0
        var sendCount = 0
        /// Unread events of earlier turns, whose sends have been noted.
        var noted: UInt32 = 0
        /// Streams to look at in the next `deliver` although the kernel has nothing for them.
        var pending: [SlotID] = []
        var pendingNow: [SlotID] = []
        /// Streams whose receiving stopped for want of buffers, first come first served; those that we opened before
        /// all others, whose requests may wait for these answers.
        var starved: [SlotID] = []
        var starvedNow: [SlotID] = []
        var starvedOurs: [SlotID] = []
    }

    /// One loan in the kernel's hands. `result` is negative (an errno) or the bytes that were taken.
    struct Sending {
        var stream: SlotID
        let lent: Int
        var result: Int
    }

    let uring: UnsafeMutablePointer<cr_uring>
    let entries: Slab<UringEntry>
    let state: UnsafeMutablePointer<State>
    let sends: UnsafeMutablePointer<Sending>
    private let bufferCount: Int

    var name: String { "io_uring" }

    /// - Parameter bufferCount: a power of two.
    init(descriptorsMax: Int, bufferCount: Int = UringPoller.bufferCount) throws(SystemError) {
        precondition(descriptorsMax < UringToken.indexMax, "more descriptors than a token can name")
        var created: UnsafeMutablePointer<cr_uring>?
        let status = cr_uring_create(&created, UInt32(bufferCount), UInt32(Self.receiveBytes))
        guard status == 0, let created else { throw SystemError(number: -status) }
        uring = created
        entries = Slab(countMax: descriptorsMax)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        sends = .allocate(capacity: 2 * Self.sendsMax)
        self.bufferCount = bufferCount
    }

    deinit {
        if cr_uring_is_mine(uring) != 0 {
            close()
        } else {
            // Never entered, or its thread is gone: nothing more can be asked of the ring.
            entries.forEachIndex { index in
                if !entries.at(index).pointee.isWatch { cr_close(entries.at(index).pointee.descriptor) }
            }
        }
        cr_uring_destroy(uring)
        state.deinitialize(count: 1)
        state.deallocate()
        sends.deallocate()
    }

    /// Requests that the kernel has not said its last word about.
    var requestCount: Int { state.pointee.requestCount }

    // MARK: Registration

    func addListener(_ descriptor: consuming Descriptor, owner: any ListenerOwner, tag: UInt32) -> SlotID? {
        add(UringEntry(descriptor.release(), .listener(owner), tag))
    }

    func addStream(
        _ descriptor: consuming Descriptor, connecting: Bool, owner: any StreamOwner, tag: UInt32
    ) -> SlotID? {
        add(UringEntry(descriptor.release(), .stream(owner), tag, connecting: connecting))
    }

    func addWatch(_ descriptor: Int32, interest: Readiness, owner: any WatchOwner, tag: UInt32) -> SlotID? {
        add(UringEntry(descriptor, .watch(owner), tag, interest: interest.rawValue))
    }

    private func add(_ entry: consuming UringEntry) -> SlotID? {
        let descriptor = entry.descriptor
        let isWatch = entry.isWatch
        guard let id = entries.insert(entry) else {
            if !isWatch { cr_close(descriptor) }
            return nil
        }
        arrange(id)
        return id
    }

    func remove(_ id: SlotID) {
        guard entries.isLive(id) else { return }
        let entry = entries.at(id.index)
        if entry.pointee.loan >= 0 { endLoan(entry) }
        if entry.pointee.receiving == .asked { cr_uring_cancel(uring, receivingToken(id)) }
        if entry.pointee.polling == .asked { cr_uring_cancel(uring, token(.poll, id)) }
        // Behind all that was queued for this number, so that nothing of it can meet the number's next bearer.
        if !entry.pointee.isWatch { cr_uring_close(uring, entry.pointee.descriptor) }
        entries.remove(id.index)
    }

    func retire(_ listener: SlotID) -> Bool {
        guard entries.isLive(listener) else { return false }
        let entry = entries.at(listener.index)
        entry.pointee.isReceiving = false
        entry.pointee.isRetiring = true
        arrange(listener)
        if entry.pointee.receiving != .idle { return true }
        remove(listener)
        return false
    }

    func close() {
        entries.forEachIndex { remove(entries.id(at: $0)) }
        state.pointee.pending.removeAll()
        state.pointee.starved.removeAll()
        state.pointee.starvedOurs.removeAll()
        for _ in 0..<Self.closingTriesMax {
            let isDone = state.pointee.requestCount == 0
            guard cr_uring_enter(uring, isDone ? 0 : Interval.milliseconds(10).nanoseconds) == 0 else { return }
            deliver()
            if isDone { return }
        }
    }

    func setWatch(_ id: SlotID, interest: Readiness) {
        guard entries.isLive(id) else { return }
        entries.at(id.index).pointee.interest = interest.rawValue
        arrange(id)
    }

    func setReceiving(_ id: SlotID, _ receiving: Bool) {
        guard entries.isLive(id) else { return }
        let entry = entries.at(id.index)
        entry.pointee.isReceiving = receiving
        if !receiving { entry.pointee.receivesSingly = true }
        if receiving, entry.pointee.holdsSomething { addPending(id) }
        arrange(id)
    }

    func endSending(_ id: SlotID) {
        guard entries.isLive(id) else { return }
        let entry = entries.at(id.index)
        if entry.pointee.loan >= 0 { submit() }
        cr_end_sending(entry.pointee.descriptor)
    }

    func peerIsThere(_ id: SlotID) -> Bool {
        entries.isLive(id) && cr_peer_alive(entries.at(id.index).pointee.descriptor) == 1
    }

    // MARK: What is asked of the kernel

    /// Asks for what an entry wants and does not have, and cancels what it has and does not want. What is being
    /// cancelled comes back here with its last event.
    func arrange(_ id: SlotID) {
        let entry = entries.at(id.index)
        let descriptor = entry.pointee.descriptor
        let wantsReceiving = entry.pointee.wantsReceiving
        switch entry.pointee.receiving {
        case .idle where wantsReceiving && !entry.pointee.isStarved:
            entry.pointee.receiving = .asked
            state.pointee.requestCount += 1
            if case .listener = entry.pointee.owner {
                cr_uring_accept(uring, descriptor, token(.accept, id))
            } else {
                cr_uring_receive(uring, descriptor, entry.pointee.receivesSingly ? 1 : 0, token(.receive, id))
            }
        case .asked where !wantsReceiving:
            entry.pointee.receiving = .ending
            cr_uring_cancel(uring, receivingToken(id))
        default: break
        }
        let wanted = entry.pointee.wantedPoll
        switch entry.pointee.polling {
        case .idle where wanted != 0:
            entry.pointee.polling = .asked
            entry.pointee.polled = wanted
            state.pointee.requestCount += 1
            cr_uring_poll(uring, descriptor, wanted, token(.poll, id))
        case .asked where wanted != entry.pointee.polled:
            entry.pointee.polling = .ending
            cr_uring_cancel(uring, token(.poll, id))
        default: break
        }
    }

    func token(_ kind: UringToken.Kind, _ id: SlotID) -> UInt64 { UringToken(kind, id).word }

    private func receivingToken(_ id: SlotID) -> UInt64 {
        if case .listener = entries.at(id.index).pointee.owner { return token(.accept, id) }
        return token(.receive, id)
    }

    /// Has the next `deliver` come at once and look at a stream.
    func addPending(_ id: SlotID) {
        let entry = entries.at(id.index)
        if entry.pointee.isPending { return }
        entry.pointee.isPending = true
        state.pointee.pending.append(id)
    }

    /// Hands over what is queued, in the middle of a turn.
    func submit() {
        let status = cr_uring_submit(uring)
        precondition(status == 0, "io_uring refused requests: error \(-status)")
    }

    /// Streams that may ask for buffers again in one turn: all buffers are free at its end.
    var starvedBurstMax: Int { bufferCount }
}
