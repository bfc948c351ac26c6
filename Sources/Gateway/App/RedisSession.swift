// A client of Redis for one command, on a reactor and a thread of its own. Called on the main thread, which waits.
// Limits: `connectSecondsMax` for the first connection; a call is tried again for `retrySecondsMax` when it is lost.

import Reactor

/// What a command has of Redis while it runs. Used by the session's one task.
struct RedisSession: Sendable {
    static let connectSecondsMax = 10.0
    static let retrySecondsMax = 30.0
    private static let pause = Interval.milliseconds(200)

    let reactor: Reactor
    let client: RedisClient
    let scripts: QueueScripts

    /// Runs `body` as a task of a fresh reactor, and ends both.
    /// - Throws: what `body` throws, or that there is no Redis.
    static func run<Value: Sendable>(
        _ endpoint: RedisEndpoint, _ body: @escaping @Sendable (RedisSession) async throws -> Value
    ) throws -> Value {
        let reactor = try Reactor(index: 0, descriptorsMax: 64)
        let outcome = Locked<Result<Value, any Error>?>(nil)
        let done = Latch(1)
        let thread = ReactorThread(reactor) { reactor in
            reactor.spawn {
                let result: Result<Value, any Error>
                do {
                    let session = try RedisSession(reactor, endpoint)
                    try await session.connect()
                    result = .success(try await body(session))
                    session.client.close()
                } catch {
                    result = .failure(error)
                }
                outcome.withLock { $0 = result }
                done.countDown()
            }
        }
        done.wait()
        reactor.stop()
        thread.join()
        guard let result = outcome.withLock({ $0 }) else { preconditionFailure("a session ended without an outcome") }
        return try result.get()
    }

    /// A further client on the reactor of this session.
    func another(_ endpoint: RedisEndpoint) async throws -> RedisSession {
        let session = try RedisSession(reactor, endpoint)
        try await session.connect()
        return session
    }

    private init(_ reactor: Reactor, _ endpoint: RedisEndpoint) throws(RedisFailure) {
        self.reactor = reactor
        scripts = QueueScripts()
        client = try RedisClient(reactor: reactor, endpoint: endpoint, scripts: scripts.all)
        reactor.join(client)
        client.start()
    }

    private func connect() async throws {
        let deadline = reactor.now + .seconds(Self.connectSecondsMax)
        while !client.isConnected {
            guard reactor.now < deadline else {
                throw StartFailure(description: "no connection to Redis: \(client.lastReason ?? "it does not answer")")
            }
            await reactor.sleep(.milliseconds(10))
        }
    }

    /// Calls one of the queue's scripts, again where the connection is lost: they are idempotent.
    func call(_ script: QueueScript, _ kind: WorkKind, _ arguments: [RedisArgument]) async throws -> RedisValue {
        try await retrying { () async throws(RedisFailure) in
            try await client.call(
                scripts[script], keys: [.string(kind.queueKeys.prefix)], arguments: [""] + arguments)
        }
    }

    func command(_ arguments: RedisArgument...) async throws -> RedisValue {
        try await retrying { () async throws(RedisFailure) in try await client.command(arguments) }
    }

    /// Sends idempotent commands at once.
    func pipeline(_ commands: [[RedisArgument]]) async throws -> [RedisValue] {
        try await retrying { () async throws(RedisFailure) in try await client.pipeline(commands) }
    }

    private func retrying<Value>(
        _ body: () async throws(RedisFailure) -> Value
    ) async throws(RedisFailure) -> Value {
        let deadline = reactor.now + .seconds(Self.retrySecondsMax)
        while true {
            do throws(RedisFailure) {
                return try await body()
            } catch {
                switch error {
                case .unavailable, .timedOut, .overloaded:
                    guard reactor.now < deadline else { throw error }
                    await reactor.sleep(Self.pause)
                case .refused, .protocolViolation, .unsupported: throw error
                }
            }
        }
    }
}
