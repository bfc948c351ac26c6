// Hears that tasks became ready, on whichever gateway, and tells the long polls of its reactor. Owned by its reactor.
// One connection a reactor, one channel a kind. Redis forgets what it published while nobody listened, so that every
// new subscription has the long polls look for themselves.

import Reactor

final class WakeChannel: RedisSubscriberOwner {
    private let polls: [LongPoll]
    private let channels: [String]
    private var subscriber: RedisSubscriber!
    /// Called with the kind of each wake.
    private let heard: (WorkKind) -> Void

    /// - Throws: `.unsupported` where the endpoint asks for TLS and has no context for it.
    init(
        reactor: Reactor, endpoint: RedisEndpoint, polls: [LongPoll], heard: @escaping (WorkKind) -> Void
    ) throws(RedisFailure) {
        self.polls = polls
        self.heard = heard
        channels = polls.map(\.kind.queueKeys.wake)
        subscriber = try RedisSubscriber(reactor: reactor, endpoint: endpoint, owner: self)
        for channel in channels { subscriber.subscribe(channel) }
    }

    func start() { subscriber.start() }

    func close() { subscriber.close() }

    func subscribed() {
        for poll in polls { poll.probe() }
    }

    func published(_ payload: RawSpan, channel: RawSpan) {
        // What is no number was not published by a queue's script.
        guard let tasks = Int(payload.string) else { return }
        let name = channel.string
        for (index, poll) in polls.enumerated() where channels[index] == name {
            heard(poll.kind)
            poll.woken(tasks: tasks)
        }
    }

    func subscriptionLost(_ failure: RedisFailure) {}
}
