// From answers to bytes: writes each answer in its place, flushes at the end of the turn, closes after the last.
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
    ///   - headers: appends whole header lines, each with its CRLF.
    ///   - body: appends the body; for HEAD only its length is sent.
    public func respond(
        _ exchange: SlotID, status: Int, type: ContentType = .json,
        headers: (inout ByteBuffer) -> Void = { _ in }, body: (inout ByteBuffer) -> Void
    ) {
        guard exchanges.isLive(exchange), !exchanges.at(exchange.index).pointee.isAnswered else { return }
        var written = reactor.buffers.take()
        body(&written)
        let slot = exchanges.at(exchange.index)
        let index = slot.pointee.connection.index
        slot.pointee.isAnswered = true
        if isDraining { closeIfLast(exchange, index) }
        let connection = connections.at(index)
        let isFirst = connection.pointee.firstExchange == exchange.index
        if isFirst {
            connection.pointee.stream.write { writeAnswer(status, type, slot, headers, written, to: &$0) }
        } else {
            slot.pointee.response = reactor.buffers.take()
            writeAnswer(status, type, slot, headers, written, to: &slot.pointee.response)
        }
        report(status, slot, connection, bodyBytes: written.count)
        reactor.buffers.give(written)
        if isFirst { advance(index) }
        markDirty(index)
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

    /// Whether the client of an exchange is still there to take an answer.
    public func isPeerThere(_ exchange: SlotID) -> Bool {
        guard exchanges.isLive(exchange) else { return false }
        let connection = connections.at(exchanges.at(exchange.index).pointee.connection.index)
        return !connection.pointee.peerEnded && reactor.poller.peerIsThere(connection.pointee.stream.id)
    }

    /// The id of an exchange's request; a fresh one if the exchange is gone.
    public func requestID(of exchange: SlotID) -> RequestID {
        exchanges.isLive(exchange) ? exchanges.at(exchange.index).pointee.requestID : ids.next()
    }

    private func writeAnswer(
        _ status: Int, _ type: ContentType, _ slot: UnsafeMutablePointer<Exchange>,
        _ headers: (inout ByteBuffer) -> Void, _ body: borrowing ByteBuffer, to buffer: inout ByteBuffer
    ) {
        ResponseHead.start(HTTPStatus(status), into: &buffer)
        buffer.append(type.line)
        buffer.append("X-Request-ID: ")
        slot.pointee.requestID.write(to: &buffer)
        buffer.append("\r\n")
        date.appendLine(unixSeconds: Int(reactor.wallMicroseconds / 1_000_000), to: &buffer)
        ResponseHead.connection(
            keepAlive: !slot.pointee.closes, version: slot.pointee.isHTTP10 ? .http10 : .http11, into: &buffer)
        handler.appendHeaders(slot.pointee.note, to: &buffer)
        headers(&buffer)
        if status != 204, status != 304 {
            buffer.append("Content-Length: ")
            buffer.append(decimal: body.count)
            buffer.append("\r\n")
        }
        buffer.append("\r\n")
        if slot.pointee.method != .head, status != 204, status != 304 { buffer.append(body.bytes) }
    }

    private func report(
        _ status: Int, _ slot: UnsafeMutablePointer<Exchange>, _ connection: UnsafeMutablePointer<HTTPConnection>,
        bodyBytes: Int
    ) {
        handler.answered(
            AnsweredExchange(
                note: slot.pointee.note, method: slot.pointee.method, status: status,
                duration: reactor.now - slot.pointee.started, bodyBytes: bodyBytes,
                peer: connection.pointee.peer, requestID: slot.pointee.requestID, targetBytes: slot.pointee.target,
                targetCount: slot.pointee.targetCount))
    }

    /// Removes answered exchanges from the front, moving answers that waited for their turn to the stream.
    private func advance(_ index: UInt32) {
        let connection = connections.at(index)
        while connection.pointee.firstExchange != .max {
            let first = connection.pointee.firstExchange
            guard exchanges.at(first).pointee.isAnswered else { break }
            let answered = exchanges.remove(first)
            connection.pointee.firstExchange = answered.next
            if answered.next == .max { connection.pointee.lastExchange = .max }
            connection.pointee.exchangeCount -= 1
            if answered.response.capacity > 0 {
                connection.pointee.stream.write { $0.append(answered.response.bytes) }
                HTTPServer.giveBack(answered, to: reactor.buffers)
            }
        }
        payContinue(index)
    }

    /// Sends an owed `100 Continue` once nothing goes before it.
    func payContinue(_ index: UInt32) {
        let connection = connections.at(index)
        guard connection.pointee.owesContinue, connection.pointee.exchangeCount == 1 else { return }
        connection.pointee.owesContinue = false
        connection.pointee.stream.write { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
        markDirty(index)
    }

    private func closeIfLast(_ exchange: SlotID, _ index: UInt32) {
        guard connections.at(index).pointee.lastExchange == exchange.index else { return }
        exchanges.at(exchange.index).pointee.closes = true
        connections.at(index).pointee.closesWhenAnswered = true
    }

    /// Answers an error that leaves the connection unreadable, in its place after the answers owed.
    func refuseConnection(_ problem: Problem, _ index: UInt32) {
        let connection = connections.at(index)
        connection.pointee.closesWhenAnswered = true
        connection.pointee.arrivalStart = nil
        let slot = exchanges.insert(
            Exchange(
                connection: connections.id(at: index), started: reactor.now, requestID: ids.next(), method: .get,
                isHTTP10: false, closes: true))
        guard let slot else { return close(index) }
        if connection.pointee.lastExchange == .max {
            connection.pointee.firstExchange = slot.index
        } else {
            exchanges.at(connection.pointee.lastExchange).pointee.next = slot.index
        }
        connection.pointee.lastExchange = slot.index
        connection.pointee.exchangeCount += 1
        respond(slot, problem)
    }
}

// MARK: - Sending

extension HTTPServer: TurnParticipant {
    /// Sends what this turn's answers wrote, resumes connections that are below their bounds again.
    public func turnEnded() {
        while !dirty.isEmpty {
            swap(&dirty, &dirtyNow)
            for id in dirtyNow where connections.isLive(id) {
                connections.at(id.index).pointee.isDirty = false
                flush(id.index)
            }
            dirtyNow.removeAll(keepingCapacity: true)
        }
    }

    private func flush(_ index: UInt32) {
        settle(connections.at(index).pointee.stream.flush(), index)
    }

    public func sent(_ count: Int, tag: UInt32) {
        connections.at(tag).pointee.lastActivity = reactor.now
        settle(connections.at(tag).pointee.stream.sent(count), tag)
    }

    /// Goes on after a flush: closes when all is said, resumes when there is room.
    private func settle(_ outcome: Stream.FlushOutcome, _ index: UInt32) {
        let connection = connections.at(index)
        switch outcome {
        case .failed: return close(index)
        case .waiting: return rearm(index)
        case .done: break
        }
        if connection.pointee.closesWhenAnswered, connection.pointee.exchangeCount == 0,
            connection.pointee.phase != .lingering
        {
            return linger(index)
        }
        if connection.pointee.isPaused, mayContinue(index) {
            parseInput(index)
            guard connections.isLive(connections.id(at: index)) else { return }
            updateReceiving(index)
        }
    }

    /// The last answer is out: waits for the peer to close, so that unread bytes of its do not reset the connection
    /// before it has read the answer.
    private func linger(_ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.peerEnded { return close(index) }
        connection.pointee.stream.endSending()
        connection.pointee.phase = .lingering
        connection.pointee.lastActivity = reactor.now
        connection.pointee.isReceiving = true
        connection.pointee.stream.setReceiving(true)
        rearm(index)
    }
}
