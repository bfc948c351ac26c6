// Answers written in pieces: large proxied bodies, server-sent events.
// Runs on the reactor's thread. Limit: a writer stops at `streamBytesMax` unsent bytes until `hasRoom`.
// Source: RFC 9112 sections 6.3 and 7.1.

extension HTTPServer {
    /// Sends the head of an answer whose body follows through `writeBody`.
    /// - Parameter length: bytes of the whole body where they are known; without it the body is chunked, or ended by
    ///   closing for HTTP/1.0.
    public func beginResponse(
        _ exchange: SlotID, status: Int, type: ContentType = .json, length: Int? = nil,
        headers: (inout ByteBuffer) -> Void = { _ in }
    ) {
        guard mayAnswer(exchange, in: .open) else { return }
        let slot = exchanges.at(exchange.index)
        let hasBody = prepareAnswer(exchange, status)
        let mayHaveLength = status != 204 && status != 304
        slot.pointee.state = .streaming
        if !hasBody {
            slot.pointee.answerFraming = .none
        } else if let length {
            slot.pointee.answerFraming = .length(remaining: length)
        } else if slot.pointee.isHTTP10 {
            slot.pointee.answerFraming = .close
            slot.pointee.closes = true
            endReading(slot.pointee.connection.index)
        } else {
            slot.pointee.answerFraming = .chunked
        }
        let isChunked = mayHaveLength && length == nil && !slot.pointee.isHTTP10
        write(exchange) { buffer in
            writeHead(
                status, type, slot, mayHaveLength ? length : nil,
                { buffer in
                    if isChunked { ResponseHead.chunked(into: &buffer) }
                    headers(&buffer)
                }, to: &buffer)
        }
    }

    /// Sends a piece of an answer's body.
    /// - Returns: bytes that wait for the client; at `limits.streamBytesMax` or above the writer stops until
    ///   `RequestHandler.hasRoom`. nil: the client has gone.
    public func writeBody(_ exchange: SlotID, _ bytes: RawSpan) -> Int? {
        guard mayAnswer(exchange, in: .streaming) else { return nil }
        let slot = exchanges.at(exchange.index)
        let count = bytes.byteCount
        if count > 0 {
            switch slot.pointee.answerFraming {
            case .none: break
            case .close: write(exchange) { $0.append(bytes) }
            case .chunked:
                write(exchange) { ChunkedWriter.append(bytes, to: &$0) }
            case .length(let remaining):
                precondition(count <= remaining, "an answer's body is longer than announced")
                slot.pointee.answerFraming = .length(remaining: remaining - count)
                write(exchange) { $0.append(bytes) }
            }
            slot.pointee.answerBytes += count
        }
        let waiting = waitingBytes(exchange)
        if waiting >= limits.streamBytesMax { slot.pointee.awaitsRoom = true }
        return waiting
    }

    /// Ends an answer begun with `beginResponse`; before an announced length is reached, that is `failResponse`.
    public func endResponse(_ exchange: SlotID) {
        guard mayAnswer(exchange, in: .streaming) else { return }
        let slot = exchanges.at(exchange.index)
        if case .length(let remaining) = slot.pointee.answerFraming, remaining > 0 { return failResponse(exchange) }
        if case .chunked = slot.pointee.answerFraming { write(exchange) { ChunkedWriter.finish(&$0) } }
        report(exchange, status: Int(slot.pointee.answerStatus), bodyBytes: slot.pointee.answerBytes)
        advance(slot.pointee.connection.index)
    }

    /// Gives up on an answer begun with `beginResponse`: closes its connection, the one way to show that it is cut.
    public func failResponse(_ exchange: SlotID) {
        guard mayAnswer(exchange, in: .streaming) else { return }
        close(exchanges.at(exchange.index).pointee.connection.index)
    }

    private func write(_ exchange: SlotID, _ body: (inout ByteBuffer) -> Void) {
        let slot = exchanges.at(exchange.index)
        let index = slot.pointee.connection.index
        let connection = connections.at(index)
        if connection.pointee.firstExchange == exchange.index {
            connection.pointee.stream.write(body)
            return markDirty(index)
        }
        if slot.pointee.held.capacity == 0 { slot.pointee.held = reactor.buffers.take() }
        let before = slot.pointee.held.count
        body(&slot.pointee.held)
        connection.pointee.heldBytes += slot.pointee.held.count - before
    }

    private func waitingBytes(_ exchange: SlotID) -> Int {
        let slot = exchanges.at(exchange.index)
        let connection = connections.at(slot.pointee.connection.index)
        let isFirst = connection.pointee.firstExchange == exchange.index
        return isFirst ? connection.pointee.stream.unsentBytes : slot.pointee.held.count
    }

    /// Wakes the writer of the answer at the front when the client has caught up to half the bound.
    func tellRoom(_ first: UInt32, _ index: UInt32) {
        let slot = exchanges.at(first)
        guard slot.pointee.awaitsRoom, connections.at(index).pointee.stream.unsentBytes <= limits.streamBytesMax / 2
        else { return }
        slot.pointee.awaitsRoom = false
        handler.hasRoom(exchanges.id(at: first), note: slot.pointee.note)
    }
}
