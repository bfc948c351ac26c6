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

    /// - Parameter reactor: outlives the stream; it owns the connection that owns this.
    public init(id: SlotID, reactor: Reactor) {
        self.id = id
        self.reactor = reactor
    }

    /// Bytes written and not yet taken by the kernel.
    public var unsentBytes: Int { gathering.count + leaving.count }

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

    /// Passes received bytes to `body` as the application sees them.
    @inlinable
    public func receive(_ bytes: RawSpan, _ body: (RawSpan) -> Void) { body(bytes) }

    /// Sends what was written, as far as the kernel takes it.
    public mutating func flush() -> FlushOutcome {
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

    /// The poller's `sent`: goes on sending.
    public mutating func sent(_ count: Int) -> FlushOutcome {
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
    public func endSending() { reactor.poller.endSending(id) }

    /// Stops or resumes receiving: back-pressure on the peer.
    public func setReceiving(_ receiving: Bool) { reactor.poller.setReceiving(id, receiving) }

    /// Closes the connection; unsent bytes are dropped.
    public consuming func close() {
        reactor.poller.remove(id)
        returnBuffers()
    }
}

/// Puts `replacement` in place and returns what was there.
public func exchange<Value: ~Copyable>(_ place: inout Value, for replacement: consuming Value) -> Value {
    swap(&place, &replacement)
    return replacement
}
