// The context that new connections take: replaced when certificates are read again, for all reactors at once.
// Shared by all threads; the lock is taken once a connection. Connections that are open keep the context they began with.

public final class CurrentTLSContext: Sendable {
    private let context: Locked<TLSContext>

    public init(_ context: TLSContext) { self.context = Locked(context) }

    public var now: TLSContext { context.withLock { $0 } }

    public func replace(by newer: TLSContext) { context.withLock { $0 = newer } }
}

/// Equal if they are one: what is current changes.
extension CurrentTLSContext: Equatable {
    public static func == (left: CurrentTLSContext, right: CurrentTLSContext) -> Bool { left === right }
}
