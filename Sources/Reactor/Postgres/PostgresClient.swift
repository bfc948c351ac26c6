// Statements to PostgreSQL and their results, in order, over one connection in libpq's pipeline mode.
// Owned by one reactor, used on its thread only. Limits (`PostgresLimits`): flights that wait; a flight without an
// answer after `statementTimeout` costs the connection. Each flight is a transaction of its own, ended by a sync.
//
//      submit ─► libpq's buffer ─(flush, at the turn's end)─► PostgreSQL
//         └────► flights ◄──── results: the oldest flight's, always
//
// The connection itself (connect, prepare, reconnect) is PostgresConnection's. Source: the manual, section 34.5.

import CReactor

/// A statement that every connection prepares.
public struct PostgresStatement: Sendable {
    public var name: String
    public var sql: String

    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

/// Position of a statement in the client's list.
public struct PostgresStatementID: Equatable, Sendable {
    let index: Int
    public init(_ index: Int) { self.index = index }
}

/// Who has sent a flight and takes its result: exactly one of the two calls, on the reactor's thread, never from inside
/// `submit`.
public protocol PostgresFlightOwner: AnyObject {
    /// The statement is committed.
    func completed(_ rows: borrowing PostgresRows, tag: UInt64)
    /// The statement failed; nothing of it was stored, unless `failure` is `.unavailable` or `.timedOut`: then nobody
    /// knows.
    func failed(_ failure: PostgresFailure, tag: UInt64)
}

public struct PostgresLimits: Equatable, Sendable {
    /// Flights that wait for their results.
    public var flightsMax = 256
    /// From `submit` to the result.
    public var statementTimeout = Interval.seconds(30)
    /// From the start of an attempt to connect to all statements being prepared.
    public var connectTimeout = Interval.seconds(10)

    public init() {}
}

/// A client of one PostgreSQL.
///
/// `@unchecked Sendable`: a reference may travel into a task of the reactor, but every member is for the reactor's own
/// thread; the `async` ones trap elsewhere.
public final class PostgresClient: TurnParticipant, @unchecked Sendable {
    struct Flight {
        let owner: any PostgresFlightOwner
        let tag: UInt64
        let deadline: Instant
        /// The server's answer, until the sync that follows it tells whether it was committed.
        var result: OpaquePointer?
    }

    public let limits: PostgresLimits
    let reactor: Reactor
    private var connection: PostgresConnection!
    private var flights: Ring<Flight>
    private var timer = TimerID.none
    private var needsFlush = false
    private let statements: [PostgresStatement]
    private var statementNames: [UnsafeMutablePointer<CChar>]
    private let pointers = ParameterPointers()
    /// Called when the connection becomes ready and when it is lost: for logs and metrics.
    public var connectionChanged: ((_ isConnected: Bool) -> Void)?

    /// - Parameters:
    ///   - reactor: outlives the client.
    ///   - url: any libpq URI or connection string.
    public init(
        reactor: Reactor, url: String, statements: [PostgresStatement] = [], limits: PostgresLimits = PostgresLimits()
    ) {
        self.reactor = reactor
        self.limits = limits
        self.statements = statements
        statementNames = statements.map { strdup($0.name)! }
        flights = Ring(countMax: limits.flightsMax)
        connection = PostgresConnection(
            reactor: reactor, url: url, statements: statements, timeout: limits.connectTimeout, owner: self)
    }

    deinit {
        connection?.close()
        for name in statementNames { free(name) }
    }

    // MARK: Life

    /// Begins to connect. Have the client join the reactor's turn too: `reactor.join(client)`, after all that submit.
    public func start() { connection.start() }

    /// Closes the connection; flights fail.
    public func close() {
        connection.close()
        failAll(.unavailable)
    }

    /// Whether `submit` is of use now.
    public var isConnected: Bool { connection.isReady }
    /// Why there is no connection, in libpq's words; nil while there is one or none has been tried yet.
    public var lastFailure: String? { connection.lastFailure }
    /// Connections lost since the start.
    public var lossCount: Int { connection.lossCount }
    /// Flights that wait for results.
    public var flightCount: Int { flights.count }

    // MARK: Flights

    /// Sends a prepared statement with binary parameters, as a transaction of its own.
    /// - Returns: false when there is no connection or a bound is reached: nothing was sent, nothing will be told.
    public func submit(
        owner: any PostgresFlightOwner, tag: UInt64, statement: PostgresStatementID,
        parameters: borrowing PostgresParameters
    ) -> Bool {
        guard let session = readySession() else { return false }
        pointers.fill(parameters)
        let isSent =
            PQsendQueryPrepared(
                session, statementNames[statement.index], Int32(parameters.count), pointers.values, pointers.lengths,
                pointers.formats, 1) == 1
        return track(owner, tag, session, isSent)
    }

    /// Sends any SQL, one statement, with text parameters and a text result.
    func submit(owner: any PostgresFlightOwner, tag: UInt64, sql: String, parameters: [String?]) -> Bool {
        guard let session = readySession() else { return false }
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let values = copies.map { UnsafePointer<CChar>($0) }
        let isSent = PQsendQueryParams(session, sql, Int32(values.count), nil, values, nil, nil, 0) == 1
        return track(owner, tag, session, isSent)
    }

    private func readySession() -> OpaquePointer? {
        guard connection.isReady, flights.count < limits.flightsMax else { return nil }
        return connection.session
    }

    private func track(_ owner: any PostgresFlightOwner, _ tag: UInt64, _ session: OpaquePointer, _ isSent: Bool)
        -> Bool
    {
        guard isSent, PQpipelineSync(session) == 1 else {
            // libpq refuses only without memory or connection: neither mends by itself.
            connection.drop(String(cString: PQerrorMessage(session)))
            return false
        }
        let deadline = reactor.now + limits.statementTimeout
        flights.append(Flight(owner: owner, tag: tag, deadline: deadline))
        needsFlush = true
        if timer == .none { timer = reactor.schedule(at: deadline, self, tag: 0) }
        return true
    }

    /// Sends what was submitted.
    public func flush() {
        guard needsFlush else { return }
        needsFlush = false
        connection.flush()
    }

    public func turnEnded() { flush() }
}

extension PostgresClient: TimerOwner {
    /// Looks at the oldest flight: only it can be the first to be late.
    public func timerFired(tag: UInt64) {
        timer = .none
        guard let first = flights.first else { return }
        if reactor.now >= first.pointee.deadline {
            connection.cancelStatement()
            let flight = flights.removeFirst()
            PQclear(flight.result)
            flight.owner.failed(.timedOut, tag: flight.tag)
            return connection.drop("no answer within the statement timeout")
        }
        timer = reactor.schedule(at: first.pointee.deadline, self, tag: 0)
    }
}

extension PostgresClient: PostgresConnectionOwner {
    func connectionReady() { connectionChanged?(true) }

    func connectionLost() {
        failAll(.unavailable)
        connectionChanged?(false)
    }

    private func failAll(_ failure: PostgresFailure) {
        reactor.cancel(timer)
        timer = .none
        while !flights.isEmpty {
            let flight = flights.removeFirst()
            PQclear(flight.result)
            flight.owner.failed(failure, tag: flight.tag)
        }
    }

    /// A statement's result; the flight ends with the sync behind it, because only that tells of the commit.
    func connectionReceived(_ result: OpaquePointer) {
        let isSync = PQresultStatus(result) == PGRES_PIPELINE_SYNC
        guard let first = flights.first else {
            PQclear(result)
            return connection.drop("a result of nothing")
        }
        guard isSync else {
            // A failed commit follows the result that it takes back: the last word counts.
            PQclear(first.pointee.result)
            first.pointee.result = result
            return
        }
        PQclear(result)
        let flight = flights.removeFirst()
        guard let outcome = flight.result else { return connection.drop("a sync without a result") }
        defer { PQclear(outcome) }
        switch PQresultStatus(outcome) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            flight.owner.completed(PostgresRows(outcome), tag: flight.tag)
        default:
            let failure = PostgresFailure(outcome)
            flight.owner.failed(failure.isLoss ? .unavailable : failure, tag: flight.tag)
        }
    }
}

extension PostgresFailure {
    init(_ result: OpaquePointer) {
        let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? "XX000"
        let message = PQresultErrorField(result, Int32(UInt8(ascii: "M"))).map { String(cString: $0) }
        self = .refused(sqlState: state, message: message ?? String(cString: PQresultErrorMessage(result)))
    }
}

/// The arrays of pointers that libpq wants, filled anew for each statement.
private final class ParameterPointers {
    /// Parameters of one statement at most.
    static let countMax = 64

    let values = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: countMax)
    let lengths = UnsafeMutablePointer<Int32>.allocate(capacity: countMax)
    let formats = UnsafeMutablePointer<Int32>.allocate(capacity: countMax)

    init() {
        formats.initialize(repeating: 1, count: Self.countMax)
        values.initialize(repeating: nil, count: Self.countMax)
        lengths.initialize(repeating: 0, count: Self.countMax)
    }

    deinit {
        values.deallocate()
        lengths.deallocate()
        formats.deallocate()
    }

    /// The pointers are good until `parameters` changes; libpq copies the values while it sends.
    func fill(_ parameters: borrowing PostgresParameters) {
        precondition(parameters.count <= Self.countMax, "too many parameters")
        parameters.bytes.bytes.withUnsafeBytes { raw in
            for index in 0..<parameters.count {
                let start = Int(parameters.starts[index])
                // An empty value still needs a pointer: nil is NULL.
                values[index] = start < 0 ? nil : (raw.baseAddress! + start).assumingMemoryBound(to: CChar.self)
                lengths[index] = parameters.lengths[index]
            }
        }
    }
}
