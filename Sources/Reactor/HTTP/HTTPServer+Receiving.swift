// From bytes to requests: parses heads and bodies out of what arrives, in order, within the connection's bounds.
// Runs on the reactor's thread. A request that arrived whole is handled where it lies, without a copy.

extension HTTPServer: StreamOwner {
    public func connected(tag: UInt32) {}

    public func received(_ bytes: RawSpan, tag: UInt32) {
        let connection = connections.at(tag)
        connection.pointee.lastActivity = reactor.now
        if connection.pointee.phase == .lingering { return }
        if connection.pointee.input.isEmpty, !connection.pointee.isPaused {
            let consumed = parse(bytes, tag)
            guard isOpen(tag) else { return }
            let rest = bytes.extracting(consumed..<bytes.byteCount)
            if !rest.isEmpty { keep(rest, tag) }
        } else {
            keep(bytes, tag)
            parseInput(tag)
        }
        guard isOpen(tag) else { return }
        updateReceiving(tag)
    }

    public func receiveEnded(tag: UInt32) {
        let connection = connections.at(tag)
        connection.pointee.peerEnded = true
        connection.pointee.isReceiving = false
        if connection.pointee.phase == .lingering { return close(tag) }
        if connection.pointee.phase == .body { return close(tag) }
        connection.pointee.closesWhenAnswered = true
        if connection.pointee.exchangeCount == 0, connection.pointee.stream.unsentBytes == 0 { close(tag) }
    }

    public func failed(_ error: SystemError, tag: UInt32) { close(tag) }

    /// Whether the connection at `index` survived the last step, and still reads requests.
    private func isOpen(_ index: UInt32) -> Bool {
        connections.isLive(connections.id(at: index)) && connections.at(index).pointee.phase != .lingering
    }

    private func keep(_ bytes: RawSpan, _ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.input.capacity == 0 { connection.pointee.input = reactor.buffers.take() }
        connection.pointee.input.append(bytes)
    }

    /// Parses what waits in the connection's own buffer.
    func parseInput(_ index: UInt32) {
        let connection = connections.at(index)
        // Taken out while it is parsed: handlers may change the connection, and a span must not see its buffer move.
        var input = exchange(&connection.pointee.input, for: ByteBuffer())
        let consumed = parse(input.bytes, index)
        guard isOpen(index) else { return reactor.buffers.give(input) }
        input.consume(consumed)
        if input.isEmpty { reactor.buffers.give(input) } else { connection.pointee.input = input }
    }

    /// Stops receiving at a bound and resumes below it.
    func updateReceiving(_ index: UInt32) {
        let connection = connections.at(index)
        var wanted = !connection.pointee.isPaused
        if case .stream(let body) = connection.pointee.sink, body.waitingBytes >= limits.streamBytesMax {
            wanted = false
        }
        guard wanted != connection.pointee.isReceiving, !connection.pointee.peerEnded else { return }
        connection.pointee.isReceiving = wanted
        connection.pointee.stream.setReceiving(wanted)
    }

    /// Whether another request may be taken up now.
    func mayContinue(_ index: UInt32) -> Bool {
        let connection = connections.at(index)
        return connection.pointee.exchangeCount < limits.pipelineMax
            && connection.pointee.stream.unsentBytes < limits.unsentBytesMax
    }

    /// Takes requests out of `bytes` until they end or a bound is reached.
    /// - Returns: how many bytes were consumed.
    private func parse(_ bytes: RawSpan, _ index: UInt32) -> Int {
        let id = connections.id(at: index)
        connections.at(index).pointee.isParsing = true
        connections.at(index).pointee.isPaused = false
        var offset = 0
        while connections.isLive(id), offset < bytes.byteCount {
            let connection = connections.at(index)
            let rest = bytes.extracting(offset..<bytes.byteCount)
            let consumed: Int
            switch connection.pointee.phase {
            case .lingering:
                consumed = rest.byteCount
            case .body:
                consumed = takeBody(rest, index)
            case .head where connection.pointee.closesWhenAnswered:
                consumed = rest.byteCount
            case .head where !mayContinue(index):
                connection.pointee.isPaused = true
                connection.pointee.isParsing = false
                return offset
            case .head:
                consumed = takeHead(rest, index)
            }
            if consumed == 0 { break }
            offset += consumed
        }
        if connections.isLive(id) { connections.at(index).pointee.isParsing = false }
        return offset
    }

    // MARK: Head

    /// Parses one head, and handles its request at once where the whole of it is here.
    /// - Returns: bytes consumed; 0 when the head is not complete.
    private func takeHead(_ bytes: RawSpan, _ index: UInt32) -> Int {
        let connection = connections.at(index)
        let head: RequestHead
        do {
            let parsed = try RequestParser.parse(
                bytes, limits: headLimits, progress: &connection.pointee.headProgress, into: &headers.pointee)
            guard let parsed else {
                beginArrival(index)
                return 0
            }
            head = parsed
        } catch {
            refuseConnection(Problem(error), index)
            return bytes.byteCount
        }
        guard let exchange = openExchange(bytes, head, index) else {
            refuseConnection(.unavailable("too many requests in flight"), index)
            return bytes.byteCount
        }
        let request = Request(
            exchange: exchange, peer: connection.pointee.peer, listener: connection.pointee.listener, head: head,
            now: reactor.now,
            wallMicroseconds: reactor.wallMicroseconds, headBytes: bytes, bodyBytes: RawSpan(), headers: headers)
        let plan = handler.begin(request, note: &exchanges.at(exchange.index).pointee.note)
        return carryOut(plan, bytes, head, exchange, index)
    }

    private func openExchange(_ bytes: RawSpan, _ head: RequestHead, _ index: UInt32) -> SlotID? {
        let connection = connections.at(index)
        let sent = headers.pointee[.xRequestID].flatMap { RequestID(bytes.slice($0)) }
        let slot = exchanges.insert(
            Exchange(
                connection: connections.id(at: index), started: reactor.now, requestID: sent ?? ids.next(),
                method: head.method, isHTTP10: head.version == .http10,
                closes: !head.keepAlive || connection.pointee.closesWhenAnswered || isDraining))
        guard let slot else { return nil }
        exchanges.at(slot.index).pointee.remember(target: bytes.slice(head.target))
        if connection.pointee.lastExchange == .max {
            connection.pointee.firstExchange = slot.index
        } else {
            exchanges.at(connection.pointee.lastExchange).pointee.next = slot.index
        }
        connection.pointee.lastExchange = slot.index
        connection.pointee.exchangeCount += 1
        if exchanges.at(slot.index).pointee.closes { connection.pointee.closesWhenAnswered = true }
        return slot
    }

    /// Goes on after `begin`: handles a request that is whole, or prepares for the rest of its body.
    private func carryOut(
        _ plan: BodyPlan, _ bytes: RawSpan, _ head: RequestHead, _ exchange: SlotID, _ index: UInt32
    ) -> Int {
        let announced = if case .length(let count) = head.framing { count } else { 0 }
        let available = bytes.byteCount - head.byteCount
        let connection = connections.at(index)
        connection.pointee.arrivalStart = nil
        switch plan {
        case .buffer(let bytesMax):
            if announced > bytesMax {
                return refuse(Self.tooLarge(bytesMax), exchange, bytes, head, index)
            }
            if case .chunked = head.framing {
                connection.pointee.bodyBytesMax = bytesMax
            } else if announced <= available {
                handleWhole(bytes, head, exchange, index, bodyCount: announced)
                return head.byteCount + announced
            }
            connection.pointee.bodyBytesMax = bytesMax
            connection.pointee.sink = .buffer
            if connection.pointee.headCopy.capacity == 0 { connection.pointee.headCopy = reactor.buffers.take() }
            connection.pointee.headCopy.append(bytes.extracting(0..<head.byteCount))
            if connection.pointee.body.capacity == 0 { connection.pointee.body = reactor.buffers.take() }
        case .stream(let body, let bytesMax):
            if announced > bytesMax {
                return refuse(Self.tooLarge(bytesMax), exchange, bytes, head, index)
            }
            connection.pointee.bodyBytesMax = bytesMax
            if case .chunked = head.framing {
            } else if announced == 0 {
                body.finish()
                return head.byteCount
            }
            connection.pointee.sink = .stream(body)
            let id = connections.id(at: index)
            body.drained = { [unowned self] in if connections.isLive(id) { updateReceiving(id.index) } }
        case .refuse(let problem):
            return refuse(problem, exchange, bytes, head, index)
        }
        beginBody(head, exchange, index)
        return head.byteCount
    }

    private static func tooLarge(_ bytesMax: Int) -> Problem {
        .payloadTooLarge("the body is larger than \(bytesMax) bytes", .number("limit_bytes", bytesMax))
    }

    private func handleWhole(
        _ bytes: RawSpan, _ head: RequestHead, _ exchange: SlotID, _ index: UInt32, bodyCount: Int
    ) {
        let request = Request(
            exchange: exchange, peer: connections.at(index).pointee.peer,
            listener: connections.at(index).pointee.listener, head: head, now: reactor.now,
            wallMicroseconds: reactor.wallMicroseconds, headBytes: bytes,
            bodyBytes: bytes.extracting(head.byteCount..<head.byteCount + bodyCount), headers: headers)
        handler.handle(request, note: exchanges.at(exchange.index).pointee.note)
    }

    /// Answers a refusal at the head, and drops a body that is short or closes over one that is not.
    private func refuse(
        _ problem: Problem, _ exchange: SlotID, _ bytes: RawSpan, _ head: RequestHead, _ index: UInt32
    ) -> Int {
        var drops = false
        switch head.framing {
        case .none: break
        case .length(let count):
            drops = count > 0
            if count > limits.discardBytesMax || head.expectsContinue { closeAfterAnswer(exchange, index) }
        case .chunked:
            drops = true
            closeAfterAnswer(exchange, index)
        }
        if drops, !connections.at(index).pointee.closesWhenAnswered {
            connections.at(index).pointee.sink = .discard
            connections.at(index).pointee.bodyBytesMax = limits.discardBytesMax
            beginBody(head, exchange, index)
            connections.at(index).pointee.owesContinue = false
        }
        respond(exchange, problem)
        return head.byteCount
    }

    private func closeAfterAnswer(_ exchange: SlotID, _ index: UInt32) {
        exchanges.at(exchange.index).pointee.closes = true
        connections.at(index).pointee.closesWhenAnswered = true
    }

    // MARK: Body

    private func beginBody(_ head: RequestHead, _ exchange: SlotID, _ index: UInt32) {
        let connection = connections.at(index)
        connection.pointee.phase = .body
        connection.pointee.bodyExchange = exchange
        connection.pointee.bodyBytes = 0
        if case .length(let count) = head.framing {
            connection.pointee.progress = .length(remaining: count)
        } else {
            connection.pointee.progress = .chunked(
                ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: connection.pointee.bodyBytesMax)))
        }
        if head.expectsContinue, head.version == .http11 {
            connection.pointee.owesContinue = true
            payContinue(index)
        }
        beginArrival(index)
    }

    /// - Returns: bytes consumed, at least one.
    private func takeBody(_ bytes: RawSpan, _ index: UInt32) -> Int {
        let connection = connections.at(index)
        switch connection.pointee.progress {
        case .length(let remaining):
            let count = min(remaining, bytes.byteCount)
            connection.pointee.progress = .length(remaining: remaining - count)
            guard deliver(bytes.extracting(0..<count), index) else { return bytes.byteCount }
            if count == remaining { endBody(index) }
            return count
        case .chunked(var decoder):
            var offset = 0
            do throws(HTTPFailure) {
                while true {
                    switch try decoder.next(bytes, from: &offset) {
                    case .data(let range):
                        guard deliver(bytes.slice(range), index) else { return bytes.byteCount }
                    case .more:
                        connection.pointee.progress = .chunked(decoder)
                        return offset
                    case .end:
                        endBody(index)
                        return offset
                    }
                }
            } catch {
                breakBody(Problem(error), .connectionClosed, index)
                return bytes.byteCount
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
        let sink = connection.pointee.sink
        connection.pointee.phase = .head
        connection.pointee.sink = .discard
        connection.pointee.arrivalStart = nil
        connection.pointee.owesContinue = false
        switch sink {
        case .buffer: handleCollected(index)
        case .stream(let body):
            body.drained = nil
            body.finish()
        case .discard: break
        }
    }

    private func handleCollected(_ index: UInt32) {
        let connection = connections.at(index)
        let head = exchange(&connection.pointee.headCopy, for: ByteBuffer())
        let body = exchange(&connection.pointee.body, for: ByteBuffer())
        handle(head, body, connection.pointee.bodyExchange, connection.pointee.peer, connection.pointee.listener)
        reactor.buffers.give(head)
        reactor.buffers.give(body)
    }

    private func handle(
        _ head: borrowing ByteBuffer, _ body: borrowing ByteBuffer, _ exchange: SlotID, _ peer: PeerAddress,
        _ listener: UInt32
    ) {
        // The table of header lines has been used for other requests since: the copy of the head fills it again.
        var progress = HeadProgress()
        guard
            let parsed = try? RequestParser.parse(
                head.bytes, limits: headLimits, progress: &progress, into: &headers.pointee)
        else {
            // `try?`: these bytes parsed before; that they do not now is a bug, whatever the parser says of them.
            preconditionFailure("a head that was parsed once parses again")
        }
        let request = Request(
            exchange: exchange, peer: peer, listener: listener, head: parsed, now: reactor.now,
            wallMicroseconds: reactor.wallMicroseconds, headBytes: head.bytes, bodyBytes: body.bytes, headers: headers)
        handler.handle(request, note: exchanges.at(exchange.index).pointee.note)
    }

    /// Ends a request in the middle of its body: the rest of the connection cannot be understood.
    func breakBody(_ problem: Problem, _ failure: RequestBody.Failure, _ index: UInt32) {
        let connection = connections.at(index)
        let sink = connection.pointee.sink
        let exchange = connection.pointee.bodyExchange
        connection.pointee.sink = .discard
        connection.pointee.phase = .head
        closeIfOpen(exchange, index)
        if case .stream(let body) = sink { body.fail(failure) }
        respond(exchange, problem)
    }

    private func closeIfOpen(_ exchange: SlotID, _ index: UInt32) {
        connections.at(index).pointee.closesWhenAnswered = true
        if exchanges.isLive(exchange) { exchanges.at(exchange.index).pointee.closes = true }
    }
}
