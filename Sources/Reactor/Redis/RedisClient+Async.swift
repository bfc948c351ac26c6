// The client for `async` callers: everything that is not the hot path. Runs on the reactor's thread.
// Limits: the client's; `callersMax` tasks wait for room, which comes with replies. Cancelling the caller's task does not
// take a command back; it ends within `commandTimeout` once it is sent.

/// One argument of a command.
public enum RedisArgument: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case string(String)
    case bytes([UInt8])
    case integer(Int)

    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }

    func append(to buffer: inout ByteBuffer) {
        switch self {
        case .string(let text): buffer.argument(text)
        case .bytes(let bytes): buffer.argument(bytes.span.bytes)
        case .integer(let number): buffer.argument(number)
        }
    }
}

extension RedisClient {
    /// Sends one command and returns its reply.
    /// - Throws: `.refused` for an error reply; `.unavailable` and `.overloaded` at once, `.timedOut` after the limit.
    public func command(_ arguments: RedisArgument...) async throws(RedisFailure) -> RedisValue {
        try await command(arguments)
    }

    public func command(_ arguments: [RedisArgument]) async throws(RedisFailure) -> RedisValue {
        try Self.accepted(await run([arguments], isScripted: false)[0])
    }

    /// Sends several commands at once and returns their replies; an error among them is a value.
    public func pipeline(_ commands: [[RedisArgument]]) async throws(RedisFailure) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        return try await run(commands, isScripted: false)
    }

    /// Runs one of the client's scripts. It may run twice when the connection is lost; it must be idempotent.
    public func call(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument] = []
    ) async throws(RedisFailure) -> RedisValue {
        let command = ["EVALSHA", .string(script.sha), .integer(keys.count)] + keys + arguments
        return try Self.accepted(await run([command], isScripted: true)[0])
    }

    /// Asks Redis for a sign of life and returns the time it took.
    public func ping() async throws(RedisFailure) -> Interval {
        let sent = Instant.read()
        _ = try await command("PING")
        return Instant.read() - sent
    }

    private static func accepted(_ value: RedisValue) throws(RedisFailure) -> RedisValue {
        if case .error(let text) = value { throw .refused(text) }
        return value
    }

    private func run(_ commands: [[RedisArgument]], isScripted: Bool) async throws(RedisFailure) -> [RedisValue] {
        precondition(reactor.executor.isCurrent, "used away from its reactor")
        while isFull {
            guard await callers.wait() else { throw .overloaded }
        }
        let result: Result<[RedisValue], RedisFailure> = await withUnsafeContinuation { continuation in
            let waiter = RedisWaiter(continuation, replies: commands.count)
            let isSubmitted = submit(owner: waiter, tag: 0, replies: commands.count, isScripted: isScripted) { buffer in
                for command in commands {
                    buffer.beginCommand(command.count)
                    for argument in command { argument.append(to: &buffer) }
                }
            }
            if !isSubmitted { waiter.flightFailed(isConnected ? .overloaded : .unavailable, tag: 0) }
        }
        return try result.get()
    }
}

/// Tasks that wait for room in a client's flights, first come first served.
///
/// `@unchecked Sendable`: owned by a client and used on its reactor's thread only.
final class CallerLine: @unchecked Sendable {
    private var line: Ring<UnsafeContinuation<Void, Never>>

    init(countMax: Int) { line = Ring(countMax: countMax) }

    /// Suspends the caller until it may try again; false where too many do.
    func wait() async -> Bool {
        guard !line.isFull else { return false }
        await withUnsafeContinuation { line.append($0) }
        return true
    }

    func admitOne() {
        if !line.isEmpty { line.removeFirst().resume() }
    }

    func admitAll() {
        while !line.isEmpty { line.removeFirst().resume() }
    }
}

/// A suspended caller. Owned by its flight.
private final class RedisWaiter: RedisFlightOwner {
    private let continuation: UnsafeContinuation<Result<[RedisValue], RedisFailure>, Never>
    private let replies: Int
    private var values: [RedisValue] = []

    init(_ continuation: UnsafeContinuation<Result<[RedisValue], RedisFailure>, Never>, replies: Int) {
        self.continuation = continuation
        self.replies = replies
    }

    func replied(_ reply: RedisReply, index: Int, of tag: UInt64) {
        values.append(reply.value)
        if values.count == replies { continuation.resume(returning: .success(values)) }
    }

    func flightFailed(_ failure: RedisFailure, tag: UInt64) { continuation.resume(returning: .failure(failure)) }
}
