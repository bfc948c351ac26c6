// What a load loop makes of the bytes that come: answers are matched to the requests of their connection in order, timed
// and judged. On the loop's thread; an answer that arrives whole costs no copy.

import Reactor

extension LoadLoop {
    func received(_ bytes: RawSpan, tag slot: UInt32) {
        let connection = connections.at(slot)
        guard connection.pointee.state == .open else { return }
        let now = Instant.read()
        if connection.pointee.reader.kept.isEmpty {
            let used = take(bytes, slot, now)
            guard connection.pointee.state == .open else { return }
            if used < bytes.byteCount {
                connection.pointee.reader.kept.append(bytes.extracting(used..<bytes.byteCount))
            }
        } else {
            connection.pointee.reader.kept.append(bytes)
            var kept = exchange(&connection.pointee.reader.kept, for: ByteBuffer())
            let used = take(kept.bytes, slot, now)
            guard connection.pointee.state == .open else { return }
            kept.consume(used)
            connection.pointee.reader.kept = kept
        }
        if isPlanned { list(slot) } else { fill(slot, now) }
    }

    /// Takes all answers that are complete.
    /// - Returns: how many bytes were used.
    private func take(_ bytes: RawSpan, _ slot: UInt32, _ now: Instant) -> Int {
        let connection = connections.at(slot)
        var offset = 0
        do throws(HTTPFailure) {
            while let answer = try connection.pointee.reader.next(
                bytes, from: &offset, readsBodies: readsBodies, isToHEAD: sendsHEAD, limits: responseLimits,
                table: &table)
            {
                guard !connection.pointee.inFlight.isEmpty else {
                    // An answer to nothing.
                    if phase == .measuring { meter.tally.count(.protocol) }
                    drop(slot, nil)
                    return offset
                }
                finish(slot, answer, bytes, now)
                guard connection.pointee.state == .open else { return offset }
            }
        } catch {
            drop(slot, .protocol)
        }
        return offset
    }

    private func finish(_ slot: UInt32, _ answer: Answer, _ bytes: RawSpan, _ now: Instant) {
        let connection = connections.at(slot)
        let request = connection.pointee.inFlight.removeFirst()
        inFlightCount -= 1
        connection.pointee.failures = 0
        let verdict: Verdict
        if !answer.isBodyKept {
            verdict = scenario.answered(
                request.ticket, status: answer.status, body: bytes.slice(answer.body), now: now)
        } else {
            verdict = scenario.answered(
                request.ticket, status: answer.status, body: connection.pointee.reader.body.bytes, now: now)
        }
        if isMeasured(request.reference) {
            meter.tally.answered += 1
            meter.tally.count(status: answer.status)
            switch verdict {
            case .good: meter.tally.good += 1
            case .refused: meter.tally.count(.status)
            case .wrong: meter.tally.count(.protocol)
            }
            meter.record(
                kind: request.ticket.kind, latency: now - request.reference, service: now - request.sentAt)
        }
        // The server ends the connection: what was pipelined behind this answer gets none.
        if !answer.keepAlive { drop(slot, .reset) }
    }

    func receiveEnded(tag slot: UInt32) {
        let connection = connections.at(slot)
        if let answer = connection.pointee.reader.peerEnded(), !connection.pointee.inFlight.isEmpty {
            finish(slot, answer, RawSpan(), .read())
        }
        drop(slot, .reset)
    }

    func failed(_ error: SystemError, tag slot: UInt32) { drop(slot, .reset) }

    func sent(_ count: Int, tag slot: UInt32) {
        let connection = connections.at(slot)
        guard connection.pointee.state == .open else { return }
        if case .failed = connection.pointee.stream!.sent(count) { drop(slot, .reset) }
    }

    /// Sends what was written.
    func flush(_ slot: UInt32) {
        let connection = connections.at(slot)
        if case .failed = connection.pointee.stream!.flush() { drop(slot, .reset) }
    }
}
