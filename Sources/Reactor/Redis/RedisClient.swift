// Commands to Redis and their replies, in order, over one connection. Owned by one reactor, used on its thread only.
// Limits (`RedisLimits`): flights and bytes that wait; over them, or without a connection, `submit` refuses at once. Who
// can wait for room looks at `isFull` first: batches gather on, tasks stand in a line of `callersMax`.
// A flight without a reply after `commandTimeout` costs the connection, because the order of replies is lost with it.
//
//      submit ─► outgoing buffer ─(flush, at the turn's end)─► Redis
//         └────► flights ◄──── replies: the oldest flight's, always

import CReactor

/// Who has sent a flight and takes its replies. Calls come on the reactor's thread, never from inside `submit`.
public protocol RedisFlightOwner: AnyObject {
    /// Reply number `index` (from 0) of a flight. An error reply is a reply.
    func replied(_ reply: RedisReply, index: Int, of tag: UInt64)
    /// The flight ends here, with some of its replies missing: told once, and nothing more is told after it.
    func flightFailed(_ failure: RedisFailure, tag: UInt64)
}

/// The bounds of one client.
public struct RedisLimits: Equatable, Sendable {
    /// Flights that wait for replies.
    public var flightsMax = 4096
    /// Tasks that wait until there is room for their flight.
    public var callersMax = 16_384
    /// Bytes of requests that wait for replies; one flight may go over.
    public var pendingBytesMax = 32 * 1024 * 1024
    /// From `submit` to the last reply.
    public var commandTimeout = Interval.seconds(5)
    /// How often the fleet's clock is set, which also tells whether an idle connection still works.
    public var clockInterval = Interval.seconds(10)

    public init() {}
}

/// A client of one Redis.
///
/// `@unchecked Sendable`: a reference may travel into a task of the reactor, but every member is for the reactor's own
/// thread; the `async` ones trap elsewhere.
public final class RedisClient: TurnParticipant, @unchecked Sendable {
    struct Flight {
        let owner: any RedisFlightOwner
        let tag: UInt64
        let deadline: Instant
        let requestBytes: Int
        let replies: Int32
        var replied: Int32 = 0
        /// Replies before this one have been delivered by an earlier run of the same flight.
        var deliverFrom: Int32 = 0
        /// A copy of the request waits in `requests`: it is sent again should Redis have forgotten a script.
        var isKept = false
        /// Redis has forgotten a script: nothing more is delivered, the flight runs again.
        var runsAgain = false
    }

    public let limits: RedisLimits
    let reactor: Reactor
    let scripts: [RedisScript]
    private var connection: RedisConnection!
    private var housekeeping: RedisHousekeeping!
    private var flights: Ring<Flight>
    private var pendingBytes = 0
    /// Requests of kept flights, oldest first.
    private var requests = ByteBuffer()
    private var timer = TimerID.none
    let callers: CallerLine
    /// Called when the connection becomes ready and when it is lost: for logs and metrics.
    public var connectionChanged: ((_ isConnected: Bool) -> Void)?

    /// - Parameters:
    ///   - reactor: outlives the client.
    ///   - scripts: loaded at every connect; all that flights run by `beginScript`.
    /// - Throws: `.unsupported` where the endpoint asks for TLS and has no context for it.
    public init(
        reactor: Reactor, endpoint: RedisEndpoint, scripts: [RedisScript] = [], limits: RedisLimits = RedisLimits()
    ) throws(RedisFailure) {
        self.reactor = reactor
        self.scripts = scripts
        self.limits = limits
        // Two more than owners may use: the clock and the reloading of scripts.
        flights = Ring(countMax: limits.flightsMax + 2)
        callers = CallerLine(countMax: limits.callersMax)
        connection = try RedisConnection(reactor: reactor, endpoint: endpoint, scripts: scripts, owner: self)
        housekeeping = RedisHousekeeping(client: self)
    }

    deinit {
        // Nothing may call a client that is gone.
        connection?.close()
        housekeeping?.end()
        reactor.cancel(timer)
    }

    // MARK: Life

    /// Begins to connect. Have the client join the reactor's turn too: `reactor.join(client)`, after all that submit.
    public func start() { connection.start() }

    /// Closes the connection; flights fail.
    public func close() {
        connection.close()
        connectionEnded(.unavailable)
    }

    /// Whether `submit` is of use now.
    public var isConnected: Bool { connection.isReady }
    /// Connected, but `submit` refuses until replies have come, which they will within `commandTimeout`.
    public var isFull: Bool { connection.isReady && !hasRoom }
    private var hasRoom: Bool { flights.count < limits.flightsMax && pendingBytes < limits.pendingBytesMax }
    /// Why there is no connection; nil while there is one or none has been tried yet.
    public var lastFailure: RedisFailure? { connection.lastFailure }
    /// The same in words, with the kernel's reason where that is known.
    public var lastReason: String? { connection.lastReason }
    /// Connections lost since the start.
    public var lossCount: Int { connection.lossCount }
    /// Flights that wait for replies.
    public var flightCount: Int { flights.count }
    /// The round trip that last set the clock (every `clockInterval`).
    public var lastRoundTrip: Interval? { connection.clock.roundTrip }

    /// Milliseconds since the Unix epoch by Redis' clock, which all gateways share. Before the first connection: by
    /// this machine's.
    public func fleetMilliseconds(_ now: Instant) -> Int64 { connection.clock.microseconds(at: now) / 1000 }
    public func fleetMicroseconds(_ now: Instant) -> Int64 { connection.clock.microseconds(at: now) }

    // MARK: Flights

    /// Sends commands that `encode` writes, all of them or none; they leave with the next `flush`.
    /// - Parameters:
    ///   - replies: how many commands `encode` writes, > 0.
    ///   - isScripted: the flight runs scripts. Should Redis have forgotten one (`NOSCRIPT`), the scripts are loaded
    ///     and the whole flight is sent again, behind what was sent meanwhile; replies already delivered are not
    ///     delivered twice. So every command of such a flight must be idempotent.
    /// - Returns: false when there is no connection or a bound is reached: nothing was sent, nothing will be told.
    public func submit(
        owner: any RedisFlightOwner, tag: UInt64, replies: Int = 1, isScripted: Bool = false,
        encode: (inout ByteBuffer) -> Void
    ) -> Bool {
        guard connection.isReady, hasRoom else { return false }
        append(owner, tag, replies, isKept: isScripted, deliverFrom: 0, encode)
        return true
    }

    func append(
        _ owner: any RedisFlightOwner, _ tag: UInt64, _ replies: Int, isKept: Bool, deliverFrom: Int32,
        _ encode: (inout ByteBuffer) -> Void
    ) {
        precondition(replies > 0 && replies <= Int(Int32.max), "a flight has at least one reply")
        var requestBytes = 0
        connection.write { buffer in
            let start = buffer.count
            encode(&buffer)
            requestBytes = buffer.count - start
            if isKept { requests.append(buffer.bytes.extracting(start..<buffer.count)) }
        }
        let deadline = reactor.now + limits.commandTimeout
        flights.append(
            Flight(
                owner: owner, tag: tag, deadline: deadline, requestBytes: requestBytes, replies: Int32(replies),
                deliverFrom: deliverFrom, isKept: isKept))
        pendingBytes += requestBytes
        if timer == .none { timer = reactor.schedule(at: deadline, housekeeping, tag: RedisHousekeeping.flightTimer) }
    }

    /// Sends what was submitted.
    public func flush() { connection.flush() }

    public func turnEnded() { connection.flush() }

    /// Looks at the oldest flight: only it can be the first to be late.
    func checkDeadline() {
        timer = .none
        guard let first = flights.first else { return }
        if reactor.now >= first.pointee.deadline { return connection.drop(.timedOut) }
        timer = reactor.schedule(at: first.pointee.deadline, housekeeping, tag: RedisHousekeeping.flightTimer)
    }

    private func removeFirst() -> Flight {
        let flight = flights.removeFirst()
        pendingBytes -= flight.requestBytes
        return flight
    }

    func setClock(_ reply: RedisReply, sent: Instant) { connection.setClock(reply, sent: sent) }
}

extension RedisClient: RedisConnectionOwner {
    func connectionReady() {
        housekeeping.begin()
        connectionChanged?(true)
    }

    func connectionLost(_ failure: RedisFailure) {
        connectionEnded(failure)
        connectionChanged?(false)
    }

    private func connectionEnded(_ failure: RedisFailure) {
        reactor.cancel(timer)
        timer = .none
        housekeeping.end()
        requests.clear()
        // The oldest flight is the one that failed; what it was says nothing of those behind it.
        var failure = failure
        while !flights.isEmpty {
            let flight = removeFirst()
            flight.owner.flightFailed(failure, tag: flight.tag)
            failure = .unavailable
        }
        callers.admitAll()
    }

    func connectionReplied(_ reply: RedisReply) {
        guard let first = flights.first else { return connection.drop(.protocolViolation("a reply to nothing")) }
        let index = first.pointee.replied
        first.pointee.replied += 1
        if reply.isError { noticeError(reply, first, index) }
        let isDelivered = index >= first.pointee.deliverFrom && !first.pointee.runsAgain
        let owner = first.pointee.owner
        let tag = first.pointee.tag
        if first.pointee.replied == first.pointee.replies {
            finish()
            callers.admitOne()
        }
        if isDelivered { owner.replied(reply, index: Int(index), of: tag) }
        // After the reply was told: what fails with the connection is everything behind it.
        if reply.isError, Self.isNotMaster(reply) { connection.drop(.refused(reply.bytes.string)) }
    }

    /// A replica, or a server that reads its data: another connection may find the master.
    private static func isNotMaster(_ reply: RedisReply) -> Bool {
        reply.bytes.begins(with: "READONLY") || reply.bytes.begins(with: "LOADING")
            || reply.bytes.begins(with: "MASTERDOWN")
    }

    private func noticeError(_ reply: RedisReply, _ flight: UnsafeMutablePointer<Flight>, _ index: Int32) {
        guard flight.pointee.isKept, !flight.pointee.runsAgain, index >= flight.pointee.deliverFrom,
            reply.bytes.begins(with: "NOSCRIPT")
        else { return }
        flight.pointee.runsAgain = true
        flight.pointee.deliverFrom = index
    }

    /// The oldest flight has all its replies.
    private func finish() {
        let flight = removeFirst()
        guard flight.isKept else { return }
        defer { requests.consume(flight.requestBytes) }
        guard flight.runsAgain else { return }
        housekeeping.loadScripts()
        guard flights.count < limits.flightsMax else {
            return flight.owner.flightFailed(.overloaded, tag: flight.tag)
        }
        // Not kept: a script that is missing twice is an error that the owner hears.
        append(flight.owner, flight.tag, Int(flight.replies), isKept: false, deliverFrom: flight.deliverFrom) {
            buffer in
            buffer.append(first: flight.requestBytes, of: requests)
        }
    }
}

extension ByteBuffer {
    /// Appends the first `count` bytes of another buffer.
    fileprivate mutating func append(first count: Int, of other: borrowing ByteBuffer) {
        append(other.bytes.extracting(first: count))
    }
}
