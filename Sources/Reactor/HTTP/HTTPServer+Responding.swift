// From answers to bytes: writes each answer in its place; the turn's end sends them.
// Runs on the reactor's thread. An answer out of turn waits in its exchange; the others go straight to the stream.

/// The type of an answer's body.
public enum ContentType: Sendable {
    case json
    case text
    case metrics
    case yaml
    case html
    case none

    var line: StaticString {
        switch self {
        case .json: "Content-Type: application/json\r\n"
        case .text: "Content-Type: text/plain; charset=utf-8\r\n"
        case .metrics: "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        case .yaml: "Content-Type: application/yaml\r\n"
        case .html: "Content-Type: text/html; charset=utf-8\r\n"
        case .none: ""
        }
    }
}

extension HTTPServer {
    /// Answers an exchange; one that is answered or abandoned already is left alone.
    /// - Parameters:
    ///   - headers: appends whole header lines, each with its CRLF, and does nothing else.
    ///   - body: appends the body; for HEAD only its length is sent.
    public func respond(
        _ exchange: SlotID, status: Int, type: ContentType = .json,
        headers: (inout ByteBuffer) -> Void = { _ in }, body: (inout ByteBuffer) -> Void
    ) {
        guard mayAnswer(exchange, in: .open) else { return }
        var written = reactor.buffers.take()
        body(&written)
        finish(exchange, status, type, headers, written)
        reactor.buffers.give(written)
    }

    /// Answers with an error.
    public func respond(_ exchange: SlotID, _ problem: Problem) {
        guard exchanges.isLive(exchange) else { return }
        let requestID = exchanges.at(exchange.index).pointee.requestID
        respond(
            exchange, status: problem.status,
            headers: { buffer in
                if problem.status == 401 { buffer.append("WWW-Authenticate: Bearer realm=\"gateway\"\r\n") }
                if let seconds = problem.retryAfterSeconds {
                    buffer.append("Retry-After: ")
                    buffer.append(decimal: seconds)
                    buffer.append("\r\n")
                }
                buffer.append(problem.headerLines)
            },
            body: { problem.write(to: &$0, requestID: requestID) })
    }

    /// Replaces what the application noted about a request that is not answered yet: what it learned since the head.
    public func setNote(_ note: RequestNote, of exchange: SlotID) {
        if exchanges.isLive(exchange) { exchanges.at(exchange.index).pointee.note = note }
    }

    /// Whether the client of an exchange is still there to take an answer.
    public func isPeerThere(_ exchange: SlotID) -> Bool {
        guard let index = openConnection(of: exchange) else { return false }
        let connection = connections.at(index)
        return !connection.pointee.peerEnded && reactor.poller.peerIsThere(connection.pointee.stream.id)
    }

    /// The id of an exchange's request; a fresh one if the exchange is gone.
    public func requestID(of exchange: SlotID) -> RequestID {
        exchanges.isLive(exchange) ? exchanges.at(exchange.index).pointee.requestID : ids.next()
    }

    /// The connection that an exchange belongs to, unless either is gone. While a connection closes, its exchanges
    /// outlive it for as long as the handler is told.
    func openConnection(of exchange: SlotID) -> UInt32? {
        guard exchanges.isLive(exchange) else { return nil }
        let connection = exchanges.at(exchange.index).pointee.connection
        return connections.isLive(connection) ? connection.index : nil
    }

    func mayAnswer(_ exchange: SlotID, in state: Exchange.State) -> Bool {
        openConnection(of: exchange) != nil && exchanges.at(exchange.index).pointee.state == state
    }

    private func finish(
        _ exchange: SlotID, _ status: Int, _ type: ContentType, _ headers: (inout ByteBuffer) -> Void,
        _ body: borrowing ByteBuffer
    ) {
        let slot = exchanges.at(exchange.index)
        let index = slot.pointee.connection.index
        let connection = connections.at(index)
        let hasBody = prepareAnswer(exchange, status)
        let length = status == 204 || status == 304 ? nil : body.count
        if connection.pointee.firstExchange == exchange.index {
            connection.pointee.stream.write { buffer in
                writeHead(status, type, slot, length, headers, to: &buffer)
                if hasBody { buffer.append(body.bytes) }
            }
        } else {
            var buffer = reactor.buffers.take()
            writeHead(status, type, slot, length, headers, to: &buffer)
            if hasBody { buffer.append(body.bytes) }
            hold(buffer, exchange)
        }
        report(exchange, status: status, bodyBytes: hasBody ? body.count : 0)
        advance(index)
    }

    /// Settles what an answer means for its connection, before its head is written.
    /// - Returns: whether the answer has a body.
    func prepareAnswer(_ exchange: SlotID, _ status: Int) -> Bool {
        let slot = exchanges.at(exchange.index)
        let index = slot.pointee.connection.index
        abandonBody(of: exchange, index)
        let connection = connections.at(index)
        connection.pointee.lastActivity = reactor.now
        if connection.pointee.lastExchange == exchange.index {
            // While draining the last answer owed is the connection's last, unless more has come already.
            if isDraining, connection.pointee.phase == .head, connection.pointee.input.isEmpty {
                connection.pointee.readsNoMore = true
            }
            if connection.pointee.readsNoMore { slot.pointee.closes = true }
        }
        slot.pointee.answerStatus = UInt16(truncatingIfNeeded: status)
        return slot.pointee.method != .head && status != 204 && status != 304
    }

    /// - Parameter length: nil for an answer whose end is shown in another way.
    func writeHead(
        _ status: Int, _ type: ContentType, _ slot: UnsafeMutablePointer<Exchange>, _ length: Int?,
        _ headers: (inout ByteBuffer) -> Void, to buffer: inout ByteBuffer
    ) {
        ResponseHead.start(HTTPStatus(status), into: &buffer)
        buffer.append(type.line)
        buffer.append("X-Request-ID: ")
        slot.pointee.requestID.write(to: &buffer)
        buffer.append("\r\n")
        date.appendLine(unixSeconds: Int(reactor.wallMicroseconds / 1_000_000), to: &buffer)
        ResponseHead.connection(
            keepAlive: !slot.pointee.closes, version: slot.pointee.isHTTP10 ? .http10 : .http11, into: &buffer)
        if connections.at(slot.pointee.connection.index).pointee.stream.isSecure {
            buffer.append("Strict-Transport-Security: max-age=31536000\r\n")
        }
        handler.appendHeaders(slot.pointee.note, to: &buffer)
        headers(&buffer)
        if let length { ResponseHead.contentLength(length, into: &buffer) }
        ResponseHead.end(into: &buffer)
    }

    /// Keeps an answer that must wait for its turn, in no more memory than it needs.
    private func hold(_ buffer: consuming ByteBuffer, _ exchange: SlotID) {
        let slot = exchanges.at(exchange.index)
        connections.at(slot.pointee.connection.index).pointee.heldBytes += buffer.count
        if buffer.count > BufferPool.freshBytes / 2 {
            slot.pointee.held = buffer
        } else {
            slot.pointee.held = ByteBuffer(capacity: buffer.count)
            slot.pointee.held.append(buffer.bytes)
            reactor.buffers.give(buffer)
        }
    }

    /// Tells the handler that an answer is complete.
    func report(_ exchange: SlotID, status: Int, bodyBytes: Int) {
        let slot = exchanges.at(exchange.index)
        slot.pointee.state = .answered
        handler.answered(
            AnsweredExchange(
                id: exchange, note: slot.pointee.note, method: slot.pointee.method, status: status,
                duration: reactor.now - slot.pointee.started, bodyBytes: bodyBytes,
                peer: connections.at(slot.pointee.connection.index).pointee.peer, requestID: slot.pointee.requestID,
                targetBytes: slot.pointee.target, targetCount: slot.pointee.targetCount))
    }

    /// Removes answered exchanges from the front, moving answers that waited for their turn to the stream.
    func advance(_ index: UInt32) {
        let connection = connections.at(index)
        while connection.pointee.firstExchange != .max {
            let first = connection.pointee.firstExchange
            releaseHeld(first, index)
            guard exchanges.at(first).pointee.state == .answered else { break }
            connection.pointee.firstExchange = exchanges.at(first).pointee.next
            if connection.pointee.firstExchange == .max { connection.pointee.lastExchange = .max }
            connection.pointee.exchangeCount -= 1
            let closes = exchanges.at(first).pointee.closes
            exchanges.remove(first)
            if closes { dropFollowers(index) }
        }
        payContinue(index)
        markDirty(index)
    }

    /// Nothing may follow a closing answer: an answer that turned out to be one leaves those behind it unanswered.
    private func dropFollowers(_ index: UInt32) {
        let connection = connections.at(index)
        let first = connection.pointee.firstExchange
        connection.pointee.firstExchange = .max
        connection.pointee.lastExchange = .max
        connection.pointee.exchangeCount = 0
        connection.pointee.heldBytes = 0
        if first == .max { return }
        if connection.pointee.phase == .body { leaveBody(.connectionClosed, index) }
        abandon(from: first)
    }

    /// Moves what an exchange now at the front has written to the stream.
    private func releaseHeld(_ first: UInt32, _ index: UInt32) {
        guard exchanges.at(first).pointee.held.capacity > 0 else { return }
        let held = exchange(&exchanges.at(first).pointee.held, for: ByteBuffer())
        connections.at(index).pointee.heldBytes -= held.count
        connections.at(index).pointee.stream.write { $0.append(held.bytes) }
        reactor.buffers.give(held)
    }
}
