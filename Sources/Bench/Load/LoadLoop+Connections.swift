// How a load loop's connections come and go: opened a burst at a time, opened again when they are lost, and given up with
// all that was out on them when the server takes too long. On the loop's thread.

import Reactor

extension LoadLoop {
    private static let backoffFirst = Interval.milliseconds(10)
    private static let backoffLongest = Interval.seconds(1)

    /// Opens connections that are closed and were not tried, as many as may be opened at once.
    func openMore() {
        while triedCount + connectingCount < connections.count, connectingCount < Self.connectingMax {
            let slot = UInt32(triedCount + connectingCount)
            connectingCount += 1
            open(slot)
        }
    }

    private func open(_ slot: UInt32) {
        let connection = connections.at(slot)
        connection.pointee.state = .connecting
        connection.pointee.connectingSince = reactor.now
        connection.pointee.reader.reset()
        do throws(SystemError) {
            connection.pointee.stream = try settings.target.connect(
                slot, from: settings.sources, reactor: reactor, owner: self, peer: peer)
        } catch {
            connectFailed(slot, error)
        }
    }

    func connected(tag slot: UInt32) {
        let connection = connections.at(slot)
        connection.pointee.state = .open
        settled(slot)
        if isPlanned { list(slot) } else { fill(slot, .read()) }
    }

    func connectFailed(_ slot: UInt32, _ error: SystemError) {
        connectError = error
        let connection = connections.at(slot)
        if let stream = connection.pointee.stream.take() { stream.close() }
        connection.pointee.state = .closed
        connection.pointee.failures += 1
        if phase == .measuring { meter.tally.count(.connect) }
        settled(slot)
        reopenLater(slot)
    }

    /// An attempt has ended.
    private func settled(_ slot: UInt32) {
        guard !connections.at(slot).pointee.wasTried else { return }
        connections.at(slot).pointee.wasTried = true
        connectingCount -= 1
        wasTried()
        openMore()
    }

    private func reopenLater(_ slot: UInt32) {
        guard phase != .done, phase != .draining else { return }
        let failures = min(connections.at(slot).pointee.failures, 8)
        // A server that ends a connection behind a good answer is within its rights.
        let step = failures == 0 ? 0 : Self.backoffFirst.nanoseconds << Int64(failures - 1)
        let wait = min(step, Self.backoffLongest.nanoseconds)
        let reopening = Reopening(loop: self, slot: slot)
        _ = reactor.schedule(at: reactor.now + Interval(nanoseconds: wait), reopening, tag: 0)
    }

    fileprivate func reopen(_ slot: UInt32) {
        guard phase != .done, phase != .draining, connections.at(slot).pointee.state == .closed else { return }
        if phase == .measuring { meter.tally.reconnects += 1 }
        open(slot)
    }

    /// Closes a connection; what was out on it has failed.
    /// - Parameter error: nil where the peer closed in good order, with nothing out.
    func drop(_ slot: UInt32, _ error: ErrorClass?) {
        let connection = connections.at(slot)
        guard connection.pointee.state != .closed else { return }
        if connection.pointee.state == .connecting { return connectFailed(slot, .connectionReset) }
        if let stream = connection.pointee.stream.take() { stream.close() }
        connection.pointee.state = .closed
        if error != nil, !connection.pointee.inFlight.isEmpty { connection.pointee.failures += 1 }
        let now = Instant.read()
        while !connection.pointee.inFlight.isEmpty {
            let request = connection.pointee.inFlight.removeFirst()
            inFlightCount -= 1
            scenario.lost(request.ticket, now: now)
            if let error, isMeasured(request.reference) { meter.tally.count(error) }
        }
        connection.pointee.reader.reset()
        reopenLater(slot)
    }

    func closeAll() {
        connections.forEachIndex { slot in
            if let stream = connections.at(slot).pointee.stream.take() { stream.close() }
            connections.at(slot).pointee.state = .closed
        }
    }

    /// Gives up connections whose oldest request, or whose opening, takes too long.
    func expire(_ now: Instant) {
        connections.forEachIndex { slot in
            let connection = connections.at(slot)
            switch connection.pointee.state {
            case .closed: break
            case .connecting:
                if now - connection.pointee.connectingSince > settings.timeout { connectFailed(slot, .timedOut) }
            case .open:
                guard let oldest = connection.pointee.inFlight.first else { return }
                if now - oldest.pointee.sentAt > settings.timeout { drop(slot, .timeout) }
            }
        }
    }

    // MARK: The line of connections with room

    /// Puts a connection at the line's end, if it has room and is not there.
    func list(_ slot: UInt32) {
        let connection = connections.at(slot)
        guard connection.pointee.hasRoom, !connection.pointee.isListed else { return }
        connection.pointee.isListed = true
        listed.append(slot)
    }

    /// The first connection that has room.
    func takeListed() -> UInt32? {
        while !listed.isEmpty {
            let slot = listed.removeFirst()
            connections.at(slot).pointee.isListed = false
            // It may have been lost while it stood there.
            if connections.at(slot).pointee.hasRoom { return slot }
        }
        return nil
    }
}

/// A connection that waits to be opened again.
private final class Reopening: TimerOwner {
    private let loop: LoadLoop
    private let slot: UInt32

    init(loop: LoadLoop, slot: UInt32) {
        self.loop = loop
        self.slot = slot
    }

    func timerFired(tag: UInt64) { loop.reopen(slot) }
}
