// Stands between the poller and a stream's owner and speaks TLS: owners are told of what the records carry, and of a
// connection once its handshake is complete. Owned by its stream, on the reactor's thread.
// Limits: `sealedBytesMax` bytes are made into records before the last ones are sent; `outputBytesMax` of records wait
// (a peer that asks for answers and takes none is cut off); one receive of the poller is opened at once.
//
//      poller ─ received ─► open ─► owner.received            handshake ─► established ─► ended, failed
//      poller ◄── send ◄── records ◄── seal ◄── Stream.flush      └─► plain (a client that spoke HTTP)
//
// What a proxy says of a connection may come first (`preface`): the owner is told of it as it is, until `begin(with:)`.

final class TLSLink: StreamOwner {
    /// As much as is encrypted ahead of what the kernel takes.
    static let sealedBytesMax = 64 * 1024
    static let outputBytesMax = 256 * 1024

    private enum State: Equatable {
        /// The owner reads what comes before TLS.
        case preface
        case handshake, established
        /// TLS was given up: bytes pass as they are.
        case plain
        case failed(SystemError)
        case closed
    }

    /// A client's: whom it talks to, and by what that one's certificate is checked.
    private struct Client {
        let peer: TLSPeer
        let context: TLSContext
    }

    private let reactor: Reactor
    private let session: TLSSession
    private let client: Client?
    private let tag: UInt32
    private var owner: (any StreamOwner)?
    private var id = SlotID.none
    private var state = State.handshake
    /// The poller holds or refuses bytes.
    private var isWaiting = false
    /// The owner was told that bytes wait, and is to be told when they go on.
    private var owesSent = false
    /// The peer has said goodbye, or the connection has ended.
    private var hasEnded = false
    /// The connection's sending half is to be shut once all is out.
    private var endsSending = false

    private let outputBytesMax: Int

    /// nil: no memory.
    init?(
        _ role: TLSRole, owner: any StreamOwner, tag: UInt32, reactor: Reactor,
        outputBytesMax: Int = TLSLink.outputBytesMax
    ) {
        self.outputBytesMax = outputBytesMax
        self.reactor = reactor
        self.owner = owner
        self.tag = tag
        switch role {
        case .server(let context):
            guard let made = TLSSession(acceptingBy: context) else { return nil }
            session = made
            client = nil
        case .client(let peer):
            let context = peer.context
            guard let made = peer.makeSession(by: context) else { return nil }
            session = made
            client = Client(peer: peer, context: context)
        }
    }

    /// The poller's slot, as soon as there is one.
    func begin(_ id: SlotID) { self.id = id }

    // MARK: What the stream asks

    var isSecure: Bool { state != .plain }
    var hasPeerCertificate: Bool { state == .established && session.hasPeerCertificate }
    var wasResumed: Bool { session.wasResumed }
    var unsentBytes: Int { session.unsentBytes }

    /// Sends what the owner has gathered, as far as the kernel takes it.
    func flush(_ gathering: inout ByteBuffer) -> Stream.FlushOutcome {
        while true {
            switch state {
            case .failed(let error): return .failed(error)
            case .closed: return .failed(.connectionReset)
            case .preface, .handshake, .established, .plain: break
            }
            if let error = seal(&gathering) { return .failed(error) }
            switch pump() {
            case .done where gathering.isEmpty:
                owesSent = false
                return .done
            case .done where state == .established || state == .plain: continue
            case .done, .waiting:
                owesSent = true
                return .waiting
            case .failed(let error): return .failed(error)
            }
        }
    }

    /// Turns gathered bytes into records, no more than may be ahead.
    private func seal(_ gathering: inout ByteBuffer) -> SystemError? {
        let count = min(gathering.count, Self.sealedBytesMax)
        if count == 0 || isWaiting { return nil }
        let error: SystemError?
        switch state {
        case .established: error = session.seal(gathering.bytes, first: count)
        case .plain: error = session.pass(gathering.bytes, first: count)
        case .preface, .handshake, .failed, .closed: return nil
        }
        gathering.consume(count)
        return error
    }

    /// Sends records that are ready.
    private func pump() -> Stream.FlushOutcome {
        while !isWaiting {
            let records = session.output
            if records.isEmpty {
                if endsSending { reactor.poller.endSending(id) }
                endsSending = false
                return .done
            }
            switch reactor.poller.send(id, records) {
            case .sent(let count):
                session.sent(count)
                isWaiting = count < records.count
            case .inFlight: isWaiting = true
            case .failed(let error): return .failed(error)
            }
        }
        return .waiting
    }

    /// Says goodbye, and nothing more.
    func endSending() {
        if state == .established { session.end() }
        endsSending = true
        // What fails is told by the poller.
        _ = pump()
    }

    /// Stops and resumes receiving.
    func setReceiving(_ receiving: Bool) {
        if !hasEnded { reactor.poller.setReceiving(id, receiving) }
    }

    /// Has the owner read what comes first, before TLS. Only while nothing has come.
    func expectPreface() { state = .preface }

    /// Ends the preface.
    /// - Parameter rest: what came behind it; nothing of the caller's may be in use any more, for it is told of what follows.
    func begin(with rest: RawSpan) {
        precondition(state == .preface, "TLS has begun already")
        state = .handshake
        advance(rest)
    }

    /// Passes what the owner writes as it is from now on, and what comes.
    func giveUp() {
        session.dropOutput()
        state = .plain
    }

    /// Tells nobody anything more.
    /// - Parameter saysGoodbye: all that belongs together has been sent.
    func close(saysGoodbye: Bool) {
        if saysGoodbye, state == .established, !isWaiting {
            session.end()
            // A peer that takes nothing now gets no goodbye.
            _ = pump()
        }
        state = .closed
        owner = nil
    }

    // MARK: What the poller tells

    func connected(tag: UInt32) { advance(RawSpan()) }

    func received(_ bytes: RawSpan, tag: UInt32) {
        switch state {
        case .handshake, .established: if !hasEnded { advance(bytes) }
        case .plain, .preface: owner?.received(bytes, tag: self.tag)
        // Read so that the peer gets to read why.
        case .failed, .closed: break
        }
    }

    /// Goes on with the session and tells the owner what is new, in order: connected, bytes, end.
    private func advance(_ records: RawSpan) {
        var plain = exchange(&reactor.plaintext, for: ByteBuffer())
        let outcome = session.open(records, into: &plain)
        if let client, let given = session.takeResumption() { client.peer.keep(given, of: client.context) }
        if state == .handshake, session.isEstablished { established() }
        if state == .established, !plain.isEmpty { owner?.received(plain.bytes, tag: tag) }
        plain.clear()
        reactor.plaintext = plain
        if state == .closed { return }
        switch outcome {
        case .wantsMore: break
        case .ended: ended()
        case .failed(let error): return fail(error)
        }
        if state == .closed { return }
        if session.unsentBytes > outputBytesMax { return fail(.outputFull) }
        if case .failed(let error) = pump() { owner?.failed(error, tag: tag) }
    }

    private func established() {
        state = .established
        if client != nil { return owner?.connected(tag: tag) ?? () }
        // A server may have answered before: too many connections.
        if owesSent { tellSent(0) }
    }

    private func ended() {
        hasEnded = true
        reactor.poller.setReceiving(id, false)
        owner?.receiveEnded(tag: tag)
    }

    private func fail(_ error: SystemError) {
        if !error.isPlainHTTP {
            state = .failed(error)
            // The alert, which tells the peer what is wrong.
            _ = pump()
        }
        owner?.failed(error, tag: tag)
    }

    private func tellSent(_ count: Int) {
        owesSent = false
        owner?.sent(count, tag: tag)
    }

    func sent(_ count: Int, tag: UInt32) {
        isWaiting = false
        session.sent(count)
        if case .failed(let error) = pump() { owner?.failed(error, tag: self.tag) ?? () }
        if owesSent, state != .closed { tellSent(count) }
    }

    func receiveEnded(tag: UInt32) {
        if hasEnded { return }
        hasEnded = true
        // A server needs no goodbye: a request says itself where it ends. A client's answer may end with the connection.
        if client != nil, state == .handshake || state == .established {
            owner?.failed(.truncated, tag: self.tag)
        } else {
            owner?.receiveEnded(tag: self.tag)
        }
    }

    func failed(_ error: SystemError, tag: UInt32) { owner?.failed(error, tag: self.tag) }
}
