// Statements to PostgreSQL and their rows, in order, over one session in pipeline mode. Owned by one reactor, used on
// its thread only. Each flight is a transaction of its own, and is told after its commit.
// Limits (`PostgresLimits`): flights and bytes that wait; over them, or without a session, `submit` refuses at once.
// A flight without an outcome after `flightTimeout` is cancelled and costs the session.
//
//      submit ─► libpq (sends at once, holds what the kernel does not take) ─► PostgreSQL
//         └────► flights ◄── result, then the synchronisation that says: committed

import CReactor

/// Who has sent a flight. Calls come on the reactor's thread, never from inside `submit`; one of them, once.
public protocol PostgresFlightOwner: AnyObject {
    /// The flight is committed. `rows` are lent for this call.
    func completed(_ rows: PostgresRows, tag: UInt64)
    /// Nothing of the flight was done where `failure.kind` is `.refused`; otherwise that is unknown.
    func failed(_ failure: PostgresFailure, tag: UInt64)
}

/// The bounds of one client.
public struct PostgresLimits: Equatable, Sendable {
    /// Flights that wait for their outcome.
    public var flightsMax = 256
    /// Bytes of parameters that wait for an outcome; one flight may go over.
    public var pendingBytesMax = 64 * 1024 * 1024
    /// From `submit` to the commit.
    public var flightTimeout = Interval.seconds(10)
    /// How often an idle session is asked for a sign of life.
    public var pingInterval = Interval.seconds(10)

    public init() {}
}

/// A client of one PostgreSQL.
///
/// `@unchecked Sendable`: a reference may travel into a task of the reactor, but every member is for the reactor's own
/// thread; the `async` ones trap elsewhere.
public final class PostgresClient: @unchecked Sendable {
    private struct Flight {
        let owner: any PostgresFlightOwner
        let tag: UInt64
        let deadline: Instant
        let byteCount: Int
        let isPrepared: Bool
    }

    public let limits: PostgresLimits
    let reactor: Reactor
    private var connection: PostgresConnection!
    private var housekeeping: PostgresHousekeeping!
    private var flights: Ring<Flight>
    private var pendingBytes = 0
    /// The result and the error of the oldest flight, until its synchronisation comes.
    private var result: OpaquePointer?
    private var failure: PostgresFailure?
    private var timer = TimerID.none
    /// The round trip of the last sign of life.
    public internal(set) var lastRoundTrip: Interval?
    /// Called when the session becomes ready and when it is lost: for logs and metrics.
    public var connectionChanged: ((_ isConnected: Bool) -> Void)?

    /// - Parameters:
    ///   - reactor: outlives the client.
    ///   - statements: prepared at every connect. One that PostgreSQL refuses keeps the client from being connected.
    public init(
        reactor: Reactor, target: PostgresTarget, statements: PostgresStatements = PostgresStatements(),
        limits: PostgresLimits = PostgresLimits()
    ) {
        self.reactor = reactor
        self.limits = limits
        // One more than owners may use: the sign of life.
        flights = Ring(countMax: limits.flightsMax + 1)
        connection = PostgresConnection(reactor: reactor, target: target, statements: statements, owner: self)
        housekeeping = PostgresHousekeeping(client: self)
    }

    deinit {
        // Nothing may call a client that is gone.
        connection.close()
        housekeeping.end()
        reactor.cancel(timer)
        if let result { PQclear(result) }
    }

    // MARK: Life

    /// Begins to connect.
    public func start() { connection.start() }

    /// Ends the session; flights fail.
    public func close() {
        connection.close()
        connectionEnded(.unavailable)
    }

    /// Whether `submit` is of use now.
    public var isConnected: Bool { connection.isReady }
    /// Why there is no session; nil while there is one or none has been tried yet.
    public var lastFailure: PostgresFailure? { connection.lastFailure }
    /// Sessions lost since the start.
    public var lossCount: Int { connection.lossCount }
    /// Flights that wait for their outcome.
    public var flightCount: Int { flights.count }

    // MARK: Flights

    /// Sends one prepared statement as a transaction of its own. libpq copies `parameters`; they may be built anew.
    /// - Returns: false when there is no session or a bound is reached: nothing was sent, nothing will be told.
    public func submit(
        owner: any PostgresFlightOwner, tag: UInt64, statement: StatementID, parameters: borrowing PostgresParameters
    ) -> Bool {
        guard hasRoom, connection.send(statement, parameters) else { return false }
        add(owner, tag, byteCount: parameters.byteCount, isPrepared: true)
        return true
    }

    /// Sends a statement given as text; its cells are text.
    func submit(owner: any PostgresFlightOwner, tag: UInt64, sql: String, parameters: [PostgresValue]) -> Bool {
        guard hasRoom, connection.send(sql, parameters) else { return false }
        add(owner, tag, byteCount: sql.utf8.count, isPrepared: false)
        return true
    }

    private var hasRoom: Bool {
        connection.isReady && flights.count < limits.flightsMax && pendingBytes < limits.pendingBytesMax
    }

    /// The client's own sign of life, which the bounds of flights do not concern.
    func submitPing() -> Bool {
        guard connection.isReady, connection.send("SELECT 1", []) else { return false }
        add(housekeeping, 0, byteCount: 0, isPrepared: false)
        return true
    }

    private func add(_ owner: any PostgresFlightOwner, _ tag: UInt64, byteCount: Int, isPrepared: Bool) {
        let deadline = reactor.now + limits.flightTimeout
        flights.append(
            Flight(owner: owner, tag: tag, deadline: deadline, byteCount: byteCount, isPrepared: isPrepared))
        pendingBytes += byteCount
        if timer == .none { scheduleDeadline(deadline) }
    }

    private func scheduleDeadline(_ deadline: Instant) {
        timer = reactor.schedule(at: deadline, housekeeping, tag: PostgresHousekeeping.flightTimer)
    }

    /// Looks at the oldest flight: only it can be the first to be late.
    func checkDeadline() {
        timer = .none
        guard let first = flights.first else { return }
        let deadline = first.pointee.deadline
        guard reactor.now >= deadline else { return scheduleDeadline(deadline) }
        connection.cancelRunning()
        connection.drop(.timedOut)
    }
}

extension PostgresClient: PostgresConnectionOwner {
    func connectionReady() {
        housekeeping.begin()
        connectionChanged?(true)
    }

    func connectionLost(_ failure: PostgresFailure) {
        connectionEnded(failure)
        connectionChanged?(false)
    }

    private func connectionEnded(_ failure: PostgresFailure) {
        reactor.cancel(timer)
        timer = .none
        housekeeping.end()
        if let result { PQclear(result) }
        result = nil
        self.failure = nil
        // The oldest flight is the one that failed; what it was says nothing of those behind it.
        var failure = failure
        while !flights.isEmpty {
            let flight = flights.removeFirst()
            pendingBytes -= flight.byteCount
            flight.owner.failed(failure, tag: flight.tag)
            failure = .unavailable
        }
    }

    func connectionReturned(_ next: OpaquePointer) {
        switch PQresultStatus(next) {
        case PGRES_PIPELINE_SYNC:
            PQclear(next)
            finish()
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            if let result { PQclear(result) }
            result = next
        case PGRES_PIPELINE_ABORTED:
            PQclear(next)
        default:
            // Also an error of the commit itself, which comes after the statement's own result.
            let refusal = PostgresFailure(result: next)
            PQclear(next)
            if refusal.kind == .unavailable { return connection.drop(refusal) }
            failure = failure ?? refusal
        }
    }

    /// The oldest flight is over: committed, or undone.
    private func finish() {
        guard !flights.isEmpty else { return connection.drop(.unavailable) }
        let flight = flights.removeFirst()
        pendingBytes -= flight.byteCount
        let rows = result
        let refusal = failure
        result = nil
        failure = nil
        defer { if let rows { PQclear(rows) } }
        if let refusal {
            flight.owner.failed(refusal, tag: flight.tag)
            if flight.isPrepared, refusal.isStaleSession { connection.drop(refusal) }
        } else if let rows {
            flight.owner.completed(PostgresRows(result: rows), tag: flight.tag)
        } else {
            flight.owner.failed(.unavailable, tag: flight.tag)
            connection.drop(.unavailable)
        }
    }
}
