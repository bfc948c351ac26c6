// Request bodies that do not arrive with their head: collected, handed over in pieces, or dropped.
// Runs on the reactor's thread. Limits: the plan's `bytesMax`, `discardBytesMax`, `streamBytesMax`.
// Source: RFC 9112 sections 6.3, 7.1 and 8; RFC 9110 section 10.1.1.

extension HTTPServer {
    static func tooLarge(_ bytesMax: Int) -> Problem {
        .payloadTooLarge("the body is larger than \(bytesMax) bytes", .number("limit_bytes", bytesMax))
    }

    /// Answers a refusal at the head, and drops a body that is short or closes over one that is not.
    func refuse(_ problem: Problem, _ exchange: SlotID, _ head: RequestHead, _ index: UInt32) {
        switch head.framing {
        case .none, .length(0):
            break
        case .length(let count) where count <= limits.discardBytesMax && !head.expectsContinue:
            beginBody(.discard, head, exchange, index, bytesMax: count)
        case .length, .chunked:
            // A client that expects 100 may send its body or not: what comes next has no sure meaning.
            closeAfter(exchange, index)
        }
        respond(exchange, problem)
    }

    private func closeAfter(_ exchange: SlotID, _ index: UInt32) {
        exchanges.at(exchange.index).pointee.closes = true
        endReading(index)
    }

    func beginBody(
        _ sink: HTTPConnection.BodySink, _ head: RequestHead, _ exchange: SlotID, _ index: UInt32, bytesMax: Int
    ) {
        let connection = connections.at(index)
        connection.pointee.phase = .body
        connection.pointee.sink = sink
        connection.pointee.bodyExchange = exchange
        connection.pointee.bodyBytes = 0
        connection.pointee.bodyBytesMax = bytesMax
        if case .length(let count) = head.framing {
            connection.pointee.progress = .length(remaining: count)
        } else {
            connection.pointee.progress = .chunked(ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: bytesMax)))
        }
        beginArrival(index)
        if head.expectsContinue {
            connection.pointee.owesContinue = true
            payContinue(index)
        }
    }

    /// Sends an owed `100 Continue` once nothing goes before it.
    func payContinue(_ index: UInt32) {
        let connection = connections.at(index)
        guard connection.pointee.owesContinue, connection.pointee.exchangeCount == 1 else { return }
        connection.pointee.owesContinue = false
        connection.pointee.arrivalStart = reactor.now
        connection.pointee.stream.write { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
        markDirty(index)
        rearm(index)
    }

    /// - Returns: bytes consumed, at least one.
    func takeBody(_ bytes: RawSpan, _ index: UInt32) -> Int {
        switch connections.at(index).pointee.progress {
        case .length(let remaining):
            let count = min(remaining, bytes.byteCount)
            connections.at(index).pointee.progress = .length(remaining: remaining - count)
            guard deliver(bytes.extracting(0..<count), index) else { return bytes.byteCount }
            if count == remaining { endBody(index) }
            return count
        case .chunked(let decoder):
            do throws(HTTPFailure) {
                return try takeChunks(bytes, decoder, index)
            } catch {
                let isTooLarge = error.reason == .bodyTooLarge
                let problem = isTooLarge ? Self.tooLarge(connections.at(index).pointee.bodyBytesMax) : Problem(error)
                breakBody(problem, isTooLarge ? .tooLarge : .connectionClosed, index)
                return bytes.byteCount
            }
        }
    }

    private func takeChunks(
        _ bytes: RawSpan, _ before: ChunkedDecoder, _ index: UInt32
    ) throws(HTTPFailure) -> Int {
        var decoder = before
        var offset = 0
        while true {
            switch try decoder.next(bytes, from: &offset) {
            case .data(let range):
                if !deliver(bytes.slice(range), index) { return bytes.byteCount }
            case .more:
                connections.at(index).pointee.progress = .chunked(decoder)
                return offset
            case .end:
                endBody(index)
                return offset
            }
        }
    }

    /// Passes body bytes on; false when they exceed the limit and the request has been refused.
    private func deliver(_ bytes: RawSpan, _ index: UInt32) -> Bool {
        let connection = connections.at(index)
        connection.pointee.bodyBytes += bytes.byteCount
        guard connection.pointee.bodyBytes <= connection.pointee.bodyBytesMax else {
            breakBody(Self.tooLarge(connection.pointee.bodyBytesMax), .tooLarge, index)
            return false
        }
        switch connection.pointee.sink {
        case .buffer: connection.pointee.body.append(bytes)
        case .stream(let body): body.append(bytes)
        case .discard: break
        }
        return true
    }

    private func endBody(_ index: UInt32) {
        let connection = connections.at(index)
        connection.pointee.phase = .head
        connection.pointee.arrivalStart = .never
        connection.pointee.owesContinue = false
        switch exchange(&connection.pointee.sink, for: .discard) {
        case .buffer: handleCollected(index)
        case .stream(let body):
            body.drained = nil
            body.finish()
        case .discard:
            // Its answer may have gone out before it.
            if connection.pointee.readsNoMore { markDirty(index) }
        }
    }

    private func handleCollected(_ index: UInt32) {
        let connection = connections.at(index)
        let head = exchange(&connection.pointee.headCopy, for: ByteBuffer())
        let body = exchange(&connection.pointee.body, for: ByteBuffer())
        handle(head, body, index)
        reactor.buffers.give(head)
        reactor.buffers.give(body)
    }

    private func handle(
        _ head: borrowing ByteBuffer, _ body: borrowing ByteBuffer, _ index: UInt32
    ) {
        // The table of header lines has been used for other requests since: the copy of the head fills it again.
        var progress = HeadProgress()
        guard
            // `try?`: these bytes parsed before; that they do not now is a bug, whatever the parser says of them.
            let parsed = try? RequestParser.parse(
                head.bytes, limits: headLimits, progress: &progress, into: &headers)
        else {
            preconditionFailure("a head that was parsed once parses again")
        }
        let connection = connections.at(index)
        let exchange = connection.pointee.bodyExchange
        let request = Request(
            exchange: exchange, peer: connection.pointee.peer, listener: connection.pointee.listener, head: parsed,
            now: reactor.now, wallMicroseconds: reactor.wallMicroseconds, headBytes: head.bytes,
            bodyBytes: body.bytes, table: headers)
        handler.handle(request, note: exchanges.at(exchange.index).pointee.note)
    }

    // MARK: Ends before the end

    /// Ends a request in the middle of its body: the rest of the connection cannot be understood.
    func breakBody(_ problem: Problem, _ failure: RequestBody.Failure, _ index: UInt32) {
        let connection = connections.at(index)
        let broken = connection.pointee.bodyExchange
        leaveBody(failure, index)
        if exchanges.isLive(broken) { exchanges.at(broken.index).pointee.closes = true }
        endReading(index)
        // Does nothing where the answer went out before the body's end.
        respond(broken, problem)
    }

    /// An exchange is being answered while its body arrives: nobody reads the rest.
    func abandonBody(of exchange: SlotID, _ index: UInt32) {
        let connection = connections.at(index)
        guard connection.pointee.phase == .body, connection.pointee.bodyExchange == exchange else { return }
        if case .discard = connection.pointee.sink { return }
        dropSink(.connectionClosed, index)
        connection.pointee.bodyBytesMax = .max
        if case .length(let remaining) = connection.pointee.progress, remaining <= limits.discardBytesMax,
            !connection.pointee.owesContinue
        {
            // Short enough to be dropped: the connection lives on.
        } else {
            closeAfter(exchange, index)
        }
        connection.pointee.owesContinue = false
        updateReceiving(index)
    }

    /// Forgets a body that is arriving, with what has been collected of it.
    func leaveBody(_ failure: RequestBody.Failure, _ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.phase == .body { connection.pointee.phase = .head }
        connection.pointee.arrivalStart = .never
        connection.pointee.owesContinue = false
        dropSink(failure, index)
    }

    private func dropSink(_ failure: RequestBody.Failure, _ index: UInt32) {
        let connection = connections.at(index)
        reactor.buffers.give(exchange(&connection.pointee.headCopy, for: ByteBuffer()))
        reactor.buffers.give(exchange(&connection.pointee.body, for: ByteBuffer()))
        if case .stream(let body) = exchange(&connection.pointee.sink, for: .discard) {
            body.drained = nil
            body.fail(failure)
        }
    }

    /// The reader of a streamed body has caught up.
    func bodyDrained(_ exchange: SlotID) {
        guard exchanges.isLive(exchange) else { return }
        updateReceiving(exchanges.at(exchange.index).pointee.connection.index)
    }
}
