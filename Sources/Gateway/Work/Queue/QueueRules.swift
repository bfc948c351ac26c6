// The numbers the queue's rules take: api.md section 5 and their configuration, and the limits of one script call.
// Immutable values, shared by all reactors.

/// What an operator may set (`GATEWAY_LEASE_SECONDS` and its neighbours), in milliseconds.
struct QueueRules: Sendable, Equatable {
    /// A worker not heard from for as long loses its leases.
    var leaseMs = 300_000
    /// Within this time after a delivery the worker must be heard from.
    var deliveryMs = 90_000
    /// No lease is longer, however alive its worker (one repeated by `poll_id` may reach twice this).
    var taskTimeoutMs = 3_600_000
    var retriesMax = 3
    /// The delay of the first retry, doubled each time.
    var retryBaseMs = 30_000
    /// A worker not heard from for as long leaves the registry.
    var registryMs = 86_400_000
    /// What one worker may hold; a pull beyond it gets nothing.
    var leasesPerWorkerMax = 10_000
}

extension QueueRules {
    init(_ configuration: GatewayConfiguration) {
        leaseMs = configuration.leaseMs
        // A lease that never was confirmed is no longer than one that was.
        deliveryMs = min(configuration.deliveryMs, configuration.leaseMs, configuration.taskTimeoutMs)
        taskTimeoutMs = configuration.taskTimeoutMs
        retriesMax = configuration.maxRetries
        retryBaseMs = configuration.retryBaseMs
    }
}

/// What one call of a script may be given or does at most. Those marked * are constants of the Lua files too.
enum QueueLimits {
    static let enqueueItemsMax = 1_000
    static let finishItemsMax = 1_000
    static let heartbeatItemsMax = 1_000
    static let listedTaskIDsMax = 1_000
    static let capacityMax = 100
    static let platformsPerPullMax = 64
    static let pageItemsMax = 1_000
    static let reapMovesMax = 1_000
    /// * Proxies in a pool.
    static let proxiesMax = 1_024
    /// * Due tasks that one pull makes ready before it claims.
    static let promotedPerPullMax = 32
    /// * Tasks that one heartbeat gives back.
    static let givenBackPerHeartbeatMax = 100
    /// * Returns of one task that do not count as an attempt; the next ones count (a task that kills every worker before
    /// its first sign of life would go round for ever).
    static let freeReturnsMax = 8
    /// * The longest delay of a retry.
    static let retryDelayMaxMs = 86_400_000
    /// * Commands waiting for one worker.
    static let commandsPerWorkerMax = 100
}
