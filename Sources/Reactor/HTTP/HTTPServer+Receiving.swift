// From bytes to requests: parses heads out of what arrives, in order, within the connection's bounds.
// Runs on the reactor's thread. A request that arrived whole is handled where it lies, without a copy.
// Limits: `pipelineMax`, `unsentBytesMax`; beyond them what one receive brought waits in `input`, and receiving stops.

extension HTTPServer: StreamOwner {
    public func connected(tag: UInt32) {}

    public func received(_ bytes: RawSpan, tag: UInt32) {
        let id = connections.id(at: tag)
        let connection = connections.at(tag)
        if connection.pointee.phase == .lingering { return }
        connection.pointee.lastActivity = reactor.now
        if connection.pointee.owesProxyHeader { return takeProxyHeader(bytes, tag) }
        if connection.pointee.input.isEmpty, !connection.pointee.isPaused {
            let consumed = parse(bytes, tag)
            guard connections.isLive(id) else { return }
            if consumed < bytes.byteCount { keep(bytes.extracting(consumed..<bytes.byteCount), tag) }
        } else {
            keep(bytes, tag)
            parseInput(tag)
            guard connections.isLive(id) else { return }
        }
        updateReceiving(tag)
    }

    public func receiveEnded(tag: UInt32) {
        let connection = connections.at(tag)
        connection.pointee.peerEnded = true
        connection.pointee.isReceiving = false
        switch connection.pointee.phase {
        case .lingering: close(tag)
        case .body: breakBody(.invalidRequest("the connection ended inside the body"), .connectionClosed, tag)
        // Complete requests may still wait at a bound; `settle` ends what they leave.
        case .head: markDirty(tag)
        }
    }

    public func failed(_ error: SystemError, tag: UInt32) {
        let connection = connections.at(tag)
        guard error.isTLS, connection.pointee.phase == .head, connection.pointee.exchangeCount == 0,
            !connection.pointee.isRefusal
        else { return close(tag) }
        handler.handshakeFailed(error, peer: connection.pointee.peer, listener: connection.pointee.listener)
        if error.isPlainHTTP {
            connection.pointee.stream.giveUpTLS()
            return refuseConnection(.invalidRequest("this port speaks TLS: use https"), ids.next(), tag)
        }
        // So that the client gets to read what it is told is wrong.
        linger(tag)
    }

    /// Whether the client of an exchange has shown a certificate that was found good.
    public func hasClientCertificate(_ exchange: SlotID) -> Bool {
        guard let index = openConnection(of: exchange) else { return false }
        return connections.at(index).pointee.stream.hasPeerCertificate
    }

    func keep(_ bytes: RawSpan, _ index: UInt32) {
        let connection = connections.at(index)
        if connection.pointee.input.capacity == 0 { connection.pointee.input = reactor.buffers.take() }
        connection.pointee.input.append(bytes)
    }

    /// Parses what waits in the connection's own buffer.
    func parseInput(_ index: UInt32) {
        let id = connections.id(at: index)
        // Taken out while it is parsed: a span must not see its buffer move.
        var input = exchange(&connections.at(index).pointee.input, for: ByteBuffer())
        let consumed = parse(input.bytes, index)
        input.consume(consumed)
        if input.isEmpty || !connections.isLive(id) { return reactor.buffers.give(input) }
        connections.at(index).pointee.input = input
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
        noteReceiving(wanted, index)
    }

    /// Whether another request may be taken up now.
    func mayContinue(_ index: UInt32) -> Bool {
        let connection = connections.at(index)
        let inFlight = Int(connection.pointee.exchangeCount)
        // The first request of a connection always has a place; more share a stock with the other connections.
        return (inFlight == 0 || (inFlight < limits.pipelineMax && exchanges.count < limits.pipelinedStock))
            && connection.pointee.stream.unsentBytes + connection.pointee.heldBytes < limits.unsentBytesMax
    }

    /// Takes requests out of `bytes` until they end or a bound is reached.
    /// - Returns: how many bytes were consumed; all of them when the connection reads no more, or is gone.
    private func parse(_ bytes: RawSpan, _ index: UInt32) -> Int {
        let id = connections.id(at: index)
        connections.at(index).pointee.isPaused = false
        var offset = 0
        while offset < bytes.byteCount {
            guard connections.isLive(id) else { return bytes.byteCount }
            let connection = connections.at(index)
            let rest = bytes.extracting(offset..<bytes.byteCount)
            switch connection.pointee.phase {
            case .lingering: return bytes.byteCount
            case .body: offset += takeBody(rest, index)
            case .head:
                if connection.pointee.readsNoMore { return bytes.byteCount }
                if !mayContinue(index) {
                    connection.pointee.isPaused = true
                    return offset
                }
                let consumed = takeHead(rest, index)
                if consumed == 0 { return offset }
                offset += consumed
            }
        }
        return offset
    }

    /// Parses one head, and handles its request at once where the whole of it is here.
    /// - Returns: bytes consumed; 0 when the head is not complete.
    private func takeHead(_ bytes: RawSpan, _ index: UInt32) -> Int {
        let head: RequestHead
        do throws(HTTPFailure) {
            let parsed = try RequestParser.parse(
                bytes, limits: headLimits, progress: &connections.at(index).pointee.headProgress, into: &headers
            )
            guard let parsed else {
                beginArrival(index)
                return 0
            }
            head = parsed
        } catch {
            refuseConnection(Problem(error), sentRequestID(bytes), index)
            return bytes.byteCount
        }
        connections.at(index).pointee.arrivalStart = .never
        let requestID = sentRequestID(bytes)
        let exchange = openExchange(
            requestID, head.method, isHTTP10: head.version == .http10, closes: !head.keepAlive,
            target: bytes.slice(head.target), index)
        guard let exchange else {
            close(index)
            return bytes.byteCount
        }
        let request = Request(
            exchange: exchange, peer: connections.at(index).pointee.peer,
            listener: connections.at(index).pointee.listener, head: head, now: reactor.now,
            wallMicroseconds: reactor.wallMicroseconds, headBytes: bytes, bodyBytes: RawSpan(), table: headers)
        let plan = handler.begin(request, note: &exchanges.at(exchange.index).pointee.note)
        precondition(exchanges.isLive(exchange), "a handler answered in `begin`, where only the plan may refuse")
        return carryOut(plan, bytes, head, exchange, index)
    }

    /// The id that the client gave, or a new one. The table has it too when the head was refused after that line.
    private func sentRequestID(_ bytes: RawSpan) -> RequestID {
        guard let sent = headers[.xRequestID], let id = RequestID(bytes.slice(sent)) else { return ids.next() }
        return id
    }

    /// Puts a new exchange at the end of a connection's queue.
    func openExchange(
        _ requestID: RequestID, _ method: HTTPMethod, isHTTP10: Bool, closes: Bool, target: RawSpan, _ index: UInt32
    ) -> SlotID? {
        let connection = connections.at(index)
        let slot = exchanges.insert(
            Exchange(
                connection: connections.id(at: index), started: reactor.now, requestID: requestID, method: method,
                isHTTP10: isHTTP10, closes: closes, target: target))
        guard let slot else { return nil }
        if connection.pointee.lastExchange == .max {
            connection.pointee.firstExchange = slot.index
        } else {
            exchanges.at(connection.pointee.lastExchange).pointee.next = slot.index
        }
        connection.pointee.lastExchange = slot.index
        connection.pointee.exchangeCount += 1
        if closes { connection.pointee.readsNoMore = true }
        return slot
    }

    /// Answers an error that leaves the connection unreadable, in its place after the answers owed.
    func refuseConnection(_ problem: Problem, _ requestID: RequestID, _ index: UInt32) {
        let slot = openExchange(requestID, .other, isHTTP10: false, closes: true, target: RawSpan(), index)
        guard let slot else { return close(index) }
        endReading(index)
        respond(slot, problem)
    }

    /// Goes on after `begin`: handles a request that is whole, or prepares for the rest of its body.
    /// - Returns: bytes consumed.
    private func carryOut(
        _ plan: BodyPlan, _ bytes: RawSpan, _ head: RequestHead, _ exchange: SlotID, _ index: UInt32
    ) -> Int {
        let announced = if case .length(let count) = head.framing { count } else { 0 }
        let isChunked = head.framing == .chunked
        let connection = connections.at(index)
        switch plan {
        case .refuse(let problem):
            refuse(problem, exchange, head, index)
        case .buffer(let bytesMax) where announced > bytesMax:
            refuse(Self.tooLarge(bytesMax), exchange, head, index)
        case .stream(let body, let bytesMax) where announced > bytesMax:
            // Its reader waits already; without a word it would wait for ever.
            body.fail(.tooLarge)
            refuse(Self.tooLarge(bytesMax), exchange, head, index)
        case .buffer(let bytesMax):
            if !isChunked, announced <= bytes.byteCount - head.byteCount {
                handleWhole(bytes, head, exchange, index, bodyCount: announced)
                return head.byteCount + announced
            }
            connection.pointee.headCopy = reactor.buffers.take()
            connection.pointee.headCopy.append(bytes.extracting(0..<head.byteCount))
            connection.pointee.body = reactor.buffers.take(expecting: announced)
            beginBody(.buffer, head, exchange, index, bytesMax: bytesMax)
        case .stream(let body, let bytesMax):
            if !isChunked, announced == 0 {
                body.finish()
            } else {
                body.drained = { [unowned self] in bodyDrained(exchange) }
                beginBody(.stream(body), head, exchange, index, bytesMax: bytesMax)
            }
        }
        return head.byteCount
    }

    private func handleWhole(
        _ bytes: RawSpan, _ head: RequestHead, _ exchange: SlotID, _ index: UInt32, bodyCount: Int
    ) {
        let request = Request(
            exchange: exchange, peer: connections.at(index).pointee.peer,
            listener: connections.at(index).pointee.listener, head: head, now: reactor.now,
            wallMicroseconds: reactor.wallMicroseconds, headBytes: bytes,
            bodyBytes: bytes.extracting(head.byteCount..<head.byteCount + bodyCount), table: headers)
        handler.handle(request, note: exchanges.at(exchange.index).pointee.note)
    }
}
