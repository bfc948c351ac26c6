// A connection that listens to channels: the wake-ups of long polls. Owned by one reactor, used on its thread only.
// Limits: `channelsMax` channels; a server silent for `pingInterval` + `pongTimeout` counts as lost.
// Redis forgets what was published while nobody listened: after `subscribed` owners look for themselves.

import CReactor

/// Who listens.
public protocol RedisSubscriberOwner: AnyObject {
    /// All channels are subscribed, for the first time or again after a loss: messages may have been missed before.
    func subscribed()
    func published(_ payload: RawSpan, channel: RawSpan)
    /// Nothing is heard until `subscribed`.
    func subscriptionLost(_ failure: RedisFailure)
}

/// A subscription to channels of one Redis, renewed after every loss.
///
/// `@unchecked Sendable`: a reference may travel, but every member is for the reactor's own thread.
public final class RedisSubscriber: TimerOwner, @unchecked Sendable {
    public static let channelsMax = 1024
    public static let pingInterval = Interval.seconds(10)
    public static let pongTimeout = Interval.seconds(5)

    private let reactor: Reactor
    private unowned let owner: any RedisSubscriberOwner
    private var connection: RedisConnection!
    private var channels: [String] = []
    /// Channels whose confirmation has not come.
    private var unconfirmed = 0
    private var timer = TimerID.none
    private var isPinging = false

    /// - Parameters:
    ///   - reactor: outlives the subscriber.
    ///   - owner: outlives the subscriber.
    /// - Throws: `.unsupported` where the endpoint asks for TLS and has no context for it.
    public init(
        reactor: Reactor, endpoint: RedisEndpoint, owner: any RedisSubscriberOwner
    ) throws(RedisFailure) {
        self.reactor = reactor
        self.owner = owner
        connection = try RedisConnection(reactor: reactor, endpoint: endpoint, scripts: [], owner: self)
    }

    deinit {
        connection?.close()
        reactor.cancel(timer)
    }

    public func start() { connection.start() }

    public func close() {
        reactor.cancel(timer)
        connection.close()
    }

    /// Whether every channel is being heard.
    public var isSubscribed: Bool { connection.isReady && unconfirmed == 0 }
    public var lastReason: String? { connection.lastReason }
    public var lossCount: Int { connection.lossCount }

    /// Listens to `channel` from now on.
    /// - Returns: false when `channelsMax` are listened to already.
    @discardableResult
    public func subscribe(_ channel: String) -> Bool {
        if channels.contains(channel) { return true }
        guard channels.count < Self.channelsMax else { return false }
        channels.append(channel)
        if connection.isReady { send([channel]) }
        return true
    }

    private func send(_ channels: [String]) {
        unconfirmed += channels.count
        connection.write { buffer in
            buffer.beginCommand(1 + channels.count)
            buffer.argument("SUBSCRIBE" as StaticString)
            for channel in channels { buffer.argument(channel) }
        }
        connection.flush()
    }

    public func timerFired(tag: UInt64) {
        timer = .none
        guard connection.isReady else { return }
        if isPinging { return connection.drop(.timedOut) }
        isPinging = true
        connection.write { buffer in
            buffer.beginCommand(1)
            buffer.argument("PING" as StaticString)
        }
        connection.flush()
        schedule(Self.pongTimeout)
    }

    private func schedule(_ interval: Interval) {
        reactor.cancel(timer)
        timer = reactor.schedule(at: reactor.now + interval, self, tag: 0)
    }
}

extension RedisSubscriber: RedisConnectionOwner {
    func connectionReady() {
        unconfirmed = 0
        isPinging = false
        schedule(Self.pingInterval)
        if channels.isEmpty { owner.subscribed() } else { send(channels) }
    }

    func connectionLost(_ failure: RedisFailure) {
        reactor.cancel(timer)
        timer = .none
        owner.subscriptionLost(failure)
    }

    func connectionReplied(_ reply: RedisReply) {
        if isPinging {
            isPinging = false
            schedule(Self.pingInterval)
        }
        if reply.isError { return connection.drop(.refused(reply.bytes.string)) }
        guard reply.count == 3 else { return }  // the answer to a ping: pong and its text
        if reply[0].bytes.equals("message") {
            owner.published(reply[2].bytes, channel: reply[1].bytes)
        } else if reply[0].bytes.equals("subscribe"), unconfirmed > 0 {
            unconfirmed -= 1
            if unconfirmed == 0 { owner.subscribed() }
        }
    }
}
