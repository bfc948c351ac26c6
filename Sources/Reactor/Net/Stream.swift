// One connection's bytes between the poller and their owner: writes gather, `flush` sends, what the kernel does not
// take waits here in order. Owned by a connection of one reactor. TLS, when there is any, sits inside this type: the
// owner passes what the poller received through `receive` and never sees records.
// Limit: none of its own; owners watch `unsentBytes` and stop producing (back-pressure) above their bound.

/// The sending half's buffers and the identity of one stream.
///
///     write ─► gathering ─(flush)─► poller.send ─► kernel
///                             └─ what was not taken ─► leaving ─► …
public struct Stream: ~Copyable {
    public enum FlushOutcome: Equatable {
        /// Everything is in the kernel's hands.
        case done
        /// Some bytes wait for `sent`.
        case waiting
        case failed(SystemError)
    }

    public let id: SlotID
    private unowned(unsafe) let reactor: Reactor
    private var gathering = ByteBuffer()
    private var leaving = ByteBuffer()
    /// The poller holds or refuses bytes: nothing is sent until it says `sent`.
    private var isWaiting = false
    /// What speaks TLS for it; nil where it is plain.
    let tls: TLSLink?

    /// A plain stream.
    /// - Parameter reactor: outlives the stream; it owns the connection that owns this.
    public init(id: SlotID, reactor: Reactor) {
        self.id = id
        self.reactor = reactor
        tls = nil
    }

    /// A stream over a descriptor that the poller takes over; nil where it has no room, and the descriptor is closed.
    /// - Parameters:
    ///   - connecting: `connected` comes first: once the descriptor is connected and TLS, if any, is agreed on.
    ///   - tls: nil for a plain stream. What is wrong with the peer's certificate is told as `failed`.
    public init?(
        _ descriptor: consuming Descriptor, connecting: Bool, owner: any StreamOwner, tag: UInt32, reactor: Reactor,
        tls role: TLSRole? = nil
    ) {
        var link: TLSLink?
        if let role {
            link = TLSLink(role, owner: owner, tag: tag, reactor: reactor)
            if link == nil { return nil }
        }
        let id = reactor.poller.addStream(descriptor, connecting: connecting, owner: link ?? owner, tag: tag)
        guard let id else { return nil }
        link?.begin(id)
        self.id = id
        self.reactor = reactor
        tls = link
    }

    /// Bytes written and not yet taken by the kernel; of TLS, as many as their records have.
    public var unsentBytes: Int { gathering.count + leaving.count + (tls?.unsentBytes ?? 0) }

    /// Those of them that are records already.
    var sealedBytes: Int { tls?.unsentBytes ?? 0 }

    /// What passes is protected by TLS.
    public var isSecure: Bool { tls?.isSecure ?? false }

    /// The peer has shown a certificate, and an authority that was named vouches for it.
    public var hasPeerCertificate: Bool { tls?.hasPeerCertificate ?? false }

    /// The peer was known from an earlier connection: a short handshake.
    public var wasResumed: Bool { tls?.wasResumed ?? false }

    /// Gives TLS up: the peer does not speak it. What is written leaves as it is.
    mutating func giveUpTLS() { tls?.giveUp() }

    /// Lends the gathering buffer to `body`, which appends to it.
    /// - Parameter bytes: about as many as will be written: for much, a large buffer is borrowed where one is kept.
    @inlinable
    public mutating func write<Failure: Error, Result>(
        expecting bytes: Int = BufferPool.freshBytes, _ body: (inout ByteBuffer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        borrowBuffer(expecting: bytes)
        return try append(body)
    }

    @usableFromInline
    mutating func borrowBuffer(expecting bytes: Int) {
        if gathering.capacity == 0 { gathering = reactor.buffers.take(expecting: bytes) }
    }

    @usableFromInline
    mutating func append<Failure: Error, Result>(
        _ body: (inout ByteBuffer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(&gathering)
    }

    /// Sends what was written, as far as the kernel takes it.
    public mutating func flush() -> FlushOutcome {
        if let tls { return flush(tls) }
        if isWaiting { return .waiting }
        while true {
            if leaving.isEmpty {
                if gathering.isEmpty {
                    returnBuffers()
                    return .done
                }
                swap(&leaving, &gathering)
            }
            let outcome = leaving.bytes.withUnsafeBytes { reactor.poller.send(id, $0) }
            switch outcome {
            case .sent(let count):
                leaving.consume(count)
                if !leaving.isEmpty {
                    isWaiting = true
                    return .waiting
                }
            case .inFlight:
                isWaiting = true
                return .waiting
            case .failed(let error):
                return .failed(error)
            }
        }
    }

    private mutating func flush(_ tls: TLSLink) -> FlushOutcome {
        let outcome = tls.flush(&gathering)
        if outcome == .done { returnBuffers() }
        return outcome
    }

    /// The poller's `sent`: goes on sending.
    public mutating func sent(_ count: Int) -> FlushOutcome {
        if let tls { return flush(tls) }
        isWaiting = false
        leaving.consume(count)
        return flush()
    }

    /// Gives the storage back: an idle connection holds none.
    private mutating func returnBuffers() {
        if gathering.capacity > 0 { reactor.buffers.give(exchange(&gathering, for: ByteBuffer())) }
        if leaving.capacity > 0 { reactor.buffers.give(exchange(&leaving, for: ByteBuffer())) }
    }

    /// Tells the peer that no more bytes come. Call it with nothing unsent.
    public func endSending() {
        if let tls { tls.endSending() } else { reactor.poller.endSending(id) }
    }

    /// Stops or resumes receiving: back-pressure on the peer.
    public func setReceiving(_ receiving: Bool) {
        if let tls { tls.setReceiving(receiving) } else { reactor.poller.setReceiving(id, receiving) }
    }

    /// Closes the connection; unsent bytes are dropped.
    /// - Parameter saysGoodbye: nothing is missing of what the peer expects; TLS tells it so.
    public consuming func close(saysGoodbye: Bool = true) {
        if let tls { tls.close(saysGoodbye: saysGoodbye && gathering.isEmpty) }
        reactor.poller.remove(id)
        returnBuffers()
    }
}

/// Puts `replacement` in place and returns what was there.
public func exchange<Value: ~Copyable>(_ place: inout Value, for replacement: consuming Value) -> Value {
    swap(&place, &replacement)
    return replacement
}
